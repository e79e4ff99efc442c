"""Step 3: columns in which the CCD saturated cannot be recovered (science.md §1, "Saturation")."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import binary_opening, median_filter

from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import facts
from pipeline.quality import Quality
from pipeline.step import Params, References, step

#: Largest 16-bit number: where the division for the beacon clips before the last binning.
_WORD: Final = 65535.0
#: Columns of the image before its last binning that make one column of a beacon image.
_BEACON_BIN: Final = 4
_NEIGHBOURS: Final = 9
#: How far from a whole number of quarters a clipped pixel may be; the real ones lie within 0.03.
_TOLERANCE: Final = 0.08


class SaturationParams(Params):
    """When a column is given up.

    Attributes
    ----------
    limit
        [DN] Of one exposure in one CCD pixel; above it the pixel counts as saturated.
    nsaturated
        [pix] More saturated pixels than this, and the whole column goes.
    """

    limit: float = Field(default=14000.0, gt=0)
    nsaturated: int = Field(default=5, ge=0)


@step(
    "saturated_columns",
    version=2,
    prstep="THRESHOLDING",
    instrument="stereo_hi",
    takes=("DN",),
    memory_factor=4.0,
    libraries=("numpy", "scipy"),
)
def saturated_columns(frame: Frame, params: SaturationParams, references: References) -> Frame:
    """Turn columns with more than `nsaturated` saturated pixels to NaN; flag the single ones.

    A pixel is saturated above ``limit · (IMGSEQ + 1) · (2^(SUMMED − 1))²``.
    Charge bleeds along the column and the smear of a saturated source is not
    in proportion to what was recorded of it, so nothing there is trusted, nor in
    a column beside it of which part of the CCD's columns ran over.
    """
    saturated = frame.data > saturation_level(frame, params.limit)
    if facts.is_beacon(frame):
        stored = frame.data / np.float32(frame.keyword("SEBFACT", float, default=1.0))
        saturated |= clipped_before_binning(stored, params.nsaturated + 1) | (stored >= _WORD)
    if not saturated.any():
        return frame
    columns = np.count_nonzero(saturated, axis=0) > params.nsaturated
    if not facts.is_beacon(frame):
        columns |= _partly_full(frame, params, columns)
    data, quality = frame.data.copy(), frame.quality.copy()
    data[:, columns] = np.nan
    quality[:, columns] |= np.uint16(Quality.SATURATED)
    quality[saturated] |= np.uint16(Quality.SATURATED)
    # What a full pixel could not hold ran along the column; where it ended, no value tells.
    for ends, beside in ((quality[1:], saturated[:-1]), (quality[:-1], saturated[1:])):
        ends[beside & (ends & np.uint16(Quality.SATURATED) == 0)] |= np.uint16(Quality.LOW_CONFIDENCE)
    header = frame.header.copy()
    given_up = int(np.count_nonzero(columns))
    header["NSATCOL"] = (given_up, "columns given up for saturation")
    result = frame.replace(data=data, quality=quality, header=header)
    if not given_up:
        return result
    return result.with_caveat(
        f"{given_up} of {columns.size} columns ({100.0 * given_up / columns.size:.1f} %) hold no values: "
        f"more than {params.nsaturated} of their pixels were saturated"
    )


def _partly_full(frame: Frame, params: SaturationParams, columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Columns beside given-up ones that hold a full CCD column next to CCD columns that are not.

    Where b columns of the CCD make one, a single full one lifts it to a b-th
    of the limit only. Bright sky alone may do that, so that it is asked only
    of neighbours, where charge is known to have run along the column.
    """
    summing = facts.binning(frame, "SUMMED")
    beside = np.zeros_like(columns)
    beside[1:] |= columns[:-1]
    beside[:-1] |= columns[1:]
    lifted = frame.data[:, beside] > saturation_level(frame, params.limit) / summing
    beside[beside] = np.count_nonzero(lifted, axis=0) > params.nsaturated
    return beside


def saturation_level(frame: Frame, limit: float = 14000.0) -> float:
    """DN of the image above which a pixel is saturated (§1: dsatval)."""
    sequence = frame.keyword("IMGSEQ", int, default=facts.images_summed(frame) - 1)
    return limit * (sequence + 1) * facts.binning(frame, "SUMMED") ** 2


def clipped_before_binning(stored: NDArray[np.float32], length: int) -> NDArray[np.bool_]:
    """Where a beacon image holds columns that had been clipped at 16 bits before its last binning.

    The division for the beacon leaves 16-bit numbers; 4 × 4 of them make one
    pixel. Each clipped column among the four lifts the pixel by a quarter of
    what its neighbours miss to 65535, whatever the true signal was. The
    saturated planet of the real HI-2 image of 2011-09-10 stands in such
    quarters to 1 %, over 44 lines, far below the level a value-based test
    asks for.

    Parameters
    ----------
    stored
        Beacon image as sent, shape (y, x).
    length
        Lines that must follow each other in this state; stars and the rims of
        the optics do not keep to quarters for long.

    Returns
    -------
    numpy.ndarray
        Booleans, shape (y, x).
    """
    around = median_filter(stored, size=(1, _NEIGHBOURS), mode="nearest")
    # Near the limit a quarter is so small that the sky's own slope would pass for one.
    usable = around < _WORD / 2
    quarters = (stored - around) / (np.where(usable, _WORD - around, _WORD) / _BEACON_BIN)
    whole = np.round(quarters)
    clipped = usable & (whole >= 1) & (np.abs(quarters - whole) < _TOLERANCE)
    result: NDArray[np.bool_] = binary_opening(clipped, np.ones((length, 1), dtype=bool))
    return result
