"""Tables of the mission: Sun's centre and roll, errors of the clock, centres of the optics (kis_lasco.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.instrument import parse_date
from pipeline.instruments.soho_lasco.calibration_file import SIMULATED, saved, text_of
from pipeline.instruments.soho_lasco.facts import mjd_of
from pipeline.instruments.soho_lasco.tables import Detector, word

#: Seconds that the tables' times are ahead of TAI (adjust_hdr_tcr.pro).
_AHEAD: Final = 32.184
_TAI_ZERO: Final = datetime(1958, 1, 1, tzinfo=UTC)
#: Days from which TAI - UTC is so many seconds (IERS Bulletin C); the mission began in 1995.
_LEAPS: Final = (
    *((datetime(1994, 7, 1, tzinfo=UTC), 29), (datetime(1996, 1, 1, tzinfo=UTC), 30)),
    *((datetime(1997, 7, 1, tzinfo=UTC), 31), (datetime(1999, 1, 1, tzinfo=UTC), 32)),
    *((datetime(2006, 1, 1, tzinfo=UTC), 33), (datetime(2009, 1, 1, tzinfo=UTC), 34)),
    *((datetime(2012, 7, 1, tzinfo=UTC), 35), (datetime(2015, 7, 1, tzinfo=UTC), 36)),
    (datetime(2017, 1, 1, tzinfo=UTC), 37),
)


@dataclass(frozen=True)
class SunTable:
    """Sun's centre and roll, running medians of star positions.

    Attributes
    ----------
    tai
        Seconds since 1958-01-01 TAI, and 32.184; ascending.
    x, y
        Centre in CCD pixels counted from 0.
    roll
        Degrees.
    """

    tai: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    roll: NDArray[np.float64]
    simulated: bool

    def at(self, moment: datetime) -> tuple[float, float, float]:
        """Centre and roll: linear between the times, those of the first or the last one beyond them.

        In the very second of a time those of that time.
        """
        tai = tai_of(moment)
        place = int(np.searchsorted(self.tai, tai, side="right")) - 1
        if place >= 0 and int(self.tai[place]) == int(tai):
            tai = float(self.tai[place])
        return (
            float(np.interp(tai, self.tai, self.x)),
            float(np.interp(tai, self.tai, self.y)),
            float(np.interp(tai, self.tai, self.roll)),
        )

    def medians(self) -> tuple[float, float, float]:
        """Medians of the whole table; of rolls only those that are not turned by 180 degrees."""
        upright = np.abs(self.roll) < 90.0
        rolls = self.roll[upright] if upright.any() else self.roll
        return float(np.median(self.x)), float(np.median(self.y)), float(np.median(rolls))

    @property
    def last(self) -> datetime:
        """Its last moment, UTC."""
        return moment_of(float(self.tai[-1]))


def tai_of(moment: datetime) -> float:
    """A moment as the tables count it."""
    leaps = next((number for begin, number in reversed(_LEAPS) if moment >= begin), _LEAPS[0][1])
    return (moment - _TAI_ZERO).total_seconds() + leaps + _AHEAD


def moment_of(tai: float) -> datetime:
    """The moment, UTC, that the tables count so; the inverse of `tai_of`."""
    rough = _TAI_ZERO + timedelta(seconds=tai - _AHEAD)
    return rough - timedelta(seconds=tai_of(rough) - tai)


def read_sun_table(path: str) -> SunTable:
    """``c2_post_recovery_adj_xyr_medv2.sav`` and its like.

    Raises
    ------
    BadInput
        When the variables are not there, or not of one length.
    """
    variables = saved(path)
    columns = [np.asarray(variables.get(name, ())) for name in ("c_tai", "c_xmed", "c_ymed", "c_rmed")]
    if len({column.size for column in columns}) != 1 or not columns[0].size:
        raise BadInput(
            "the table of the Sun's centre needs c_tai, c_xmed, c_ymed and c_rmed, all of one length",
            file=path,
            found=", ".join(sorted(variables)) or "no variable",
            advice="use {c2,c3}_{pre,post}_recovery_adj_xyr_medv2.sav of the mission",
        )
    tai, x, y, roll = (column.astype(np.float64).ravel() for column in columns)
    return SunTable(tai, x, y, roll, SIMULATED.lower() in variables)


@dataclass(frozen=True)
class LastDay:
    """The last day for which the mission's tables were made."""

    day: datetime
    simulated: bool


