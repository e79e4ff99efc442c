"""The large-scale, lopsided part of a disk's brightness, as a sum of Zernike polynomials.

Modes with no angle in them (defocus, spherical aberration …) look like the course from centre to limb and
are left to it: the field is what differs from rings about the centre, and its mean over the disk is 1. Course
and field are fitted in turn; pixels that lie far off (filaments, plage, spots) are left out, and with them
their faint surroundings, which only means over a neighbourhood show. What is far off is told by the deviation
relative to the field: behind a cloud plage is as bright against its surroundings as elsewhere.

Modes are polynomials, and blocks lie on a grid: all products of modes are sums of products of a row's powers
and a column's, two small matrix products, and no image of a mode is ever made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline.kernels.rings import ring_medians
from pipeline.read_only import read_only

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Blocks along the radius: structures of the chromosphere are still seen apart.
_BLOCKS: Final = 128
_RINGS: Final = 80
_DEGREE: Final = 5
_NORMAL: Final = 1.4826
#: Rounds at the end in which neighbourhoods are looked at; their size, in blocks, one standard deviation.
_LATE: Final = 4
_NEIGHBOURHOOD: Final = 3.0
#: Standard deviations beyond which a block counts no more for its neighbourhood.
_STRONGEST: Final = 6.0
#: Which values, in standard deviations, tell the quiet Sun's middle, and how often it is looked for.
_CORE: Final = 1.5
_NARROWED: Final = 6
#: Side, in blocks, of the squares whose means tell how much noise modes meet: structures cancel within them.
_SQUARE: Final = 24
#: Least field that is divided by while it is fitted.
_FAINTEST: Final = 0.05


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
    error
        Of the field, root mean square: what structures leave by chance, and what the next degree changes.
    bic
        Bayesian information criterion of every order that was tried.
    """

    order: int
    coefficients: F64
    polynomial: F64
    kept: float
    scatter: float
    error: float
    bic: Mapping[int, float]


def modes(order: int) -> list[tuple[int, int]]:
    """Degree and angular frequency (negative: sine) of every mode that depends on the angle."""
    return [(n, m) for n in range(1, order + 1) for m in range(-n, n + 1, 2) if m]


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
    return made * math.sqrt(2.0 * (n + 1))


@lru_cache(maxsize=16)  # a few numbers for each degree
def _forms(order: int) -> tuple[NDArray[np.intp], F64]:
    """Exponents of y and x of every monomial, shape (2, monomials), and the modes made of them."""
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    forms = np.zeros((len(powers), len(modes(order))))
    for column, (n, m) in enumerate(modes(order)):
        form = _mode(n, m)
        for row, (i, j) in enumerate(powers):
            if i <= n and j <= n:
                forms[row, column] = form[i, j]
    exponents = np.array(powers).T
    forms.flags.writeable = exponents.flags.writeable = False
    return exponents, forms


def polynomial(order: int, coefficients: F64) -> F64:
    """1 plus a sum of modes, as coefficients of yⁱ xʲ."""
    (up, along), forms = _forms(order)
    made = np.zeros((order + 1, order + 1))
    made[up, along] = forms @ coefficients
    made[0, 0] += 1.0
    return made


class _Disk(NamedTuple):
    """The blocks of a disk: the square about it, and what is known of each of its rows and columns."""

    values: F64  #: 1 where there is none
    usable: Mask
    x: float
    y: float
    radius: float
    reach: float
    up: F64  #: powers of y in radii of the Sun, shape (rows, 2 order + 1)
    along: F64  #: powers of x
    cosine: F64  #: of the heliocentric angle
    around: F64  #: what `_around` divides by


class _Solution(NamedTuple):
    """What one solving gave."""

    order: int
    coefficients: F64
    error: float
    bic: dict[int, float]


