"""How well an image is explained: the noise and the structure that an estimate leaves, each by itself.

A mean over the image tells neither apart: noise that is taken for too large hides a wrong PSF, and structure
of the kind that stays below the noise everywhere looks like one. So the noise is judged by what no PSF
makes, differences of neighbours (Immerkær 1996, Computer Vision and Image Understanding 64, 300), and the
PSF where a wrong one shows: in the blocks that have most structure over their noise, a limb or a bright loop.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]

_SIDE: Final = 16
#: Share of a block's pixels that have to be measured.
_LEAST: Final = 0.5
#: Blocks below which there is no telling.
_FEWEST: Final = 16
#: Squared weights of the nine pixels, 1 −2 1, −2 4 −2, 1 −2 1.
_GAIN: Final = 36.0
#: Of the structured blocks; a few that are something else, as a cosmic ray, are not to decide.
_SHARE: Final = 0.75
#: Of a step of light, as a part of it: under the true PSF the estimate leaves 2 to 6 % of a limb, whose sky
#: it does not make darker than noise allows. Beside a noise of 0.3 % that would be misfit alone.
_METHOD: Final = 0.03


class Misfit(NamedTuple):
    """What an estimate leaves unexplained, about 1 where PSF and noise are the image's; NaN: not known.

    Attributes
    ----------
    noise
        Variance of the residual's finest differences over that of the noise: the median of blocks.
    structure
        Mean square of the residual over the variance of the noise, and of 3 % of the image's own structure,
        where there is most of that: the upper quartile of as many blocks as half a way around the image is
        long, about those of a limb. Less than 1 where structure is strong.
    """

    noise: float = float("nan")
    structure: float = float("nan")

    def worse(self, other: Misfit) -> Misfit:
        """Of each the one that is farther from 1."""
        return Misfit(*(_farther(*pair) for pair in zip(self, other, strict=True)))


def _farther(one: float, other: float) -> float:
    """Of two ratios the one farther from 1; one that is known before one that is not."""
    if np.isnan(one) or np.isnan(other):
        return other if np.isnan(one) else one
    first, second = (max(value, 1.0 / max(value, 1e-30)) for value in (one, other))
    return one if first >= second else other


#: Of an image that is too small, or has too many gaps, to tell.
UNKNOWN: Final = Misfit()


def misfit(residual: F32, image: F32, variance: F32, seen: NDArray[np.bool_]) -> Misfit:
    """How well an image is explained.

    Parameters
    ----------
    residual
        What is left of the image, float32, shape (ny, nx).
    image
        As it was seen, same shape and unit, finite.
    variance
        Of its noise, same shape, positive.
    seen
        Pixels that were measured, same shape.
    """
    if min(residual.shape) < _SIDE + 2:
        return UNKNOWN
    every = _differences(seen.astype(np.float32), signs=False) > 8.5
    left = _differences(residual, signs=True)
    noise = _blocks(np.square(left) / (np.float32(_GAIN) * variance[1:-1, 1:-1]), every)
    square = _blocks(np.square(residual) / variance, seen)
    spread = _blocks(np.square(image), seen) - np.square(_blocks(image, seen))
    strength = spread / _blocks(variance, seen)
    square /= 1.0 + _METHOD**2 * np.maximum(strength, 0.0)
    known = np.isfinite(square) & np.isfinite(strength)
    if min(np.isfinite(noise).sum(), known.sum()) < _FEWEST:
        return UNKNOWN
    chosen = np.argsort(strength[known])[-sum(square.shape) :]
    return Misfit(float(np.nanmedian(noise)), float(np.quantile(square[known][chosen], _SHARE)))


def _differences(image: F32, *, signs: bool) -> F32:
    """Across and along: second differences, or with no signs the sum of nine pixels; a pixel less around."""
    middle = np.float32(-2.0 if signs else 1.0)
    across = image[:, :-2] + middle * image[:, 1:-1] + image[:, 2:]
    found: F32 = across[:-2] + middle * across[1:-1] + across[2:]
    return found


def _blocks(values: F32 | F64, seen: NDArray[np.bool_]) -> F64:
    """Means over the measured pixels of each block; NaN where there are few."""
    rows, columns = (size // _SIDE for size in values.shape)
    inside = slice(rows * _SIDE), slice(columns * _SIDE)
    shape = rows, _SIDE, columns, _SIDE
    counted = seen[inside].reshape(shape).sum(axis=(1, 3))
    total = (
        np.where(seen[inside], values[inside], np.float32(0.0))
        .reshape(shape)
        .sum(axis=(1, 3), dtype=np.float64)
    )
    enough = counted >= _LEAST * _SIDE**2
    return np.where(enough, total / np.maximum(counted, 1), np.nan)
