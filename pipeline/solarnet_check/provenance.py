"""What was done to the data: steps numbered without gaps, each with what belongs to it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from pipeline.solarnet_check.file import FitsFile
from pipeline.solarnet_check.finding import Finding
from pipeline.solarnet_check.header import Hdu, is_number, shown
from pipeline.solarnet_check.table import named

_CARD: Final = re.compile(r"PR(STEP|PROC|PVER|MODE|PARA|REF|LOG|ENV|LIB|VER|HSH|BRA)([1-9]\d*)([A-Z]?)")
_LIBRARY: Final = ("LIB", "VER", "HSH", "BRA")
_NUMBERED: Final = re.compile(r"\d+(\.\d+)*.*")
_SEPARATIONS: Final = 5
#: Characters of a parameter list that are read as JSON.
_MOST_PARAMETERS: Final = 100_000


def check(hdu: Hdu, file: FitsFile) -> Iterator[Finding]:
    """What rules about provenance find in one HDU."""
    cards: dict[int, dict[str, str]] = defaultdict(dict)
    for name in hdu.values:
        if (match := _CARD.fullmatch(name)) and hdu.says(name):
            cards[int(match[2])][match[1] + match[3]] = name
    yield from _numbers(hdu, cards)
    for number in sorted(cards):
        yield from _step(hdu, number, cards[number])
        yield from _libraries(hdu, number, cards[number])
        yield from _parameters(hdu, number, file)
    yield from _separations(hdu)
    yield from _parents(hdu)


def _numbers(hdu: Hdu, cards: dict[int, dict[str, str]]) -> Iterator[Finding]:
    if not cards:
        return
    absent = [number for number in range(1, min(max(cards), len(cards) + 1) + 1) if number not in cards]
    if absent:
        found = f"no step {absent[0]} before step {max(cards)}"
        advice = "number the steps in the order in which they were done, without gaps"
        yield hdu.error(
            f"PRSTEP{absent[0]}", found, "steps numbered from 1 without gaps", advice, "SOLARNET 8.1"
        )


def _step(hdu: Hdu, number: int, cards: dict[str, str]) -> Iterator[Finding]:
    if "STEP" not in cards:
        name = next(iter(cards.values()))
        advice = f"say in PRSTEP{number} what was done"
        yield hdu.error(
            f"PRSTEP{number}", f"absent beside {name}", "the nature of the step", advice, "SOLARNET 8.2"
        )
        return
    steps = named("steps")
    for word in hdu.text(cards["STEP"]).split(","):
        if not any(known in word.strip().upper() for known in steps.names):
            advice = "use a word of the list, more exactly where that helps"
            expected = "a word of the recommended list"
            yield hdu.note(cards["STEP"], shown(word.strip()), expected, advice, steps.source)
    if "PVER" in cards and "PROC" not in cards:
        advice = "name the procedure whose version this is"
        yield hdu.warning(
            f"PRPROC{number}", f"absent beside {cards['PVER']}", "a procedure", advice, "SOLARNET 8.2"
        )
    if "PVER" in cards:
        yield from _version(hdu, cards["PVER"])


def _version(hdu: Hdu, name: str) -> Iterator[Finding]:
    """Versions rise with maturity: numbers do, and texts that begin with one."""
    value = hdu.get(name)
    if not is_number(value) and not (isinstance(value, str) and _NUMBERED.fullmatch(value.strip())):
        advice = "count versions, or take the Modified Julian Date of the last change"
        yield hdu.warning(name, shown(value), "a number that rises", advice, "SOLARNET 8.2")


def _libraries(hdu: Hdu, number: int, cards: dict[str, str]) -> Iterator[Finding]:
    letters = {kind[3:] for kind in cards if kind[:3] in _LIBRARY and kind not in ("LOG", "ENV")}
    for letter in sorted(letters):
        if f"LIB{letter}" not in cards:
            other = next(cards[kind + letter] for kind in _LIBRARY if kind + letter in cards)
            name = f"PRLIB{number}{letter}"
            advice = f"name the library that {other} is of"
            yield hdu.error(name, f"absent beside {other}", "a library", advice, "SOLARNET 8.2")
        elif f"VER{letter}" not in cards and f"HSH{letter}" not in cards:
            name = f"PRVER{number}{letter}"
            advice = "say which version of it was used"
            yield hdu.note(
                name, f"absent beside {cards[f'LIB{letter}']}", "a version", advice, "SOLARNET 8.2"
            )
        if f"VER{letter}" in cards:
            yield from _version(hdu, cards[f"VER{letter}"])
    lettered = sorted(letters - {""})
    wanted = [chr(ord("A") + place) for place in range(len(lettered))]
    if lettered != wanted:
        found = f"libraries {', '.join(lettered)}"
        advice = "letter the libraries in their order, from A without gaps"
        yield hdu.warning(f"PRLIB{number}{lettered[0]}", found, ", ".join(wanted), advice, "SOLARNET 8.2")


def _parameters(hdu: Hdu, number: int, file: FitsFile) -> Iterator[Finding]:
    name = f"PRPARA{number}"
    text = hdu.text(name)
    if not text or len(text) > _MOST_PARAMETERS:
        return
    if text.startswith("{"):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            advice = "what begins with a brace is read as JSON"
            yield hdu.error(name, shown(text), "valid JSON", advice, "SOLARNET 8.2")
    elif text.startswith("["):
        table = text.strip("[] ")
        if file.complete and table not in file.by_name:
            advice = "what begins with a bracket names the extension with the parameters"
            yield hdu.error(name, shown(text), "the EXTNAME of a table of this file", advice, "SOLARNET 8.2")
    elif not re.match(r"[A-Za-z_$<]", text):
        advice = "write NAME=VALUE pairs with commas between them, JSON or XML"
        yield hdu.warning(name, shown(text), "a list of parameters, JSON or XML", advice, "SOLARNET 8.2")


def _separations(hdu: Hdu) -> Iterator[Finding]:
    there = [number for number in range(1, _SEPARATIONS + 1) if hdu.says(f"SVO_SEP{number}")]
    if there and there != list(range(1, len(there) + 1)):
        advice = "begin with SVO_SEP1, the finest separation"
        found = ", ".join(f"SVO_SEP{number}" for number in there)
        yield hdu.warning(
            f"SVO_SEP{there[0]}", found, "SVO_SEPn numbered from 1 without gaps", advice, "SOLARNET 7.2"
        )


def _parents(hdu: Hdu) -> Iterator[Finding]:
    said = hdu.text("PARENTXT")
    if said and any(not part.strip() for part in said.split(",")):
        advice = "take the comma too many away"
        yield hdu.warning("PARENTXT", shown(said), "names with commas between them", advice, "SOLARNET 8")
