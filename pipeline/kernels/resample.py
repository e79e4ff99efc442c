"""Resampling of an image by an affine map, with missing values and quality flags carried along.

The image goes through an exact cubic B-spline prefilter and is evaluated at
the mapped positions, which is what scipy's (and so sunpy's and aiapy's)
affine transform of order 3, mode "constant", does. It differs where a value
is missing: scipy would carry one NaN over the whole image and sunpy cuts out
7 × 7 pixels for it. Here a gap is filled from its neighbourhood before the
prefilter; output pixels whose nearest input pixel was a gap are NaN, and
pixels that the filled value merely touched keep their value and are flagged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels.affine import FILLED, sample_flags, sample_spline
from pipeline.kernels.bspline import spline_coefficients
from pipeline.kernels.fill import fill_gaps
from pipeline.quality import Quality


@dataclass(frozen=True)
class AffineMap:
    """Output pixel → input pixel, both counted from zero, in (x, y) order.

    Attributes
    ----------
    matrix
        float64, shape (2, 2).
    offset
        float64, shape (2,): the input position of output pixel (0, 0).
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    def scaled_input(self, factor: int) -> AffineMap:
        """The same map for an input whose pixels were averaged ``factor × factor``."""
        return AffineMap(self.matrix / factor, (self.offset + 0.5) / factor - 0.5)

    @property
    def step(self) -> float:
        """How many input pixels one output pixel spans (geometric mean of both axes)."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))


def resample(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    onto: AffineMap,
    shape: tuple[int, int],
    *,
    missing: float = float("nan"),
    clip: bool = True,
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Cubic B-spline resampling of an image and its quality plane.

    Parameters
    ----------
    image
        float32, shape (ny, nx); NaN and infinities are gaps.
    quality
        uint16 `Quality` bits, same shape.
    onto
        The map from output to input pixels.
    shape
        Shape (rows, columns) of the output.
    missing
        Value of output pixels beyond the outermost input pixel centres; they
        are flagged `OUTSIDE_FIELD` whatever the value.
    clip
        Keep the result within the range of the input, as sunpy does: the
        spline overshoots beside sharp edges.

    Returns
    -------
    image, quality
        float32 and uint16 of `shape`. An output pixel is NaN and `MISSING`
        only where its nearest input pixel was a gap; it is `INTERPOLATED`
        where a filled gap lies among its 4 × 4 taps. Other flags come from
        the (up to) four pixels around the sample, which carry the main lobe
        of the interpolating spline: one step farther its weight is below
        0.14 and alternates, and a flag there would say more than is known.

    Notes
    -----
    Where the output is coarser than the input by 1.5 or more, the input is
    averaged over whole pixels first; a point sample of a finer image would
    alias what the coarse grid cannot hold.
    """
    factor = int(np.floor(onto.step + 0.5))
    if factor > 1:
        image, quality = block_mean(image, quality, factor)
        onto = onto.scaled_input(factor)
    flags = np.zeros(shape, np.uint16)
    # NaN and infinities come through as minimum or maximum: two fast passes tell that there are no gaps.
    low, high = float(image.min()), float(image.max())
    gaps = not (math.isfinite(low) and math.isfinite(high))
    if gaps:
        was_gap = ~np.isfinite(image)
        if was_gap.all():
            return np.full(shape, np.nan, np.float32), flags | np.uint16(Quality.MISSING)
        low, high = float(image[~was_gap].min()), float(image[~was_gap].max())
        image = fill_gaps(image, was_gap)
        quality = _mark_gaps(quality, was_gap)
    if not clip:
        low, high = -math.inf, math.inf
    result = np.empty(shape, np.float32)
    matrix, offset = np.asarray(onto.matrix, np.float64), np.asarray(onto.offset, np.float64)
    outside = np.uint16(Quality.OUTSIDE_FIELD)
    fill_value = np.float32(missing)
    sample_spline(
        spline_coefficients(image),
        matrix,
        offset,
        np.float32(low),
        np.float32(high),
        fill_value,
        outside,
        result,
        flags,
    )
    if quality.any():
        sample_flags(np.pad(quality, 1), matrix, offset, flags)
    if gaps:
        lost = (flags & np.uint16(FILLED)) != 0
        result[lost] = np.nan
        flags[lost] |= np.uint16(Quality.MISSING)
        flags &= np.uint16(~FILLED & 0xFFFF)
    return result, flags


def block_mean(
    image: NDArray[np.float32], quality: NDArray[np.uint16], factor: int
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Means over ``factor × factor`` pixels; rows and columns that do not fill a block are left out.

    Gaps do not enter a mean; a block with some of its pixels missing is
    flagged `INTERPOLATED`, one with all of them missing is NaN and `MISSING`.
    Other flags are OR-ed.
    """
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    bits = quality[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    finite = np.isfinite(blocks)
    count = finite.sum(axis=(1, 3))
    total = np.where(finite, blocks, np.float32(0.0)).sum(axis=(1, 3), dtype=np.float64)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    flags = np.bitwise_or.reduce(np.bitwise_or.reduce(bits, axis=3), axis=1)
    partly = (count > 0) & (count < factor * factor)
    # A block that has a mean is not missing, whatever single pixels in it were.
    flags[count > 0] &= np.uint16(~Quality.MISSING & 0xFFFF)
    flags[partly] |= np.uint16(Quality.INTERPOLATED)
    flags[count == 0] |= np.uint16(Quality.MISSING)
    return mean, flags


def _mark_gaps(quality: NDArray[np.uint16], was_gap: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Mark filled pixels, and flag them and their eight neighbours.

    The flag kernel ORs the four pixels around a sample; with the neighbours
    flagged too this becomes the 4 × 4 pixels of the spline's support.
    """
    marked = quality.copy()
    rows, columns = np.nonzero(was_gap)
    # A gap is marked as missing anew where the output needs it: nearest pixel only.
    marked[rows, columns] &= np.uint16(~Quality.MISSING & 0xFFFF)
    ny, nx = quality.shape
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near = (np.clip(rows + dy, 0, ny - 1), np.clip(columns + dx, 0, nx - 1))
            marked[near] |= np.uint16(Quality.INTERPOLATED)
    marked[rows, columns] |= np.uint16(FILLED)
    return marked
