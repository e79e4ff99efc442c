"""The noise of an image, found in the image itself.

Immerkær 1996 (Computer Vision and Image Understanding 64, 300): a difference of two Laplacians has no
response to planes and hardly any to blurred structure, so what it leaves is noise. Its variance against the
brightness of blocks gives the noise of the read-out and that of the photons.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

_SIDE: Final = 16
#: Classes of brightness, with as many blocks in each.
_CLASSES: Final = 16
#: Of the blocks of a class the quieter ones count: structure adds to the variance, nothing takes from it.
_QUIET: Final = 0.5
#: Share of pixels of a block that need a value.
_LEAST: Final = 0.5
#: Squared weights of the nine pixels, 1 −2 1, −2 4 −2, 1 −2 1.
_GAIN: Final = 36.0


class NoiseLevel(NamedTuple):
    """Noise that has the variance ``constant + slope · signal``.

    Attributes
    ----------
    constant
        Variance without light, DN².
    slope
        Variance by light, DN: the signal of one event.
    """

    constant: float
    slope: float


def noise_level(image: NDArray[np.float32]) -> NoiseLevel | None:
    """The noise of an image, independent from pixel to pixel.

    Parameters
    ----------
    image
        float32, shape (ny, nx); NaN where there is no value.

    Returns
    -------
    NoiseLevel | None
        `None` where too little of the image has values to tell.
    """
    rows, columns = (size // _SIDE for size in image.shape)
    inside = image[: rows * _SIDE, : columns * _SIDE]
    if not rows or not columns:
        return None
    left = np.full_like(inside, np.nan)
    across = inside[:, :-2] - 2 * inside[:, 1:-1] + inside[:, 2:]
    left[1:-1, 1:-1] = across[:-2] - 2 * across[1:-1] + across[2:]
    blocks = [_in_blocks(plane, rows, columns) for plane in (inside, np.square(left))]
    usable = np.isfinite(blocks[1]).mean(axis=1) >= _LEAST
    if usable.sum() < 2:
        return None
    with np.errstate(all="ignore"):
        brightness = np.nanmean(blocks[0][usable], axis=1)
        variance = np.nanmean(blocks[1][usable], axis=1) / _GAIN
    return _line(brightness.astype(np.float64), variance.astype(np.float64))


def _in_blocks(plane: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    return plane.reshape(rows, _SIDE, columns, _SIDE).swapaxes(1, 2).reshape(rows * columns, -1)


def _line(brightness: NDArray[np.float64], variance: NDArray[np.float64]) -> NoiseLevel | None:
    order = np.argsort(brightness)
    points = []
    for chosen in np.array_split(order, min(_CLASSES, order.size)):
        quiet = chosen[np.argsort(variance[chosen])[: max(1, round(_QUIET * chosen.size))]]
        points.append((np.median(brightness[quiet]), np.median(variance[quiet])))
    light, found = np.maximum(np.array(points), 0.0).T
    if not found.any():
        return None
    # Relative deviations count alike: the faint end tells the constant, the bright one the slope.
    weight = 1.0 / np.maximum(found, 1e-3 * found.max())
    (constant, slope), _ = nnls(np.column_stack([weight, weight * light]), weight * found)
    return NoiseLevel(float(constant), float(slope))
