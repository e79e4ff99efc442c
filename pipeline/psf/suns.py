"""How many different Suns frames show: those that are hours apart share what stands at the limb.

Structure that stands at an edge leaves an error in its mean profile that more frames of the same structure
do not make smaller. The Sun turns by 13° in a day: 10 pixels within the limb of a disk of 400, and more
further in. So frames count for as many as their times, and the places of a body before the Sun, lie apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from astropy.io import fits

from pipeline.dates import parse_date, time_of_day

#: Parts of a day, and pixels, in which times and places are counted.
_PARTS: Final = 4
_CELL: Final = 16.0
#: Of these, how many apart frames share nothing: a day; 64 pixels, more than is fitted beyond an edge.
_APART: Final = 4

#: When, and where the middle of a body stood from the Sun's, in parts of a day and in cells.
Key = tuple[int, int, int]


@dataclass(frozen=True)
class Suns:
    """Sums over frames: how many of them were when and where.

    Attributes
    ----------
    counts
        Of frames whose header tells when they began; others are taken to share nothing. Its size grows with
        the days that frames are of, not with their number.
    """

    counts: Mapping[Key, int]

    @classmethod
    def none(cls) -> Suns:
        """Of no frame."""
        return cls({})

    @classmethod
    def of(cls, day: float | None, x: float = 0.0, y: float = 0.0) -> Suns:
        """Of one frame: when it began, and where the body stood, pixels from the Sun's centre."""
        if day is None:
            return cls.none()
        return cls({(math.floor(_PARTS * day), round(x / _CELL), round(y / _CELL)): 1})

    def __add__(self, other: Suns) -> Suns:
        both = dict(self.counts)
        for key, count in other.counts.items():
            both[key] = both.get(key, 0) + count
        return Suns(both)

    def different(self, frames: int) -> float:
        """As many frames without anything in common would have a mean as well known as these.

        The variance of a mean of `frames` values of equal variance is that over `frames`, times the mean sum
        of their correlations, which fall linearly with time and place.
        """
        if not self.counts or frames <= 0:
            return float(frames)
        keys = np.array(sorted(self.counts))
        counts = np.array([self.counts[tuple(key)] for key in keys.tolist()], float)
        total = max(frames - counts.sum(), 0.0)
        for when in np.unique(keys[:, 0]):
            own = keys[:, 0] == when
            near = slice(*np.searchsorted(keys[:, 0], [when - _APART, when + _APART + 1]))
            apart = np.abs(keys[own][:, None, :] - keys[near][None, :, :]) / _APART
            total += counts[own] @ np.maximum(1.0 - apart, 0.0).prod(axis=2) @ counts[near]
        return float(frames**2 / total)


def day_of(header: fits.Header) -> float | None:
    """When a frame began, in days; `None` where its header does not tell."""
    begin = parse_date(str(header.get("DATE-OBS") or header.get("DATE-BEG") or ""), time_of_day(header))
    return None if begin is None else begin.timestamp() / 86400.0
