"""Removing, and making, the smear of a shutterless camera in O(n) per column.

A CCD without a shutter is exposed while its lines are cleared before and
read out after the exposure. With d the seconds a line stands still, and b
and a the seconds it spends at the place of every line before and after it,
a column of the image is ``y = M x`` where M has d on its diagonal, b below
and a above it (science.md §1, "Desmear"). M is never built: its inverse is
a first-order recurrence plus a rank-one term (§1, closed form (ii)).
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.read_only import read_only

#: Lines taken per pass over the accumulators: more would run out of registers.
_LINES: Final = 4
COMPILED: Final = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def desmear(
    image: NDArray[Any],
    diagonal: float,
    below: float,
    above: float,
) -> NDArray[Any]:
    """The scene behind a smeared image: ``x = M⁻¹ y`` for every column.

    Cumulative form (ii) of science.md §1: two passes over the lines, with the
    guard that turns the column round where ``|ρ| > 1``,
    ``ρ = (diagonal − below)/(diagonal − above)``. Sums are kept in float64.
    A column that holds a NaN becomes NaN; no other column notices.

    Parameters
    ----------
    image
        Smeared image, shape (ny, nx), float32 or float64; other types are
        taken as float32. DN. Lines were moved along the first axis. A part
        of a detector is handed over as a slice.
    diagonal
        Seconds a line collects light at its own place.
    below
        Seconds a line collects light at the place of each line of smaller
        index (below the diagonal of M).
    above
        The same for lines of larger index.

    Returns
    -------
    numpy.ndarray
        Shape (ny, nx), the input's float type, DN/s.

    Raises
    ------
    ValueError
        When the image is not two-dimensional, a time is not finite, or M has
        no inverse.
    """
    lines, times = prepared(image, diagonal, below, above)
    result = np.empty_like(lines)
    if lines.size:
        _desmear(lines, result, *constants(lines.shape[0], *times))
    return result


def smear(
    image: NDArray[Any],
    diagonal: float,
    below: float,
    above: float,
) -> NDArray[Any]:
    """What a shutterless camera makes of a scene: ``y = M x`` for every column.

    Parameters
    ----------
    image
        Scene, shape (ny, nx), float32 or float64, DN/s.
    diagonal, below, above
        Seconds, as for `desmear`.

    Returns
    -------
    numpy.ndarray
        Smeared image, same shape and type, DN.

    Raises
    ------
    ValueError
        When the image is not two-dimensional or a time is not finite.
    """
    lines, times = prepared(image, diagonal, below, above)
    result = np.empty_like(lines)
    if lines.size:
        _smear(lines, result, *times)
    return result


def prepared(
    image: NDArray[Any], diagonal: float, below: float, above: float
) -> tuple[NDArray[Any], tuple[float, float, float]]:
    if np.ndim(image) != 2:
        raise ValueError(f"smear is defined for two-dimensional images; this one has shape {np.shape(image)}")
    times = (float(diagonal), float(below), float(above))
    if not np.all(np.isfinite(times)):
        raise ValueError(f"the times of the smear matrix must be finite; found {times}")
    kind = np.float64 if np.asarray(image).dtype == np.float64 else np.float32
    return read_only(np.ascontiguousarray(image, dtype=kind)), times


def constants(n: int, d: float, b: float, a: float) -> tuple[float, float, float, float, bool]:
    """ρ, 1 − ρ, 1/(d − a), a/G and whether the lines are taken from the last to the first."""
    reverse = abs(d - b) > abs(d - a)  # |ρ| > 1 would lose every digit (science.md §1, "Guard")
    if reverse:
        a, b = b, a
    if n == 1:
        a = b = 0.0  # one line has no neighbours to be smeared with
    scale = d - a
    if scale == 0.0:
        raise ValueError(f"the smear matrix with times {d}, {b}, {a} has no inverse")
    rho, kappa = (d - b) / scale, (b - a) / scale
    # (1 − ρⁿ)/(1 − ρ) without the cancellation it has near ρ = 1.
    if kappa == 0.0:
        series = float(n)
    elif rho > 0.0:
        series = -np.expm1(n * np.log1p(-kappa)) / kappa
    else:
        series = (1.0 - rho**n) / kappa
    total = scale + a * series
    if total == 0.0:
        raise ValueError(f"the smear matrix with times {d}, {b}, {a} has no inverse")
    return rho, kappa, 1.0 / scale, a / total, reverse


@numba.njit(**COMPILED)
def _desmear(
    y: NDArray[Any], x: NDArray[Any], rho: float, kappa: float, scale: float, rank_one: float, reverse: bool
) -> None:
    # Whole lines are walked through, so that memory is read in the order it lies in; one
    # accumulator per column stands in float64 and is touched once for every _LINES lines.
    ny, nx = y.shape
    first, stride = (ny - 1, -1) if reverse else (0, 1)
    whole = ny - ny % _LINES
    level = np.zeros(nx, dtype=np.float64)
    before = np.zeros(nx, dtype=np.float64)
    for i in range(0, whole, _LINES):
        for j in range(nx):
            sum_ = level[j]
            for k in range(_LINES):
                sum_ = sum_ * rho + y[first + stride * (i + k), j]
            level[j] = sum_
    for i in range(whole, ny):
        for j in range(nx):
            level[j] = level[j] * rho + y[first + stride * i, j]
    for j in range(nx):
        level[j] *= rank_one * scale  # a S / (d − a): what the smear adds to every line of the column alike
    for i in range(0, whole, _LINES):
        for j in range(nx):
            sum_, shared = before[j], level[j]
            for k in range(_LINES):
                value = (y[first + stride * (i + k), j] * scale - shared) - kappa * sum_
                sum_ += value
                x[first + stride * (i + k), j] = value
            before[j] = sum_
    for i in range(whole, ny):
        for j in range(nx):
            value = (y[first + stride * i, j] * scale - level[j]) - kappa * before[j]
            before[j] += value
            x[first + stride * i, j] = value


@numba.njit(**COMPILED)
def _smear(x: NDArray[Any], y: NDArray[Any], diagonal: float, below: float, above: float) -> None:
    ny, nx = x.shape
    total = np.zeros(nx, dtype=np.float64)
    before = np.zeros(nx, dtype=np.float64)
    for i in range(ny):
        for j in range(nx):
            total[j] += x[i, j]
    for i in range(ny):
        for j in range(nx):
            value = np.float64(x[i, j])
            after = total[j] - before[j] - value
            y[i, j] = diagonal * value + below * before[j] + above * after
            before[j] += value
