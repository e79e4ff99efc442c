"""The starlet transform: an image as planes, each with structures of one size; noise taken out of them.

Starck, Fadili & Murtagh 2007 (IEEE Trans. Image Processing 16, 297): an image is smoothed again and again
with a B3 spline whose taps lie 1, 2, 4 … pixels apart, and a plane is the difference of two that follow one
another. The planes and the last smooth image add up to the image.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

F32: TypeAlias = NDArray[np.float32]
#: Side of the blocks that significance is judged in.
BLOCK: Final = 5


def smoothed(image: F32, scale: int, out: F32 | None = None) -> F32:
    """An image smoothed with the B3 spline of a scale; mirrored at its edges.

    Parameters
    ----------
    image
        float32, shape (ny, nx), finite.
    scale
        From 0; the five taps along each axis lie ``2**scale`` pixels apart.
    out
        Where to put it; not the image itself.
    """
    target = np.empty_like(image) if out is None else out
    _smooth(read_only(image), 1 << scale, target)
    return target


class Response(NamedTuple):
    """What a filter and the transform make of white noise of deviation 1, in one plane.

    Attributes
    ----------
    deviation
        Of the plane.
    samples
        Independent values among the 5 × 5 pixels of a block: 25 for white noise, fewer the smoother it is.
    """

    deviation: float
    samples: float


def responses(kernel: NDArray[np.floating], scales: int) -> tuple[Response, ...]:
    """The responses of the planes, and of the last smooth image behind them.

    Parameters
    ----------
    kernel
        The filter's response to a single pixel, shape (ny, nx), well inside.
    scales
        Number of planes.
    """
    current = np.ascontiguousarray(kernel, dtype=np.float32)
    found = []
    for scale in range(scales):
        smooth = smoothed(current, scale)
        found.append(_response(current - smooth))
        current = smooth
    return (*found, _response(current))


def _response(plane: F32) -> Response:
    power = np.abs(np.fft.rfft2(plane)) ** 2
    correlation = np.fft.irfft2(power, s=plane.shape)
    reach = np.arange(1 - BLOCK, BLOCK)
    share = (BLOCK - np.abs(reach)) / BLOCK**2
    near = correlation[np.ix_(reach, reach)] / correlation[0, 0]
    return Response(float(np.sqrt(correlation[0, 0])), float(1.0 / (share @ near**2 @ share)))


def add_significant(
    finer: F32,
    smooth: F32,
    variance: F32,
    response: Response,
    significance: float,
    result: F32,
    kept: F32 | None,
) -> None:
    """Add to `result` what in a plane is more than noise.

    The plane w is ``finer − smooth``. Around each pixel its mean square over 5 × 5 pixels is compared with
    that of the noise, ``s² = variance · deviation²``, and the pixel is multiplied by
    ``max(0, 1 − c · s² / mean(w²))``: the estimate of James & Stein 1961 (Proc. 4th Berkeley Symposium,
    361) for a block. With c = 1 it is Wiener's filter for the power found there; here
    ``c = 1 + significance · √(2 / samples)``, by which the noise's own mean square scatters.

    Parameters
    ----------
    finer, smooth
        The image before and after smoothing, float32, shape (ny, nx); `finer` is overwritten.
    variance
        Of the noise of the image that was filtered, same shape.
    response
        Of the plane.
    significance
        In standard deviations of the noise's mean square in a block; below 0 everything is added.
    result
        Added to, same shape.
    kept
        Where given, ``factor · deviation`` is added to it: the noise that comes with what was kept.
    """
    nothing = np.zeros((0, 0), np.float32)
    excess = 1.0 + significance * np.sqrt(2.0 / response.samples) if significance >= 0 else 0.0
    _add_significant(
        finer,
        read_only(smooth),
        read_only(variance),
        np.float32(response.deviation),
        np.float32(excess * response.deviation**2),
        result,
        nothing if kept is None else kept,
    )


@njit(inline="always")
def _mirrored(index: int, size: int) -> int:
    period = 2 * size
    index %= period
    return index if index < size else period - 1 - index


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _smooth(image: F32, apart: int, out: F32) -> None:
    ny, nx = image.shape
    reach = 2 * apart
    row = np.empty(nx + 2 * reach, np.float32)
    outer, inner, centre = np.float32(1 / 16), np.float32(1 / 4), np.float32(3 / 8)
    for i in range(ny):
        a, b = image[_mirrored(i - reach, ny)], image[_mirrored(i - apart, ny)]
        c, d = image[_mirrored(i + apart, ny)], image[_mirrored(i + reach, ny)]
        here = image[i]
        middle = row[reach:]
        for j in range(nx):
            middle[j] = outer * (a[j] + d[j]) + inner * (b[j] + c[j]) + centre * here[j]
        for j in range(reach):
            row[reach - 1 - j] = row[reach + _mirrored(j, nx)]
            row[reach + nx + j] = row[reach + _mirrored(nx - 1 - j, nx)]
        left, near, far, right = row, row[apart:], row[3 * apart :], row[4 * apart :]
        target = out[i]
        for j in range(nx):
            target[j] = outer * (left[j] + right[j]) + inner * (near[j] + far[j]) + centre * middle[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _add_significant(
    plane: F32, smooth: F32, variance: F32, deviation: np.float32, least: np.float32, result: F32, kept: F32
) -> None:
    ny, nx = plane.shape
    for i in range(ny):
        fine, coarse = plane[i], smooth[i]
        for j in range(nx):
            fine[j] -= coarse[j]
    # Mean squares over five columns of each of the five rows in reach; row i stands in line i % 5.
    power = np.zeros((5, nx), np.float32)
    for i in range(min(3, ny)):
        _row_power(plane[i], power[i % 5])
    share = np.float32(1 / 25)
    for i in range(ny):
        if i + 2 < ny:
            _row_power(plane[i + 2], power[(i + 2) % 5])
        else:
            power[(i + 2) % 5] = power[(i + 1) % 5]
        if i == 0:
            power[3], power[4] = power[1], power[2]
        total = share * (power[0] + power[1] + power[2] + power[3] + power[4])
        fine, noise, target = plane[i], variance[i], result[i]
        for j in range(nx):
            excess = total[j] - least * noise[j]
            factor = excess / total[j] if excess > 0 else np.float32(0.0)
            target[j] += factor * fine[j]
            total[j] = factor
        if kept.size:
            for j in range(nx):
                kept[i, j] += deviation * total[j]


@njit(inline="always")
def _row_power(row: F32, out: F32) -> None:
    nx = row.size
    for j in range(2, nx - 2):
        out[j] = (
            row[j - 2] * row[j - 2]
            + row[j - 1] * row[j - 1]
            + row[j] * row[j]
            + row[j + 1] * row[j + 1]
            + row[j + 2] * row[j + 2]
        )
    for j in range(min(2, nx)):
        out[j] = out[min(2, nx - 1)]
        out[nx - 1 - j] = out[max(nx - 3, 0)]
