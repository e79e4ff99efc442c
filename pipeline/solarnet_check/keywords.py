"""Single keywords: what must be there, of which type, where, and under which name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.finding import Finding, Grade
from pipeline.solarnet_check.header import Hdu, shown
from pipeline.solarnet_check.kinds import holds
from pipeline.solarnet_check.table import Need, deprecated, named, needs, positions, rule_of
from pipeline.solarnet_check.units import check_unit

_PACKED: Final = (".gz", ".fz", ".Z", ".bz2")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9._+-]+")
_BITS: Final = {8: (0, 255), 16: (-(1 << 15), (1 << 15) - 1), 32: (-(1 << 31), (1 << 31) - 1)}


def check_file(file: FitsFile) -> Iterator[Finding]:
    """What rules about the HDUs of a file together find."""
    names = Counter(hdu.name for hdu in file.hdus if hdu.name and hdu.name != "WCSDVARR")
    for hdu in file.hdus:
        if names[hdu.name] > 1:
            advice = "give each HDU a name of its own"
            found = f"{shown(hdu.name)} in {names[hdu.name]} HDUs"
            yield hdu.error("EXTNAME", found, "a name that no other HDU has", advice, "SOLARNET 2.1")
    if file.complete and not file.observing:
        advice = "write OBS_HDU = 1 into the HDUs that hold observations"
        yield Finding(
            Grade.WARNING,
            None,
            "OBS_HDU",
            "no HDU holds an observation",
            "one HDU with OBS_HDU = 1 at least",
            advice,
            "SOLARNET 2.2",
        )


def check_hdu(hdu: Hdu, file: FitsFile) -> Iterator[Finding]:
    """What rules about single keywords find in one HDU."""
    yield from _cards(hdu)
    yield from _types(hdu)
    yield from _name(hdu)
    yield from _needed(hdu, file)
    yield from _sums(hdu)
    yield from _blank(hdu)
    yield from check_unit(hdu, "BUNIT")
    if hdu.index in file.observing:
        yield from _claims(hdu)
        yield from _exceptions(hdu)
        yield from _position(hdu)
        yield from _origin(hdu)
        yield from _file_name(hdu, file)
        yield from _deprecated(hdu)


def needed_grade(hdu: Hdu, of: str) -> Grade:
    """How grave it is that a keyword is absent: of those who claim to be complete all is asked."""
    if of in ("every", "observations"):
        return Grade.ERROR
    return Grade.ERROR if of == "full" and hdu.claim == 1 else Grade.WARNING


def conflicting(hdu: Hdu) -> tuple[str, ...]:
    """Keywords that mean something else than SOLARNET's, and may be named in SOLNETEX."""
    mandatory = {name for need in needs() if need.of != "wanted" for name in need.names}
    found = []
    for name, value in hdu.values.items():
        rule = rule_of(name)
        if rule is None or value is None or name in mandatory or not rule.source.startswith("SOLARNET"):
            continue
        if not (isinstance(value, str) and not value.strip()) and not rule.allows(value):
            found.append(name)
    return tuple(found)


def _needed(hdu: Hdu, file: FitsFile) -> Iterator[Finding]:
    for need in needs():
        if need.of == "every" or (hdu.index in file.observing and holds(need.when, hdu)):
            yield from _absent(hdu, need)


def _absent(hdu: Hdu, need: Need) -> Iterator[Finding]:
    grade = needed_grade(hdu, need.of)
    for name in need.names:
        # Sums are written last of all: a header on its way to a file has none yet.
        if name in ("DATASUM", "CHECKSUM") and not hdu.sums:
            continue
        if not hdu.says(name):
            found = "without a value" if name in hdu.values else "absent"
            yield hdu.find(grade, name, found, "a value", need.advice, f"{need.source}")


def _cards(hdu: Hdu) -> Iterator[Finding]:
    for name in hdu.odd:
        advice = "write numbers, logicals (T, F) and text in quotes; there is no NaN in headers"
        yield hdu.error(name, "a value that is not FITS", "a value", advice, "FITS 4.2")
    for name in hdu.repeated:
        advice = "leave one of them: readers differ in which they take"
        yield hdu.warning(name, "more than one card", "one card", advice, "FITS 4.1.2")
    short = named("short")
    for name in sorted(hdu.long):
        if short.pattern.fullmatch(name):
            advice = "shorten it: reserved keywords are not continued"
            found = f"{len(str(hdu.get(name)))} characters"
            yield hdu.error(name, found, "68 characters at most", advice, short.source)


def _types(hdu: Hdu) -> Iterator[Finding]:
    ignored = hdu.excepted
    for name, value in hdu.values.items():
        if value is None or name in ignored:
            continue
        rule = rule_of(name)
        if rule is None or rule.allows(value) or (value == "" and rule.kind != "text"):
            continue
        if isinstance(value, str) and not value.strip() and rule.kind == "text":
            continue
        advice = "correct the value"
        if not rule.source.startswith("FITS"):
            advice += "; if another definition must stay, name the keyword in SOLNETEX"
        yield hdu.error(name, shown(value), rule.expected(), advice, rule.source)


