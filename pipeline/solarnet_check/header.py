"""A header as the rules see it: plain values by keyword, whatever a file makes of its cards."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from astropy.io import fits

from pipeline.solarnet_check.finding import Finding, Grade

Value = str | int | float | complex | bool | None

#: FITS standard 4.0, section 9.1.1; a leap second is a second 60, and no zone follows.
_STAMP: Final = re.compile(r"([+-]\d{5}|\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(\.\d*)?)?", re.ASCII)
_LEAP: Final = 60
_COMMENTARY: Final = ("COMMENT", "HISTORY", "", "CONTINUE", "END")
_MOST_SHOWN: Final = 80


@dataclass(frozen=True)
class Hdu:
    """One HDU: its cards as plain values, and what is known of its data.

    Attributes
    ----------
    index
        Number in the file, 0 is the primary.
    values
        Values by keyword; of a keyword that stands twice the first. `None` where a card has no value.
    shape
        Of an image, slowest axis first; empty where there is none.
    kind
        ``image`` or ``table``; empty for others.
    long
        Keywords whose text goes on in CONTINUE cards.
    repeated
        Keywords that stand more than once.
    odd
        Cards whose value is not FITS.
    sums
        State of DATASUM and CHECKSUM (``absent``, ``valid``, ``wrong``); empty where nobody looked.
    """

    index: int
    values: Mapping[str, Value]
    shape: tuple[int, ...] = ()
    kind: str = "image"
    long: frozenset[str] = frozenset()
    repeated: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    sums: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        header: fits.Header,
        *,
        index: int = 0,
        shape: tuple[int, ...] = (),
        kind: str = "image",
        sums: Mapping[str, str] | None = None,
    ) -> Hdu:
        """The HDU of a header whose every card may be hostile."""
        values: dict[str, Value] = {}
        repeated, odd, long = [], [], set()
        for position, card in enumerate(header.cards):
            try:
                keyword, value = card.keyword.upper(), card.value
            except (fits.VerifyError, ValueError, AttributeError):
                odd.append(_name_of(card, position))
                continue
            if keyword in _COMMENTARY:
                continue
            if keyword in values:
                repeated.append(keyword)
                continue
            values[keyword] = _plain(value)
            if isinstance(value, str) and len(value) > fits.Card.length - len("KEYWORD1= ''"):
                long.add(keyword)
        return cls(
            index,
            values,
            shape,
            kind,
            frozenset(long),
            tuple(dict.fromkeys(repeated)),
            tuple(odd),
            dict(sums or {}),
        )

    @property
    def excepted(self) -> frozenset[str]:
        """Keywords that it says are not SOLARNET's (``SOLNETEX``)."""
        return frozenset(name.strip().upper() for name in self.text("SOLNETEX").split(",") if name.strip())

    def without_exceptions(self) -> Hdu:
        """The same without the cards that it says are not SOLARNET's."""
        gone = self.excepted
        if not gone:
            return self
        return replace(self, values={name: value for name, value in self.values.items() if name not in gone})

    def get(self, keyword: str) -> Value:
        """The value of a card; `None` where there is none, or it says nothing."""
        return self.values.get(keyword)

    def says(self, keyword: str) -> bool:
        """Whether a card is there and says something; an empty BUNIT says: a pure number."""
        value = self.values.get(keyword)
        return value is not None and (keyword == "BUNIT" or not isinstance(value, str) or bool(value.strip()))

    def number(self, keyword: str) -> float | None:
        """The value as a finite number; `None` where it is none."""
        value = self.values.get(keyword)
        return float(value) if is_number(value) and math.isfinite(value) else None  # type: ignore[arg-type]

    def whole(self, keyword: str) -> int | None:
        """The value as a whole number; `None` where it is none."""
        value = self.values.get(keyword)
        return value if is_whole(value) else None  # type: ignore[return-value]

    def text(self, keyword: str) -> str:
        """The value as text without blanks around it; empty where it is none."""
        value = self.values.get(keyword)
        return value.strip() if isinstance(value, str) else ""

    def moment(self, keyword: str) -> datetime | None:
        """The value as a moment; `None` where it is none of FITS."""
        return moment(self.values.get(keyword))

    @property
    def name(self) -> str:
        """Its EXTNAME."""
        return self.text("EXTNAME")

    @property
    def claim(self) -> float:
        """What SOLARNET says: 1, 0.5, -1; 0 where it says nothing."""
        return self.number("SOLARNET") or 0.0

    @property
    def observes(self) -> bool:
        """Whether it says that it holds observations."""
        return self.get("OBS_HDU") in (1, 2)

    def find(
        self, grade: Grade, keyword: str, found: object, expected: str, advice: str, rule: str
    ) -> Finding:
        """A finding of this HDU."""
        return Finding(grade, self.index, keyword, str(found), expected, advice, rule)

    def error(self, keyword: str, found: object, expected: str, advice: str, rule: str) -> Finding:
        """A rule that is broken."""
        return self.find(Grade.ERROR, keyword, found, expected, advice, rule)

    def warning(self, keyword: str, found: object, expected: str, advice: str, rule: str) -> Finding:
        """Something missed or doubtful."""
        return self.find(Grade.WARNING, keyword, found, expected, advice, rule)

    def note(self, keyword: str, found: object, expected: str, advice: str, rule: str) -> Finding:
        """Something that may stay."""
        return self.find(Grade.NOTE, keyword, found, expected, advice, rule)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether a value is a real number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def moment(value: object) -> datetime | None:
    """A FITS date; `None` for what is none. A leap second is counted as the second behind it."""
    match = _STAMP.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    leap = second == _LEAP
    try:
        whole = datetime(year, month, day, hour, minute, second - leap)  # noqa: DTZ001 -- the header's own scale
        return whole + timedelta(seconds=leap + float(f"0{match[7] or '.0'}0"))
    except (ValueError, OverflowError):
        return None


def shown(value: object) -> str:
    """A value as it is told in a finding: short, and text in quotes."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


def _plain(value: Any) -> Value:
    if isinstance(value, fits.card.Undefined) or value is None:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (str, bool, int, float, complex)) else str(value)


def _name_of(card: fits.Card, position: int) -> str:
    try:
        name = str(card.keyword)
    except (fits.VerifyError, ValueError, AttributeError):
        name = ""
    return name if re.fullmatch(r"[A-Z0-9_-]{1,8}", name) else f"card {position + 1}"
