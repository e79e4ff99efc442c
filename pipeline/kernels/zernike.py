"""The large-scale, lopsided part of a disk's brightness, as a sum of Zernike polynomials.

Modes with no angle in them (defocus, spherical aberration …) look like the course from centre to limb and
are left to it: the field is what differs from rings about the centre, and its mean over the disk is 1. Course
and field are fitted in turn; pixels that lie far off (filaments, plage, spots) are left out, and with them
their faint surroundings, which only means over a neighbourhood show: it is they, and not the number of modes,
that decide how good a fit is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.read_only import read_only

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Blocks along the radius: structures of the chromosphere are still seen apart.
_BLOCKS: Final = 128
_RINGS: Final = 80
_NORMAL: Final = 1.4826
#: Rounds at the end in which neighbourhoods are looked at; their size, in blocks, one standard deviation.
_LATE: Final = 3
_NEIGHBOURHOOD: Final = 3.0
#: Standard deviations beyond which a block counts no more for its neighbourhood.
_STRONGEST: Final = 6.0
#: Which values, in standard deviations, tell the quiet Sun's middle, and how often it is looked for.
_CORE: Final = 1.5
_NARROWED: Final = 6
#: Distances, in blocks, at which the likeness of neighbouring residuals is looked at.
_LAGS: Final = (1, 2, 3, 4, 6, 8, 12, 16)


@dataclass(frozen=True)
class Field:
    """A field that was fitted.

    Attributes
    ----------
    order
        Largest degree of its modes.
    coefficients
        Of `modes(order)`, each with a root mean square of 1 on the disk.
    polynomial
        float64, shape (order + 1, order + 1): the field is ``Σ polynomial[i, j] yⁱ xʲ``, in radii.
    kept
        Share of the disk that was not left out.
    scatter
        Of what was kept about the fit, one standard deviation, relative.
    bic
        Bayesian information criterion of every order that was tried.
    """

    order: int
    coefficients: F64
    polynomial: F64
    kept: float
    scatter: float
    bic: Mapping[int, float]


def modes(order: int) -> list[tuple[int, int]]:
    """Degree and angular frequency (negative: sine) of every mode that depends on the angle."""
    return [(n, m) for n in range(1, order + 1) for m in range(-n, n + 1, 2) if m]


@lru_cache(maxsize=32)
def _mode(n: int, m: int) -> F64:
    """A mode of root mean square 1 on the disk, as coefficients of yⁱ xʲ; shape (n + 1, n + 1)."""
    frequency = abs(m)
    # (x + iy)^m: real parts for cosines, imaginary ones for sines.
    angular = np.zeros((n + 1, n + 1))
    for k in range(frequency + 1):
        unit = (1j**k).real if m > 0 else (1j**k).imag
        angular[k, frequency - k] = math.comb(frequency, k) * unit
    made = np.zeros((n + 1, n + 1))
    for s in range((n - frequency) // 2 + 1):
        weight = (-1) ** s * math.factorial(n - s)
        weight /= (
            math.factorial(s)
            * math.factorial((n + frequency) // 2 - s)
            * math.factorial((n - frequency) // 2 - s)
        )
        rest = (n - frequency) // 2 - s
        for t in range(rest + 1):  # (x² + y²)^rest
            part = math.comb(rest, t) * weight
            shifted = np.roll(angular, (2 * t, 2 * (rest - t)), axis=(0, 1))
            made += part * shifted
    made *= math.sqrt(2.0 * (n + 1))
    made.flags.writeable = False
    return made


def polynomial(order: int, coefficients: F64) -> F64:
    """1 plus a sum of modes, as coefficients of yⁱ xʲ."""
    made = np.zeros((order + 1, order + 1))
    made[0, 0] = 1.0
    for (n, m), value in zip(modes(order), coefficients, strict=True):
        made[: n + 1, : n + 1] += value * _mode(n, m)
    return made


def _design(order: int, x: F64, y: F64) -> F64:
    """The modes at places of the disk, shape (places, modes)."""
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    along, up = [np.ones_like(x)], [np.ones_like(y)]
    for _ in range(order):
        along.append(along[-1] * x)
        up.append(up[-1] * y)
    monomials = np.stack([up[i] * along[j] for i, j in powers], axis=1)
    forms = np.zeros((len(powers), len(modes(order))))
    for column, (n, m) in enumerate(modes(order)):
        form = _mode(n, m)
        for row, (i, j) in enumerate(powers):
            if i <= n and j <= n:
                forms[row, column] = form[i, j]
    return np.asarray(monomials @ forms)


@lru_cache(maxsize=4)
def _grid(
    shape: tuple[int, int], x: float, y: float, radius: float, order: int, reach: float
) -> tuple[NDArray[np.bool_], F64, F64, F64]:
    """Which blocks lie on the disk, their squared distance from its centre, the modes there, and products."""
    i, j = np.indices(shape, dtype=np.float64)
    across, up = (j - x) / radius, (i - y) / radius
    inside = across**2 + up**2 <= reach**2
    across, up = across[inside], up[inside]
    design = _design(order, across, up)
    return inside, across**2 + up**2, design, design.T @ design


def fit_field(
    image: F32,
    x: float,
    y: float,
    radius: float,
    *,
    order: int | None = None,
    orders: Sequence[int] = (2, 3, 4, 5, 6, 7, 8),
    clip: float = 2.0,
    spread: float = 2.5,
    passes: int = 5,
    rounds: int = 5,
    reach: float = 0.98,
) -> Field | None:
    """The field of a disk.

    Parameters
    ----------
    image
        float32, shape (ny, nx); NaN does not count.
    x, y, radius
        The disk, pixels counted from 0.
    order
        Largest degree of the modes; `None`: that of `orders` with the smallest criterion.
    orders
        Those that are tried.
    clip
        Standard deviations beyond which a pixel is left out; infinite: none is.
    spread
        The same for means over the neighbourhood, in the later rounds: the faint surroundings of plage, which
        no single pixel tells from the network. Infinite: none is left out for that.
    passes, rounds
        How often pixels are left out anew, and how often course and field are fitted in turn.
    reach
        Part of the radius up to which pixels count.

    Returns
    -------
    Field or None
        `None` where there are too few values.
    """
    tried = tuple(sorted({order} if order is not None else set(orders)))
    side = max(1, math.ceil(radius / _BLOCKS))
    blocks = _block_means(image, side)
    centre = ((x + 0.5) / side - 0.5, (y + 0.5) / side - 0.5)
    inside, place, design, gram = _grid(blocks.shape, *centre, radius / side, tried[-1], reach)
    values = blocks[inside].astype(np.float64)
    usable = np.isfinite(values) & (values > 0)
    if usable.sum() < 4 * design.shape[1]:
        return None
    ring = np.minimum((place / reach**2 * _RINGS).astype(int), _RINGS - 1)
    field, kept, chosen = np.ones_like(values), usable, tried[-1]
    bic: dict[int, float] = {}
    coefficients = np.zeros(design.shape[1])
    for number in range(rounds):
        course = _course(values / field, kept, ring, place, reach)
        ratio = np.where(usable, values / course - 1.0, 0.0)
        # Early on a neighbourhood may be off for the field's sake.
        late = number >= rounds - _LATE
        begin, wide = (kept, spread) if late else (usable, math.inf)
        kept, coefficients, bic = _clipped(
            ratio, design, gram, usable, inside, tried, clip, passes, begin, wide
        )
        chosen = min(bic, key=lambda one: bic[one])
        field = 1.0 + design[:, : coefficients.size] @ coefficients
    residual = (ratio - field + 1.0)[kept]
    return Field(
        chosen,
        coefficients,
        polynomial(chosen, coefficients),
        float(kept.sum() / usable.sum()),
        float(residual.std()),
        bic,
    )


def _block_means(image: F32, side: int) -> F32:
    rows, columns = image.shape[0] // side, image.shape[1] // side
    if side == 1:
        return image
    made: F32 = _means(read_only(image), side, rows, columns)
    return made


@njit(cache=True, nogil=True, error_model="numpy")
def _means(image: F32, side: int, rows: int, columns: int) -> F32:
    made = np.zeros((rows, columns), np.float32)
    for i in range(rows * side):
        for j in range(columns):
            total = np.float32(0.0)
            for k in range(side):
                total += image[i, j * side + k]
            made[i // side, j] += total
    return made / np.float32(side * side)


def _course(values: F64, usable: NDArray[np.bool_], ring: NDArray[np.intp], place: F64, reach: float) -> F64:
    """Brightness from centre to limb at each block: medians of rings, without their noise."""
    order = np.argsort(ring[usable], kind="stable")
    groups = np.split(values[usable][order], np.cumsum(np.bincount(ring[usable], minlength=_RINGS))[:-1])
    medians = np.array([np.median(group) if group.size else np.nan for group in groups])
    middle = (np.arange(_RINGS) + 0.5) / _RINGS * reach**2
    cosine = np.sqrt(1.0 - middle)
    good = np.isfinite(medians)
    fitted = np.polynomial.polynomial.polyfit(cosine[good], medians[good], 5)
    return np.asarray(np.polynomial.polynomial.polyval(np.sqrt(1.0 - place), fitted))


def _clipped(
    ratio: F64,
    design: F64,
    gram: F64,
    usable: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    tried: Sequence[int],
    clip: float,
    passes: int,
    kept: NDArray[np.bool_],
    spread: float,
) -> tuple[NDArray[np.bool_], F64, dict[int, float]]:
    """Least squares without what lies far off; the order with the smallest criterion."""
    solved: dict[int, F64] = {}
    bic: dict[int, float] = {}
    whole = design.T @ ratio
    for number in range(passes + 1):
        # What is left out is little: it is taken off the products of all.
        dropped = design[~kept]
        products, moment = gram - dropped.T @ dropped, whole - dropped.T @ ratio[~kept]
        largest = np.linalg.solve(products, moment)
        residual = ratio - design @ largest
        if number == passes or not math.isfinite(clip):
            power = float(ratio[kept] @ ratio[kept])
            independent = kept.sum() / _likeness(residual, kept, inside)
            for order in tried:
                size = len(modes(order))
                solved[order] = np.asarray(
                    np.linalg.solve(products[:size, :size], moment[:size]), dtype=np.float64
                )
                left = max(power - float(solved[order] @ moment[:size]), 1e-12)
                bic[order] = independent * math.log(left / kept.sum()) + size * math.log(independent)
            break
        middle, sigma = _quiet(residual[usable])
        kept = usable & (np.abs(residual - middle) < clip * sigma)
        if math.isfinite(spread):
            held = np.clip(residual - middle, -_STRONGEST * sigma, _STRONGEST * sigma)
            around = _around(held, usable, inside)
            middle, sigma = _quiet(around[usable])
            kept &= np.abs(around - middle) < spread * sigma
    best = min(bic, key=lambda one: bic[one])
    return kept, solved[best], bic


def _quiet(values: F64) -> tuple[float, float]:
    """Middle and standard deviation of the quiet Sun among values that structures bend to one side.

    The middle is the median of what lies near it, the deviation that of the narrower side.
    """
    middle = float(np.median(values))
    sigma = _NORMAL * float(np.median(np.abs(values - middle)))
    for _ in range(_NARROWED):
        near = values[np.abs(values - middle) < _CORE * sigma]
        if not near.size:
            break
        middle = float(np.median(near))
        sides = [
            side for side in (middle - values[values < middle], values[values > middle] - middle) if side.size
        ]
        sigma = _NORMAL * min((float(np.median(side)) for side in sides), default=0.0)
    return middle, sigma


def _around(values: F64, usable: NDArray[np.bool_], inside: NDArray[np.bool_]) -> F64:
    """Means over the neighbourhood of each block, of usable ones."""
    sums, counts = np.zeros(inside.shape), np.zeros(inside.shape)
    sums[inside], counts[inside] = np.where(usable, values, 0.0), usable
    sums, counts = (gaussian_filter(one, _NEIGHBOURHOOD) for one in (sums, counts))
    return np.asarray(sums[inside] / np.maximum(counts[inside], 1e-3))


def _likeness(residual: F64, kept: NDArray[np.bool_], inside: NDArray[np.bool_]) -> float:
    """How many neighbouring blocks are as one: the area over which residuals are alike."""
    plane = np.zeros(inside.shape)
    plane[inside] = np.where(kept, residual, 0.0)
    variance = float((plane**2).sum())
    if variance <= 0:
        return 1.0
    likeness = [
        0.5 * float((plane[:, :-lag] * plane[:, lag:]).sum() + (plane[:-lag] * plane[lag:]).sum()) / variance
        for lag in _LAGS
    ]
    # Cells of one size are unlike at twice their distance, and cancel over larger ones: below 0 counts too.
    return max(1.0, 2.0 * float(np.trapezoid([1.0, *likeness], [0, *_LAGS]))) ** 2


def over_field(image: F32, x: float, y: float, radius: float, field: F64) -> F32:
    """An image over a field; beyond the limb the field goes on as it is on the limb of the same row.

    Parameters
    ----------
    image
        float32, shape (ny, nx).
    x, y, radius
        The disk.
    field
        `Field.polynomial`.
    """
    result = np.empty(image.shape, np.float32)
    _over_field(read_only(image), x, y, radius, field.astype(np.float32), result)
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _over_field(image: F32, x: float, y: float, radius: float, field: F32, result: F32) -> None:
    ny, nx = image.shape
    order = field.shape[0] - 1
    along, total = np.empty(nx, np.float32), np.empty(nx, np.float32)
    row = np.empty(order + 1, np.float32)
    for i in range(ny):
        up = np.float32(min(max((i - y) / radius, -1.0), 1.0))
        half = np.float32(math.sqrt(max(0.0, 1.0 - float(up * up))))
        for k in range(order + 1):
            value = np.float32(0.0)
            for t in range(order, -1, -1):
                value = value * up + field[t, k]
            row[k] = value
        for j in range(nx):
            along[j] = min(max(np.float32((j - x) / radius), -half), half)
            total[j] = row[order]
        for k in range(order - 1, -1, -1):
            for j in range(nx):
                total[j] = total[j] * along[j] + row[k]
        for j in range(nx):
            result[i, j] = image[i, j] / total[j]
