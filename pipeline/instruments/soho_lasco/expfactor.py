"""The mission's daily files of exposure corrections: c2_expfactor_YYMMDD.dat (kis_lasco.md §1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pipeline.errors import BadInput
from pipeline.instruments.soho_lasco.calibration_file import text_of
from pipeline.instruments.soho_lasco.facts import date_of, mjd_of

#: Columns a12,f10.6,f10.1,2x,a6,2x,f10.2,2x,a12,a12,a9,i4,e10.2. Copies differ in the blanks between them, so
#: that the numbers before and behind the words are looked for, not counted.
_LINE: Final = re.compile(
    r"(?P<file>\S+)\s+(?P<factor>[\d.]+)\s+(?P<bias>[\d.]+)\s+(?P<day>\d{6})\s+(?P<second>[\d.]+)\s+"
    r"(?P<words>.*?)\s*(?P<regions>-?\d+)\s*(?P<sigma>\d\.\d+E[+-]\d+)\s*"
)
#: Seconds by which the middle of an exposure may be off, exclusive (GET_EXP_FACTOR).
_TOLERANCE: Final = 0.1
#: Numbers of regions that say no correction was found.
_NOTHING_FOUND: Final = (0, 97)
#: Two digits of a year from here on are of the nineties.
_PIVOT: Final = 90


@dataclass(frozen=True)
class Correction:
    """One line: what the exposure time is to be multiplied by, and the bias of the image.

    Attributes
    ----------
    mjd, second
        Middle of the exposure: modified Julian day, and seconds of it.
    regions, sigma
        How many regions of the image the factor was found in, and how far they scatter.
    """

    file: str
    factor: float
    bias: float
    mjd: int
    second: float
    regions: int
    sigma: float

    @property
    def is_corrected(self) -> bool:
        """Whether a factor was found at all."""
        return self.regions not in _NOTHING_FOUND


@dataclass(frozen=True)
class Corrections:
    """All lines of a day's file."""

    lines: tuple[Correction, ...]
    simulated: bool

    def of(self, mjd: int, second: float) -> Correction | None:
        """The line of an exposure, the first whose middle is within 0.1 s; `None` where there is none."""
        return next(
            (one for one in self.lines if one.mjd == mjd and abs(one.second - second) < _TOLERANCE), None
        )


def read_corrections(path: str) -> Corrections:
    """A day's file; of lines for the same time the later one counts, in the place of the earlier.

    Raises
    ------
    BadInput
        When no line of it is one of such a file.
    """
    text, simulated = text_of(path)
    lines: dict[tuple[int, float], Correction] = {}
    for match in filter(None, map(_LINE.fullmatch, text.splitlines())):
        one = _correction(match)
        lines[(one.mjd, one.second)] = one
    if not lines:
        raise BadInput(
            "the file has no line of an exposure correction",
            file=path,
            found=text.split("\n", 1)[0][:60] or "an empty file",
            advice="fetch it again; the mission's server sends a page for files that it lacks",
        )
    return Corrections(tuple(lines.values()), simulated)


def _correction(match: re.Match[str]) -> Correction:
    year, month, day = (int(match["day"][place : place + 2]) for place in (0, 2, 4))
    date = datetime((1900 if year >= _PIVOT else 2000) + year, month, day, tzinfo=UTC)
    return Correction(
        file=match["file"],
        factor=float(match["factor"]),
        bias=float(match["bias"]),
        mjd=int(mjd_of(date)),
        second=float(match["second"]),
        regions=int(match["regions"]),
        sigma=float(match["sigma"]),
    )


def written(lines: Iterable[tuple[Correction, str, str]], note: str = "") -> str:
    """A file as the mission writes it: corrections with filter and polariser, and a note behind them."""
    text = [
        f"{one.file:<12}{one.factor:10.6f}{one.bias:10.1f}  {_day(one.mjd)}  {one.second:10.2f}  "
        f"{colour:<12}{polariser:<12}{0.0:9.3f}{one.regions:4d}{one.sigma:10.2E}"
        for one, colour, polariser in lines
    ]
    return "\n".join([*text, *([note] if note else [])]) + "\n"


def _day(mjd: int) -> str:
    return f"{date_of(mjd):%y%m%d}"
