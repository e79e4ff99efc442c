"""SOLARNET's mechanisms: variable keywords, lists of pixels, external extensions, and columns of tables."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.finding import Finding
from pipeline.solarnet_check.header import Hdu, shown
from pipeline.solarnet_check.units import check_unit

_FORM: Final = re.compile(r"\s*(\d*)([LXBIJKAEDCM])")
#: Columns that are looked at: a table has 999 at most (FITS standard 4.0, section 7.3).
_MOST: Final = 999


class Listed(NamedTuple):
    """A table, and what of its columns are named with it."""

    table: str
    names: tuple[str, ...]


def check(hdu: Hdu, file: FitsFile) -> Iterator[Finding]:
    """What rules about mechanisms find in one HDU."""
    if hdu.kind == "table":
        yield from _columns(hdu)
    used = [name for name in ("VAR_KEYS", "PIXLISTS", "METADIM", "METAFILS") if hdu.says(name)]
    if used and not hdu.claim:
        advice = "write SOLARNET = -1 where the HDU holds no observation, else 1 or 0.5"
        found = f"absent, or 0, beside {used[0]}"
        yield hdu.error("SOLARNET", found, "a value that is not zero", advice, "SOLARNET 17")
    yield from _variables(hdu, file)
    yield from _pixel_lists(hdu, file)


def listed(text: str) -> list[Listed] | None:
    """What VAR_KEYS and PIXLISTS name: ``TABLE;NAME,NAME,TABLE;NAME``; `None` for what cannot be read so."""
    found: list[tuple[str, list[str]]] = []
    for part in (one.strip() for one in text.replace("&", "").split(",")):
        table, divided, name = part.rpartition(";")
        if divided:
            found.append((table.strip(), []))
        elif not found:
            return None
        if name.strip():
            found[-1][1].append(name.strip())
    return [Listed(table, tuple(names)) for table, names in found]


def _variables(hdu: Hdu, file: FitsFile) -> Iterator[Finding]:
    said = hdu.text("VAR_KEYS")
    if not said:
        return
    rule = "SOLARNET appendix I"
    named = listed(said)
    if named is None or any(not one.names for one in named):
        advice = "write the EXTNAME of the table, a semicolon, and the keywords with commas between them"
        yield hdu.error("VAR_KEYS", shown(said), "as 'TABLE;KEYWORD,KEYWORD'", advice, rule)
        return
    for one in named:
        if _is_external(one.table) or not file.complete:
            continue
        there = file.by_name.get(one.table)
        if there is None:
            advice = "name an extension of this file, or an external one as './file.fits;NAME'"
            yield hdu.error("VAR_KEYS", shown(one.table), "the EXTNAME of an HDU of this file", advice, rule)
        elif there.kind == "table":
            for name in one.names:
                if name not in file.columns(one.table):
                    advice = "call the column as VAR_KEYS calls the keyword, its tag included"
                    yield hdu.error("VAR_KEYS", shown(name), f"a column of {one.table}", advice, rule)


def _pixel_lists(hdu: Hdu, file: FitsFile) -> Iterator[Finding]:
    said = hdu.text("PIXLISTS")
    if not said:
        return
    rule = "SOLARNET appendix II"
    named = listed(said)
    if named is None:
        advice = "write the EXTNAME of the table, a semicolon, and its attributes with commas between them"
        yield hdu.error("PIXLISTS", shown(said), "as 'TABLE;ATTRIBUTE'", advice, rule)
        return
    for one in named:
        if _is_external(one.table) or not file.complete:
            continue
        if one.table not in file.by_name:
            advice = "name an extension of this file"
            yield hdu.error("PIXLISTS", shown(one.table), "the EXTNAME of a table of this file", advice, rule)
            continue
        wanted = {f"DIMENSION{axis}" for axis in range(1, len(hdu.shape) + 1)} | set(one.names)
        for name in sorted(wanted - file.columns(one.table)):
            advice = "a list has one column for each axis of the data, and one for each attribute"
            yield hdu.error("PIXLISTS", f"{one.table} has no column {name}", "that column", advice, rule)


def _is_external(table: str) -> bool:
    return ";" in table or table.startswith(("./", "../"))


def _columns(hdu: Hdu) -> Iterator[Finding]:
    count = min(max(hdu.whole("TFIELDS") or 0, 0), _MOST)
    seen: dict[str, int] = {}
    for number in range(1, count + 1):
        name = hdu.text(f"TTYPE{number}")
        yield from check_unit(hdu, f"TUNIT{number}")
        if name and (first := seen.setdefault(name.upper(), number)) != number:
            found = f"{shown(name)}, as TTYPE{first}"
            advice = "give each column a name of its own"
            yield hdu.warning(f"TTYPE{number}", found, "a name no other column has", advice, "FITS 7.3.2")
        yield from _dimensions(hdu, number)


def _dimensions(hdu: Hdu, number: int) -> Iterator[Finding]:
    form, dims = _FORM.match(hdu.text(f"TFORM{number}")), hdu.text(f"TDIM{number}")
    if form is None or not dims:
        return
    if not re.fullmatch(r"\(\s*\d+(\s*,\s*\d+)*\s*\)", dims) or len(dims) > 200:
        advice = "write the lengths of the axes, the fastest first"
        yield hdu.error(f"TDIM{number}", shown(dims), "as '(4,3)'", advice, "FITS 7.3.2")
        return
    product, room = math.prod(int(one) for one in re.findall(r"\d+", dims)), int(form[1] or 1)
    if product > room:
        found = f"{dims}, {product} values, where TFORM{number} has room for {room}"
        advice = "correct TDIM or TFORM"
        yield hdu.error(f"TDIM{number}", found[:100], f"{room} values at most", advice, "FITS 7.3.2")
