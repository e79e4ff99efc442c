"""Calibration files that instruments' descriptions know: what each is, and which frames it is for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pipeline.errors import BadInput
from pipeline.instrument import Instrument, ReferenceRule, parse_date
from pipeline.registry import instruments

_BEGINNING: Final = 4096
"""Bytes of a file that are looked at."""


@dataclass(frozen=True)
class KnownReference:
    """A calibration file and what its instrument's description says of it.

    Attributes
    ----------
    path
        The file.
    instrument, need
        What it is for.
    source
        Where such files come from.
    valid_from, valid_until
        Times of observation it is for; `None` leaves that side open.
    selectors
        What a frame must have.
    order
        Which of several files of one kind counts: the greatest.
    simulated
        Whether its name says that it was made from a model.
    """

    path: Path
    instrument: str
    need: str
    source: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    selectors: dict[str, Any] = field(default_factory=dict)
    order: int = 0
    simulated: bool = False


def recognise_reference(path: Path) -> KnownReference | None:
    """What a calibration file is, by its name and its beginning; `None` when no instrument knows it.

    Raises
    ------
    BadInput
        When its name is that of a known kind but its content is not, or it cannot be read.
    """
    for entry in instruments().values():
        for rule in entry.references:
            match = re.fullmatch(rule.name, path.name)
            if match:
                _check_content(path, rule, entry)
                return _described(path, rule, entry, match)
    return None


class _Word(str):
    """A text that a template may write in lower case: ``{word:lower}``."""

    __slots__ = ()

    def __format__(self, how: str) -> str:
        return self.lower() if how == "lower" else super().__format__(how)


def _described(path: Path, rule: ReferenceRule, entry: Instrument, match: re.Match[str]) -> KnownReference:
    words = {name: _Word(value) for name, value in match.groupdict().items() if value is not None}
    begin = parse_date(rule.valid_from.format(**words)) if rule.valid_from else None
    end = begin + timedelta(days=rule.valid_days) if begin and rule.valid_days else None
    selectors = {
        name: wanted.format(**words) if isinstance(wanted, str) else [one.format(**words) for one in wanted]
        for name, wanted in rule.selectors.items()
    }
    order = int(words.get("order", "0"))
    simulated = "simulated" in words
    return KnownReference(path, entry.name, rule.need, rule.source, begin, end, selectors, order, simulated)


def _check_content(path: Path, rule: ReferenceRule, entry: Instrument) -> None:
    try:
        with path.open("rb") as stream:
            beginning = stream.read(_BEGINNING).decode("latin-1")
    except OSError as error:
        raise BadInput(
            f"the calibration file cannot be read: {error.strerror}",
            file=str(path),
            advice="check that it exists and may be read",
        ) from error
    if rule.contains and not re.search(rule.contains, beginning):
        raise BadInput(
            f"the file is named like the {rule.need} of {entry.title} and is something else",
            file=str(path),
            keyword="first line",
            found=beginning.split("\n", 1)[0][:60] or "an empty file",
            advice=f"fetch it again ({rule.source})",
        )
