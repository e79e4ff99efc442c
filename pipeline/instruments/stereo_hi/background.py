"""The slowly changing background: mean of the lowest quarter of many days at every pixel.

science.md §1, "Products": the ``br01`` and ``br11`` backgrounds of the
mission's level 2 are this mean over 1 or 11 days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import Fatal
from pipeline.quality import NOT_MEASURED, Quality, flagged
from pipeline.reduction import ReductionKind, StackBlock, register

#: Rows sorted at one time, so that the scratch space stays small beside the partial.
_ROWS = 32


@dataclass(frozen=True)
class Lowest:
    """Partial result: the smallest values seen at every pixel.

    Attributes
    ----------
    values
        float32, shape (k, y, x), in no particular order; +inf where fewer than k were seen.
    seen
        Values seen at every pixel, int32, shape (y, x).
    """

    values: NDArray[np.float32]
    seen: NDArray[np.int32]


@dataclass(frozen=True)
class LowestQuarterMean:
    """Mean of the lowest quarter of the values at every pixel, exact and in any order of blocks.

    The quarter of n measured values is the ⌈n/4⌉ smallest. A partial keeps the
    ⌈frames/4⌉ smallest of every pixel: 99 values for 11 days of HI-1 (396
    frames), 415 MB at 1024²; two partials and some rows of scratch are in
    memory when they are combined.

    Attributes
    ----------
    frames
        Frames the whole reduction will see; more of them are refused.
    """

    frames: int

    def map(self, block: StackBlock) -> Lowest:
        """The smallest values of a block; what is no measurement or doubtful is left out."""
        bad = flagged(block.quality, NOT_MEASURED | Quality.LOW_CONFIDENCE) | ~np.isfinite(block.image)
        values = np.where(bad, np.float32(np.inf), block.image)
        seen = np.count_nonzero(~bad, axis=0).astype(np.int32)
        return Lowest(self._smallest([values]), seen)

    def combine(self, first: Lowest, second: Lowest) -> Lowest:
        """The smallest values of both."""
        seen = first.seen + second.seen
        if seen.max(initial=0) > self.frames:
            raise Fatal(
                f"the background was announced for {self.frames} frames and got more; "
                "its lowest quarter would not be exact"
            )
        return Lowest(self._smallest([first.values, second.values]), seen)

    def finish(self, partial: Lowest) -> NDArray[np.float32]:
        """The mean of the lowest quarter; NaN where nothing was measured."""
        wanted = -(-partial.seen // 4)
        result = np.full(partial.seen.shape, np.nan, dtype=np.float32)
        for rows in _slabs(partial.seen.shape[0]):
            # Sorted before they are added, so that the sum does not depend on who came first.
            ordered = np.sort(partial.values[:, rows], axis=0).astype(np.float64)
            counted = np.arange(ordered.shape[0])[:, None, None] < wanted[rows]
            total = np.where(counted, ordered, 0.0).sum(axis=0)
            np.divide(total, wanted[rows], out=result[rows], where=wanted[rows] > 0, casting="same_kind")
        return result

    def _smallest(self, parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        keep = max(-(-self.frames // 4), 1)
        depth = sum(part.shape[0] for part in parts)
        shape = parts[0].shape[1:]
        result = np.empty((min(keep, depth), *shape), dtype=np.float32)
        for rows in _slabs(shape[0]):
            stacked = np.concatenate([part[:, rows] for part in parts])
            if depth > keep:
                stacked.partition(keep - 1, axis=0)
            result[:, rows] = stacked[:keep]
        return result


def reference_file(values: NDArray[np.float32], unit: str, days: int, frames: int) -> fits.HDUList:
    """The background as a FITS file that `subtract_background` reads.

    Parameters
    ----------
    values
        Shape (y, x), in `unit`.
    unit
        BUNIT of the frames it was made from.
    days, frames
        What it was made from, for the header.
    """
    header = fits.Header()
    header["BUNIT"] = (unit, "unit of the background")
    header["BKGDAYS"] = (days, "[d] span of the frames")
    header["BKGNUM"] = (frames, "frames used")
    header["BKGTYPE"] = (f"br{days:02d}", "mean of the lowest quarter at every pixel")
    return fits.HDUList([fits.PrimaryHDU(np.asarray(values, dtype=np.float32), header)])


def _slabs(rows: int) -> list[slice]:
    return [slice(first, min(first + _ROWS, rows)) for first in range(0, rows, _ROWS)]


BACKGROUND = register(
    ReductionKind(
        name="background",
        instrument="stereo_hi",
        level="1",
        need="background",
        alike=("detector", "spacecraft", "type"),
        prepare=LowestQuarterMean,
        write=reference_file,
        summary="mean of the lowest quarter of all frames at every pixel",
    )
)
