"""What a level-0.5 header says of how its image was taken, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import header_text, parse_date
from pipeline.instruments.soho_lasco import tables

#: Day 0 of the modified Julian date.
_MJD_ZERO: Final = datetime(1858, 11, 17, tzinfo=UTC)
_SECONDS: Final = 86400.0
#: By which part of itself the window in the header may differ from the image's.
_CARELESS: Final = 0.1
#: Day that the mission's programs take where a header has none (reduce_std_size.pro).
_NO_DAY: Final = 50083


@dataclass(frozen=True)
class Readout:
    """Which part of the CCD an image shows, and how its pixels were added up.

    Attributes
    ----------
    detector
        C2 or C3.
    chip
        CCD pixels added up along x and y while the CCD was read out.
    leb
        Pixels added up along x and y by the computer on board.
    first
        Column and row of the full image, counted from 0, of the first CCD pixel.
    shape
        Of the image, (y, x).
    """

    detector: tables.Detector
    chip: tuple[int, int]
    leb: tuple[int, int]
    first: tuple[int, int]
    shape: tuple[int, int]

    @property
    def summing(self) -> tuple[int, int]:
        """CCD pixels along x and y of a pixel of the image."""
        return self.chip[0] * self.leb[0], self.chip[1] * self.leb[1]

    @property
    def summed(self) -> int:
        """CCD pixels of a pixel of the image."""
        return self.summing[0] * self.summing[1]

    def in_full(self, x: float, y: float) -> tuple[float, float]:
        """A place of the full CCD image, counted from 0, in pixels of this image counted from 0.

        A mean of pixels 0 and 1 has its centre between them, which the mission's programs do not regard: they
        divide by the summing, and so does this, for the tables of centres were made that way.
        """
        return (x - self.first[0]) / self.summing[0], (y - self.first[1]) / self.summing[1]

    def fitted(self, full: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """A calibration image of the whole CCD on the pixels of this one; `None` where it does not fit.

        As c2_calibrate.pro does it: ``[r1col-20:r2col-20, r1row-1:r2row-1]``, then `rebin`.
        """
        across, up = self.summing
        ny, nx = self.shape
        cut = full[self.first[1] : self.first[1] + ny * up, self.first[0] : self.first[0] + nx * across]
        if cut.shape != (ny * up, nx * across):
            return None
        if across == up == 1:
            return cut
        means: NDArray[np.float64] = cut.reshape(ny, up, nx, across).mean(axis=(1, 3), dtype=np.float64)
        return means.astype(np.float32)


def detector(frame: Frame) -> tables.Detector:
    """The camera.

    Raises
    ------
    BadInput
        For C1, whose calibration the mission never wrote, and for what is none of the cameras.
    """
    found = frame.keyword("DETECTOR", str)
    if found in ("C2", "C3"):
        return cast("tables.Detector", found)
    raise BadInput(
        "images of C1 cannot be calibrated: the mission has no level 1 of them"
        if found == "C1"
        else "DETECTOR names no camera of LASCO",
        file=frame.source,
        keyword="DETECTOR",
        found=found,
        advice="leave the file out of this recipe",
    )


def readout(frame: Frame) -> Readout:
    """How an image was read out.

    Raises
    ------
    BadInput
        When the cards contradict the image's size.
    """
    counts = {
        name: frame.keyword(name, int, default=1) for name in ("SUMCOL", "SUMROW", "LEBXSUM", "LEBYSUM")
    }
    across, up = max(counts["SUMCOL"], 1), max(counts["SUMROW"], 1)
    leb = max(counts["LEBXSUM"], 1), max(counts["LEBYSUM"], 1)
    column = frame.keyword("R1COL", int, default=tables.FIRST_COLUMN)
    row = frame.keyword("R1ROW", int, default=tables.FIRST_ROW)
    first = column - tables.FIRST_COLUMN, row - tables.FIRST_ROW
    ny, nx = frame.data.shape
    found = Readout(detector(frame), (across, up), leb, first, (ny, nx))
    last = first[0] + nx * found.summing[0], first[1] + ny * found.summing[1]
    # Summing decides on bias and brightness: where the window says otherwise one of the two is wrong.
    said = tuple(
        frame.keyword(name, int, default=begin + size - 1) - begin + 1
        for name, begin, size in (
            ("R2COL", column, nx * found.summing[0]),
            ("R2ROW", row, ny * found.summing[1]),
        )
    )
    shown = last[0] - first[0], last[1] - first[1]
    contradicted = any(abs(one - other) > _CARELESS * other for one, other in zip(said, shown, strict=True))
    if min(first) < 0 or max(last) > tables.CCD_SIZE or contradicted:
        raise BadInput(
            "the image does not lie on the light-sensitive part of the CCD as its header says it does",
            file=frame.source,
            keyword="R1COL, R2COL, R1ROW, R2ROW, SUMCOL, SUMROW, LEBXSUM, LEBYSUM, NAXIS1, NAXIS2",
            found=f"{nx} × {ny} pixels of {found.summing[0]} × {found.summing[1]} CCD pixels from column "
            f"{first[0]} and row {first[1]} on, in a window of {said[0]} × {said[1]} on a CCD of "
            f"{tables.CCD_SIZE} × {tables.CCD_SIZE}",
            advice="correct the header, or leave the file out",
        )
    return found


def day(header: fits.Header) -> int:
    """Modified Julian day of the beginning of the exposure (what c2_calfactor.pro takes)."""
    begin = begin_of(header)
    return _NO_DAY if begin is None else (begin - _MJD_ZERO).days


def middle_day(frame: Frame) -> int:
    """Modified Julian day of the middle of the exposure: MID_DATE, else that of its beginning.

    Bias and exposure factor rest on it, and polynomials of the day run away outside the mission.

    Raises
    ------
    BadInput
        When MID_DATE and MID_TIME are not within a day of the beginning.
    """
    number = frame.keyword("MID_DATE", float, default=0.0)
    if number <= 0:
        return day(frame.header)
    seconds = frame.keyword("MID_TIME", float, default=0.0)
    begin = begin_of(frame.header)
    expected = float(_NO_DAY) if begin is None else mjd_of(begin)
    if not (0 <= seconds <= _SECONDS and abs(number + seconds / _SECONDS - expected) <= 1.0):
        raise BadInput(
            "the middle of the exposure is not on the day of its beginning",
            file=frame.source,
            keyword="MID_DATE, MID_TIME",
            found=f"{number:.10g}, {seconds:.10g}; DATE-OBS is MJD {expected:.3f}",
            advice="correct MID_DATE (modified Julian day) and MID_TIME (seconds), or DATE-OBS",
        )
    return int(number)


def begin_of(header: fits.Header) -> datetime | None:
    """When the exposure began, as the header says; `None` where it says nothing that is a date."""
    time = header_text(header, "TIME-OBS")
    for name in ("DATE-OBS", "DATE_OBS", "DATE"):
        text = header_text(header, name)
        if text and (found := parse_date(text, time if name == "DATE-OBS" else "")):
            return found
    return None


def date_of(mjd: int) -> datetime:
    """Midnight of a modified Julian day."""
    return _MJD_ZERO + timedelta(days=mjd)


def mjd_of(moment: datetime) -> float:
    """Modified Julian date of a moment."""
    return (moment - _MJD_ZERO) / timedelta(days=1)


def colour(frame: Frame) -> str:
    """Position of the filter wheel, as the tables have it."""
    return tables.word(frame.keyword("FILTER", str))


def polariser(frame: Frame) -> str:
    """Position of the polariser wheel, as the tables have it; names of files are wrong at times."""
    return tables.word(frame.keyword("POLAR", str))


def is_flipped(header: fits.Header) -> bool:
    """Whether the spacecraft flew turned by 180 degrees when the image was taken."""
    roll = header.get("CROTA1", header.get("CROTA", 0.0))
    return isinstance(roll, (int, float)) and abs(roll) > 170.0


def history(header: fits.Header, sentence: str) -> None:
    """Add a line of history as the mission's programs do: blanks collapsed, one in front."""
    header.add_history(" " + " ".join(sentence.split()))