def _name(hdu: Hdu) -> Iterator[Finding]:
    value = hdu.get("EXTNAME")
    if not isinstance(value, str) or not value.strip():
        return
    if re.search("[,;]", value):
        advice = "these divide lists of names"
        yield hdu.error("EXTNAME", shown(value), "a name without comma and semicolon", advice, "SOLARNET 2.1")
    if value.startswith(" "):
        advice = "take the blank away"
        yield hdu.error(
            "EXTNAME", shown(value), "a name that does not begin with a blank", advice, "SOLARNET 2.1"
        )


def _sums(hdu: Hdu) -> Iterator[Finding]:
    for name, state in hdu.sums.items():
        if state == "wrong":
            advice = (
                "fetch the file again; if its source has the same bytes, the sum must be written anew there"
            )
            yield hdu.error(
                name, "another sum than that of the bytes", "the sum of the bytes", advice, "FITS 4.4.2.7"
            )


def _blank(hdu: Hdu) -> Iterator[Finding]:
    bits, blank = hdu.whole("BITPIX"), hdu.get("BLANK")
    if blank is None or bits is None or not hdu.shape:
        return
    if bits < 0:
        advice = "take BLANK away; in floating-point data NaN says that a value is missing"
        yield hdu.error("BLANK", f"{shown(blank)} on floating-point data", "no BLANK", advice, "FITS 4.4.2.5")
    elif isinstance(blank, int) and bits in _BITS and not _BITS[bits][0] <= blank <= _BITS[bits][1]:
        low, high = _BITS[bits]
        advice = "BLANK is the stored number, before BSCALE and BZERO"
        yield hdu.warning("BLANK", shown(blank), f"a number from {low} to {high}", advice, "FITS 4.4.2.5")


def _claims(hdu: Hdu) -> Iterator[Finding]:
    claim, said = hdu.number("SOLARNET"), hdu.whole("OBS_HDU")
    if said in (1, 2) and claim in (0, -1):
        advice = "write 1 where all mandatory keywords are there, else 0.5"
        yield hdu.error(
            "SOLARNET", shown(hdu.get("SOLARNET")), "1 or 0.5 beside OBS_HDU = 1", advice, "SOLARNET 2.2"
        )
    if claim in (1, 0.5) and said == 0:
        advice = "write OBS_HDU = 1, or SOLARNET = -1 into an HDU without observations"
        yield hdu.error("OBS_HDU", "0", "1 beside SOLARNET = 1 or 0.5", advice, "SOLARNET 2.2")


def _exceptions(hdu: Hdu) -> Iterator[Finding]:
    mandatory = {name for need in needs() if need.of != "wanted" for name in need.names}
    for name in sorted(hdu.excepted):
        rule = rule_of(name)
        if name in mandatory or (rule is not None and rule.source.startswith("FITS")):
            advice = "give the other definition a keyword of its own"
            expected = "no mandatory keyword, and none of the FITS standard"
            yield hdu.error("SOLNETEX", name, expected, advice, "SOLARNET 16")


def _position(hdu: Hdu) -> Iterator[Finding]:
    sets = positions()
    if any(all(hdu.says(name) for name in one) for one in sets):
        return
    begun = next((one for one in sets if any(hdu.says(name) for name in one)), None)
    lacking = [name for name in begun or sets[-1] if not hdu.says(name)]
    grade = needed_grade(hdu, "full")
    found = f"{', '.join(lacking)} absent" if begun else "the observer's position is absent"
    expected = " or ".join("/".join(one) for one in sets)
    advice = "write the set that fits: on the ground, in orbit about the Earth, or elsewhere"
    yield hdu.find(grade, lacking[0], found, expected, advice, "SOLARNET 15.3")


def _origin(hdu: Hdu) -> Iterator[Finding]:
    origin = named("origin")
    if not any(hdu.says(name) for name in origin.names):
        expected = "one of " + ", ".join(origin.names)
        advice = "name what made the observation, as far as it has names"
        grade = needed_grade(hdu, "full")
        yield hdu.find(grade, "TELESCOP", "the origin is absent", expected, advice, origin.source)


def _file_name(hdu: Hdu, file: FitsFile) -> Iterator[Finding]:
    said = hdu.text("FILENAME")
    if not said:
        return
    if not _FILE_NAME.fullmatch(said):
        advice = "use letters, digits, period, underscore, plus and minus, and no folders"
        yield hdu.note("FILENAME", shown(said), "a plain name", advice, "SOLARNET appendix V-a")
    if file.name and _unpacked(said) != _unpacked(file.name):
        advice = f"the file is called {file.name}: name it as its header says, or the other way round"
        yield hdu.note("FILENAME", shown(said), shown(file.name), advice, "SOLARNET appendix V-a")


def _unpacked(name: str) -> str:
    packed = next((end for end in _PACKED if name.endswith(end)), "")
    return name[: len(name) - len(packed)]


def _deprecated(hdu: Hdu) -> Iterator[Finding]:
    for row in deprecated():
        if any(hdu.says(name) for name in row.fine_with):
            continue
        old = next((name for name in hdu.values if row.pattern.fullmatch(name)), None)
        if old is not None and hdu.says(old):
            advice = f"write {row.instead}"
            yield hdu.note(old, shown(hdu.get(old)), row.instead, advice, row.source)