def fit_field(
    image: F32,
    x: float,
    y: float,
    radius: float,
    *,
    order: int | None = None,
    orders: Sequence[int] = (2, 3, 4, 5, 6, 7, 8),
    clip: float = 3.0,
    spread: float = 3.5,
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
        no single pixel tells from the network. Much tighter than this, what is left out follows the errors
        of the fit, and keeps them alive. Infinite: none is left out for that.
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
    disk = _disk(image, x, y, radius, tried[-1], reach)
    usable, least = disk.usable, 4 * len(modes(tried[-1]))
    if usable.sum() < least:
        return None
    field, kept = np.ones_like(disk.values), usable
    for number in range(rounds):
        ratio = disk.values / _course(disk, field, kept)
        # Early on a neighbourhood may be off for the field's sake.
        late = number >= rounds - _LATE
        kept = kept if late else usable
        for _ in range(passes if math.isfinite(clip) else 0):
            field = _field(disk, tried[-1], _solved(*_products(disk, ratio, field, kept, tried[-1])))
            before, kept = kept, _quiet_blocks(disk, ratio / field, clip, spread if late else math.inf)
            if kept.sum() < least:
                return None
            if np.array_equal(before, kept):
                break
        solved = _chosen(disk, ratio, field, kept, tried)
        field = _field(disk, solved.order, solved.coefficients)
    return Field(
        solved.order,
        solved.coefficients,
        polynomial(solved.order, solved.coefficients),
        float(kept.sum() / usable.sum()),
        float((ratio / field)[kept].std()),
        solved.error,
        solved.bic,
    )


def _disk(image: F32, x: float, y: float, radius: float, order: int, reach: float) -> _Disk:
    side = max(1, math.ceil(radius / _BLOCKS))
    blocks = _block_means(image, side)
    x, y, radius = (x + 0.5) / side - 0.5, (y + 0.5) / side - 0.5, radius / side
    top, left = max(0, math.floor(y - radius)), max(0, math.floor(x - radius))
    blocks = blocks[top : max(0, math.ceil(y + radius) + 1), left : max(0, math.ceil(x + radius) + 1)]
    x, y = x - left, y - top
    up, along = (np.arange(blocks.shape[0]) - y) / radius, (np.arange(blocks.shape[1]) - x) / radius
    place = up[:, None] ** 2 + along**2
    usable = (place <= reach**2) & np.isfinite(blocks) & (blocks > 0)
    powers = np.arange(2 * order + 1, dtype=np.float64)
    return _Disk(
        np.where(usable, blocks, 1.0).astype(np.float64),
        usable,
        x,
        y,
        radius,
        reach,
        up[:, None] ** powers,
        along[:, None] ** powers,
        np.sqrt(1.0 - np.minimum(place, reach**2)),
        np.maximum(_smooth(usable.astype(np.float64)), 1e-3),
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


def _course(disk: _Disk, field: F64, kept: Mask) -> F64:
    """Brightness from centre to limb at each block: medians of rings, without their noise."""
    held = np.where(kept, disk.values / field, np.nan).astype(np.float32)
    medians = ring_medians(held, disk.x, disk.y, disk.reach * disk.radius, _RINGS)
    middle = (np.arange(_RINGS) + 0.5) / _RINGS * disk.reach**2
    good = np.isfinite(medians)
    fitted = np.polynomial.polynomial.polyfit(np.sqrt(1.0 - middle[good]), medians[good], _DEGREE)
    return np.asarray(np.polynomial.polynomial.polyval(disk.cosine, fitted))


def _products(disk: _Disk, ratio: F64, field: F64, kept: Mask, order: int) -> tuple[F64, F64]:
    """Normal equations of the modes for what is kept, each block weighted by the light that it gets."""
    weight = kept / np.maximum(field, _FAINTEST) ** 2
    (up, along), forms = _forms(order)
    sums = disk.up.T @ weight @ disk.along
    few = order + 1
    moments = disk.up[:, :few].T @ (weight * (ratio - 1.0)) @ disk.along[:, :few]
    products = sums[up[:, None] + up, along[:, None] + along]
    return np.asarray(forms.T @ products @ forms), np.asarray(forms.T @ moments[up, along])


def _solved(products: F64, moments: F64) -> F64:
    return np.asarray(np.linalg.solve(products, moments), dtype=np.float64)


def _field(disk: _Disk, order: int, coefficients: F64) -> F64:
    """The field at each block, nowhere too faint to be divided by."""
    few = order + 1
    made = disk.up[:, :few] @ polynomial(order, coefficients) @ disk.along[:, :few].T
    return np.asarray(np.maximum(made, _FAINTEST))


def _quiet_blocks(disk: _Disk, flat: F64, clip: float, spread: float) -> Mask:
    """Blocks of a flattened disk that are neither far off nor lie in a neighbourhood that is."""
    middle, sigma = _quiet(flat[disk.usable])
    off = flat - middle
    kept = disk.usable & (np.abs(off) <= clip * sigma)
    if math.isfinite(spread):
        held = np.where(disk.usable, np.clip(off, -_STRONGEST * sigma, _STRONGEST * sigma), 0.0)
        around = _smooth(held) / disk.around
        middle, sigma = _quiet(around[disk.usable])
        kept &= np.abs(around - middle) <= spread * sigma
    return np.asarray(kept)


def _chosen(disk: _Disk, ratio: F64, field: F64, kept: Mask, tried: Sequence[int]) -> _Solution:
    """Least squares of every order; that with the smallest criterion, and how uncertain it is."""
    products, moments = _products(disk, ratio, field, kept, tried[-1])

    def solved(order: int) -> F64:
        size = len(modes(order))
        return _solved(products[:size, :size], moments[:size])

    residual = np.where(kept, (ratio - _field(disk, tried[-1], solved(tried[-1]))) / field, 0.0)
    independent = kept.sum() / _likeness(residual, kept)
    weight = float((kept / field**2).sum())
    power = float((kept * ((ratio - 1.0) / field) ** 2).sum())
    bic = {}
    for order in tried:
        size = len(modes(order))
        left = max(power - float(solved(order) @ moments[:size]), 1e-12)
        bic[order] = independent * math.log(left / weight) + size * math.log(independent)
    best = min(bic, key=lambda one: bic[one])
    higher = [order for order in tried if order > best]
    changed = _changed(solved(best), solved(higher[0] if higher else max(1, best - 1)))
    noise = float(np.var(residual[kept])) * len(modes(best)) / independent
    return _Solution(best, solved(best), math.sqrt(noise + changed), bic)


def _changed(one: F64, other: F64) -> float:
    """Mean square of the difference of two sums of modes."""
    most = max(one.size, other.size)
    return float(((np.pad(one, (0, most - one.size)) - np.pad(other, (0, most - other.size))) ** 2).sum())


def _quiet(values: F64) -> tuple[float, float]:
    """Middle and standard deviation of the quiet Sun among values that structures bend to one side.

    The middle is the median of what lies near it, the deviation that of the narrower side.
    """
    ordered = np.sort(values)  # once: every median of a stretch is then its middle
    middle = _median(ordered)
    sigma = _NORMAL * _median(np.sort(np.abs(ordered - middle)))
    for _ in range(_NARROWED):
        first, stop = np.searchsorted(ordered, (middle - _CORE * sigma, middle + _CORE * sigma))
        if stop <= first:
            break
        middle = _median(ordered[first:stop])
        below, above = np.searchsorted(ordered, middle), np.searchsorted(ordered, middle, side="right")
        sides = []
        if below > 0:
            sides.append(middle - _median(ordered[:below]))
        if above < ordered.size:
            sides.append(_median(ordered[above:]) - middle)
        sigma = _NORMAL * min(sides, default=0.0)
    return middle, sigma


def _median(ordered: F64) -> float:
    return 0.5 * float(ordered[(ordered.size - 1) // 2] + ordered[ordered.size // 2])


def _smooth(plane: F64) -> F64:
    """Sums over the neighbourhood of each block."""
    return np.asarray(gaussian_filter(plane, _NEIGHBOURHOOD, mode="constant"))


def _likeness(residual: F64, kept: Mask) -> float:
    """How many blocks count as one for a mode: by how much means over squares scatter more than they would.

    Cells of the network cancel over squares, so that this is far less than the number of blocks in a cell.
    """
    rows, columns = (size // _SQUARE for size in kept.shape)
    if not rows or not columns:
        return 1.0
    squares = (
        plane[: rows * _SQUARE, : columns * _SQUARE].reshape(rows, _SQUARE, columns, _SQUARE).sum((1, 3))
        for plane in (residual, kept.astype(np.float64))
    )
    sums, counts = squares
    variance = float((residual**2).sum()) / max(1, int(kept.sum()))
    if variance <= 0 or not counts.any():
        return 1.0
    return max(1.0, float((sums**2).sum() / counts.sum()) / variance)


def over_field(image: F32, x: float, y: float, radius: float, field: F64, out: F32 | None = None) -> F32:
    """An image over a field; beyond the limb the field goes on as it is on the limb of the same row.

    Parameters
    ----------
    image
        float32, shape (ny, nx).
    x, y, radius
        The disk.
    field
        `Field.polynomial`.
    out
        Where the result is to be written.
    """
    result = np.empty(image.shape, np.float32) if out is None else out
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