def read_last_day(path: str) -> LastDay:
    """``c2_c3_last_post_recovery_day.sav``.

    Raises
    ------
    BadInput
        When it names no day.
    """
    variables = saved(path)
    found = variables.get("last_day", b"")
    text = found.decode("ascii", "replace") if isinstance(found, bytes) else str(found)
    day = parse_date(text)
    if day is None:
        raise BadInput(
            "the file does not say until which day the tables of the Sun's centre hold",
            file=path,
            keyword="last_day",
            found=text or "absent",
            advice="use c2_c3_last_post_recovery_day.sav of the mission",
        )
    return LastDay(day, SIMULATED.lower() in variables)


@dataclass(frozen=True)
class ClockErrors:
    """By how many seconds the clock on board was ahead, at modified Julian dates."""

    mjd: NDArray[np.float64]
    seconds: NDArray[np.float64]
    simulated: bool

    def at(self, moment: datetime) -> float:
        """Seconds to be taken off: linear between the times, those of the ends beyond them."""
        return float(np.interp(mjd_of(moment), self.mjd, self.seconds))


def read_clock_errors(path: str) -> ClockErrors:
    """``c2_time_offsets.dat``: day, millisecond, two columns of how it was found, seconds.

    Raises
    ------
    BadInput
        When no line holds five numbers.
    """
    text, simulated = text_of(path)
    rows = [row for row in (_numbers(line) for line in text.splitlines()) if len(row) == 5]
    if not rows:
        raise BadInput(
            "the file has no line with the error of the clock",
            file=path,
            found=text.split("\n", 1)[0][:60] or "an empty file",
            advice="use c2_time_offsets.dat of the mission",
        )
    table = np.array(sorted(rows), dtype=np.float64)
    return ClockErrors(table[:, 0] + table[:, 1] / 86_400_000.0, table[:, 4], simulated)


def _numbers(line: str) -> list[float]:
    try:
        return [float(cell) for cell in line.split()]
    except ValueError:
        return []


@dataclass(frozen=True)
class OpticalCentre:
    """A centre of the optics, CCD pixels counted from 0, from a day on, maybe for one filter only."""

    since: datetime
    x: float
    y: float
    detector: str = ""
    colour: str = ""


@dataclass(frozen=True)
class OpticalCentres:
    """A list of centres."""

    entries: tuple[OpticalCentre, ...]
    simulated: bool

    def of(self, detector: Detector, colour: str, moment: datetime) -> tuple[float, float] | None:
        """The centre for an exposure, as occltr_cntr.pro chooses it; `None` where the list has none.

        For C2 the latest entry of its filter that had begun; for C3 the entry nearest in time.
        """
        fitting = [one for one in self.entries if one.detector in ("", detector)]
        if detector == "C3":
            near = min(fitting, key=lambda one: abs(one.since - moment), default=None)
            return None if near is None else (near.x, near.y)
        begun = [one for one in fitting if one.since <= moment and one.colour in ("", colour)]
        late = max(begun, key=lambda one: one.since, default=None)
        return None if late is None else (late.x, late.y)


_C3_ENTRY: Final = re.compile(r"\s*(\d{4}[/-]\d\d[/-]\d\d)\s+([\d.]+)\s+([\d.]+)")
_ENTRY: Final = re.compile(
    r"\s*([\d.]+)\s+([\d.]+)\s+(\d{4}[/-]\d\d[/-]\d\d)\b.*?\b(C[123]|EIT)\s+(\S(?:.*\S)?)\s*"
)


def read_optical_centres(path: str) -> OpticalCentres:
    """``occulter_center.dat`` (x, y, day, camera, filter), or ``c3_occltr_cntr.dat`` (day, x, y).

    Raises
    ------
    BadInput
        When no line is one of either.
    """
    text, simulated = text_of(path)
    entries = [one for one in map(_entry, text.splitlines()) if one is not None]
    if not entries:
        raise BadInput(
            "the file has no line with a centre of the optics",
            file=path,
            found=text.split("\n", 1)[0][:60] or "an empty file",
            advice="use occulter_center.dat or c3_occltr_cntr.dat of the mission",
        )
    return OpticalCentres(tuple(entries), simulated)


def _entry(line: str) -> OpticalCentre | None:
    cells: dict[str, Any]
    if match := _C3_ENTRY.match(line):
        cells = {"since": match[1], "x": match[2], "y": match[3]}
    elif match := _ENTRY.fullmatch(line):
        cells = {
            "x": match[1],
            "y": match[2],
            "since": match[3],
            "detector": match[4],
            "colour": word(match[5]),
        }
    else:
        return None
    since = parse_date(cells.pop("since"))
    if since is None:
        return None
    return OpticalCentre(since, float(cells.pop("x")), float(cells.pop("y")), **cells)
