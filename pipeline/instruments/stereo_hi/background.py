"""The slowly changing background: mean of the lowest quarter of many days at every pixel.

science.md §1, "Products": the ``br01`` and ``br11`` backgrounds of the
mission's level 2 are this mean over 1 or 11 days.

Two things are known to be imperfect in that definition. The mean of the
lowest quarter of noisy values lies below their mean, for Gaussian noise by
1.271 σ (see `pipeline.instruments.stereo_hi.quarter`), so that a level 2 made
with it is brighter everywhere by as much; the reference says how much
(BKGBIAS). The reduction ``background_unbiased`` adds it back; it is not the
default because products are compared with the mission's, and because it
takes the scatter of the low end for noise, which a sky that drifts over the
days adds to. And a frame is usually among those its own background was made
of; the reference lists its frames, and `subtract_background` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import Fatal
from pipeline.instruments.stereo_hi.quarter import noise_per_gap
from pipeline.quality import NOT_MEASURED, Quality, flagged
from pipeline.reduction import Origin, Reduced, ReductionKind, StackBlock, register

#: Rows sorted at one time, so that the scratch space stays small beside the partial.
_ROWS: Final = 32
#: A quarter of fewer is less than one frame.
FEWEST: Final = 4
#: A day of HI-2, one image in two hours: the least that the mission's own backgrounds are made of.
FEW: Final = 12


@dataclass(frozen=True)
class Lowest:
    """Partial result: the smallest values seen at every pixel.

    Attributes
    ----------
    values
        float32, shape (k, y, x), in no particular order; +inf where fewer than k were seen.
    seen
        Values seen at every pixel, int32, shape (y, x).
    used
        Names of the frames that had a value anywhere.
    """

    values: NDArray[np.float32]
    seen: NDArray[np.int32]
    used: frozenset[str]


@dataclass(frozen=True)
class LowestQuarterMean:
    """Mean of the lowest quarter of the values at every pixel, exact and in any order of blocks.

    The quarter of n measured values is the ⌈n/4⌉ smallest. A partial keeps the
    ⌈frames/4⌉ + 1 smallest of every pixel: 100 values for 11 days of HI-1 (396
    frames), 419 MB at 1024²; two partials and some rows of scratch are in
    memory when they are combined.

    Attributes
    ----------
    frames
        Frames the whole reduction will see; more of them are refused.
    fewest
        Values below which a pixel has no background.
    unbiased
        Whether the bias of the lowest quarter, estimated for Gaussian noise
        from the gap above it, is added back.
    """

    frames: int
    fewest: int = FEWEST
    unbiased: bool = False

    def map(self, block: StackBlock) -> Lowest:
        """The smallest values of a block; what is no measurement or doubtful is left out."""
        bad = flagged(block.quality, NOT_MEASURED | Quality.LOW_CONFIDENCE) | ~np.isfinite(block.image)
        values = np.where(bad, np.float32(np.inf), block.image)
        seen = np.count_nonzero(~bad, axis=0).astype(np.int32)
        used = frozenset(name for name, plane in zip(block.sources, bad, strict=True) if not plane.all())
        return Lowest(self._smallest([values]), seen, used)

    def combine(self, first: Lowest, second: Lowest) -> Lowest:
        """The smallest values of both.

        Raises
        ------
        Fatal
            When there are more frames than announced, or one comes twice.
        """
        seen = first.seen + second.seen
        if seen.max(initial=0) > self.frames:
            raise Fatal(
                f"the background was announced for {self.frames} frames and got more; "
                "its lowest quarter would not be exact"
            )
        twice = first.used & second.used
        if twice:
            raise Fatal(f"the background got the frame {min(twice)} twice; it would count double")
        return Lowest(self._smallest([first.values, second.values]), seen, first.used | second.used)

    def finish(self, partial: Lowest) -> Reduced:
        """The mean of the lowest quarter; NaN where fewer than `fewest` values were measured."""
        wanted = -(-partial.seen // 4)
        enough = partial.seen >= max(self.fewest, 1)
        shape = partial.seen.shape
        mean, following = np.full(shape, np.nan), np.full(shape, np.nan)
        for rows in _slabs(shape[0]):
            # Sorted before they are added, so that the sum does not depend on who came first.
            ordered = np.sort(partial.values[:, rows], axis=0).astype(np.float64)
            places = np.arange(ordered.shape[0])[:, None, None]
            total = np.where(places < wanted[rows], ordered, 0.0).sum(axis=0)
            np.divide(total, wanted[rows], out=mean[rows], where=enough[rows])
            next_one = np.minimum(wanted[rows], ordered.shape[0] - 1)[None]
            following[rows] = np.take_along_axis(ordered, next_one, axis=0)[0]
        known = enough & (partial.seen >= 2)
        bias = np.where(known, following - mean, np.nan) * noise_per_gap(partial.seen)
        values = np.where(known, mean + bias, mean) if self.unbiased else mean
        return Reduced(values.astype(np.float32), partial.seen, partial.used, self._cards(bias))

    def _cards(self, bias: NDArray[np.float64]) -> dict[str, tuple[Any, str]]:
        found = bias[np.isfinite(bias)]
        cards: dict[str, tuple[Any, str]] = {
            "BKGCORR": (self.unbiased, "whether BKGBIAS was added to the background")
        }
        if found.size:
            median = float(f"{np.median(found):.6g}")
            cards["BKGBIAS"] = (median, "median by which a lowest quarter is too low")
        return cards

    def _smallest(self, parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        keep = max(-(-self.frames // 4), 1) + 1
        depth = sum(part.shape[0] for part in parts)
        shape = parts[0].shape[1:]
        result = np.empty((min(keep, depth), *shape), dtype=np.float32)
        for rows in _slabs(shape[0]):
            stacked = np.concatenate([part[:, rows] for part in parts])
            if depth > keep:
                stacked.partition(keep - 1, axis=0)
            result[:, rows] = stacked[:keep]
        return result


def reference_file(reduced: Reduced, origin: Origin, caveats: Sequence[str] = ()) -> fits.HDUList:
    """The background as a FITS file that `subtract_background` reads.

    Parameters
    ----------
    reduced
        Values, and each pixel's number of frames (extension COUNT).
    origin
        The frames used (extension FRAMES), and their unit.
    caveats
        What a user of the background should know.
    """
    header = fits.Header()
    begin, end = origin.frames[0][1], origin.frames[-1][1]
    header["BUNIT"] = (origin.unit, "unit of the background")
    header["DATE-BEG"] = (fits_date(begin), "begin of the first frame used")
    header["DATE-END"] = (fits_date(end), "begin of the last frame used")
    header["BKGDAYS"] = (origin.days, "[d] span of the frames")
    header["BKGNUM"] = (len(origin.frames), "frames used")
    header["BKGTYPE"] = (f"br{origin.days:02d}", "mean of the lowest quarter at every pixel")
    for name, card in reduced.cards.items():
        header[name] = card
    header["NCAVEATS"] = (len(caveats), "caveats that follow, as CAVEATn")
    for n, sentence in enumerate(caveats, start=1):
        header[f"CAVEAT{n}"] = sentence
    names, dates = zip(*((name, fits_date(begin)) for name, begin in origin.frames), strict=True)
    columns = [
        fits.Column("NAME", f"{max(map(len, names))}A", array=np.array(names)),
        fits.Column("DATE-BEG", "26A", array=np.array(dates)),
    ]
    return fits.HDUList(
        [
            fits.PrimaryHDU(reduced.values, header),
            fits.CompImageHDU(reduced.count, name="COUNT"),
            fits.BinTableHDU.from_columns(columns, name="FRAMES"),
        ]
    )


def fits_date(date: datetime) -> str:
    """A moment as FRAMES lists it: UTC, to the millisecond."""
    return date.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _slabs(rows: int) -> list[slice]:
    return [slice(first, min(first + _ROWS, rows)) for first in range(0, rows, _ROWS)]


def _registered(name: str, *, unbiased: bool, summary: str) -> ReductionKind:
    return register(
        ReductionKind(
            name=name,
            instrument="stereo_hi",
            level="1",
            need="background",
            alike=("detector", "spacecraft", "type"),
            prepare=partial(LowestQuarterMean, unbiased=unbiased),
            write=reference_file,
            fewest=FEWEST,
            few=FEW,
            summary=summary,
        )
    )


BACKGROUND = _registered(
    "background", unbiased=False, summary="mean of the lowest quarter of all frames at every pixel"
)
BACKGROUND_UNBIASED = _registered(
    "background_unbiased",
    unbiased=True,
    summary="the same, with what a lowest quarter of noisy values lies below their mean added back",
)
