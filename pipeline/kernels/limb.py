"""The limb of a disk: its centre and radius, from the points where brightness falls off most steeply.

The radius is that of the *inflection* of the limb as it was taken: where the radial profile, smoothed by a
Gaussian of `SMOOTHING` pixels, falls most steeply. Sharp limbs keep the place of their edge; blur moves the
inflection inwards, for the disk is bright on one side alone.

Method: edges of the coarsened image vote for a circle, so that clouds, gradients and limbs that are cut off
by the frame do not pull it away; then profiles across the limb, in sectors, give points to which a circle is
fitted, outliers left out, in narrower and narrower bands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Of the profiles, pixels.
SMOOTHING: Final = 1.5
#: Half widths of the bands in which the limb is looked for, one after the other, pixels.
_BANDS: Final = (24.0, 8.0, 5.0, 5.0)
#: Samples of a profile in a pixel.
_SAMPLES: Final = 2
#: Pixels along a side of the coarsened image, at most.
_COARSE: Final = 128
_TRIALS: Final = 600
#: Standard deviations beyond which a point is left out.
_CLIP: Final = 3.0
_ROUNDS: Final = 8
#: Pixels; points that are nowhere more likely than elsewhere in the last band scatter by 2.9.
_MOST_SCATTER: Final = 2.3
#: Standard deviation over median absolute deviation.
_NORMAL: Final = 1.4826


class Circle(NamedTuple):
    """A circle in pixels, counted from 0 at the centre of the first pixel."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Limb:
    """A limb that was found.

    Attributes
    ----------
    circle
        Centre and radius.
    error
        One standard deviation of each coordinate of the centre; that of the radius is 0.7 of it.
    scatter
        Of the points about the circle, one standard deviation.
    flattening
        How much shorter the shortest diameter is than the longest, pixels: refraction near the horizon, or
        pixels that are not square.
    points, sectors
        Points the circle was fitted to, and sectors in which one was looked for.
    """

    circle: Circle
    error: float
    scatter: float
    flattening: float
    points: int
    sectors: int


def find_limb(
    image: F32,
    *,
    radii: tuple[float, float] | None = None,
    sectors: int = 720,
    start: Circle | None = None,
) -> Limb | None:
    """Centre and radius of the bright disk in an image.

    Parameters
    ----------
    image
        float32, shape (ny, nx); pixels that are NaN count as dark, as missions leave them beyond the limb.
    radii
        Between which the radius lies, pixels; else from a tenth of the shorter side to 0.75 of the longer.
    sectors
        Profiles across the limb.
    start
        Where it lies within some 20 pixels, if that is known.

    Returns
    -------
    Limb or None
        `None` where there is no disk: too few points lie on one circle.
    """
    image = _dark_where_unknown(image)
    ny, nx = image.shape
    within = radii or (0.1 * min(ny, nx), 0.75 * max(ny, nx))
    circle = start or _coarsely(image, within)
    if circle is None:
        return None
    angles: F64 = np.linspace(0.0, 2.0 * np.pi, sectors, endpoint=False)
    used = np.zeros(sectors, bool)
    for band in _BANDS:
        reach = min(band, 0.3 * circle.radius)
        away = _steepest(read_only(image), *circle, angles, reach, SMOOTHING, _SAMPLES)
        circle, used = _fitted(circle, angles, away)
        if used.sum() < 8 or not within[0] * 0.9 <= circle.radius <= within[1] * 1.1:
            return None
    away = _steepest(read_only(image), *circle, angles, 5.0, SMOOTHING, _SAMPLES)
    used &= np.isfinite(away)
    number = int(used.sum())
    if number < 8:
        return None
    scatter = float(np.std(away[used]))
    if scatter > _MOST_SCATTER:
        return None
    # Of a harmonic cos 2φ, sin 2φ of the radius.
    design = np.column_stack([np.ones(number), np.cos(2 * angles[used]), np.sin(2 * angles[used])])
    harmonic = np.linalg.lstsq(design, away[used], rcond=None)[0]
    return Limb(
        circle,
        scatter * math.sqrt(2.0 / number),
        scatter,
        4.0 * float(np.hypot(harmonic[1], harmonic[2])),
        number,
        sectors,
    )


def _dark_where_unknown(image: F32) -> F32:
    # The sum is finite where all values are, but for those that are too large to be any brightness.
    return image if np.isfinite(image.sum()) else np.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)


def _fitted(circle: Circle, angles: F64, away: F64) -> tuple[Circle, NDArray[np.bool_]]:
    """The circle through points given by their distances from another one; outliers left out."""
    used = np.isfinite(away)
    if used.sum() < 8:
        return circle, used
    distance = circle.radius + away
    px, py = circle.x + distance * np.cos(angles), circle.y + distance * np.sin(angles)
    x, y, radius = circle
    # Before anything is fitted, what lies far from most points goes: prominences, edges of clouds.
    middle = np.median(away[used])
    spread = _NORMAL * np.median(np.abs(away[used] - middle)) + 0.02
    used &= np.abs(away - middle) < 5.0 * spread + 2.0
    for _ in range(_ROUNDS):
        dx, dy = px - x, py - y
        r = np.hypot(dx, dy)
        residual = r - radius
        design = np.column_stack([dx / r, dy / r, np.ones_like(r)])[used]
        change = np.linalg.lstsq(design, residual[used], rcond=None)[0]
        x, y, radius = x + change[0], y + change[1], radius + change[2]
        residual = np.hypot(px - x, py - y) - radius
        spread = _NORMAL * np.nanmedian(np.abs(residual[used])) + 1e-3
        now = np.isfinite(away) & (np.abs(residual) < _CLIP * spread)
        if now.sum() < 8 or (np.array_equal(now, used) and np.abs(change).max() < 1e-4):
            break
        used = now
    return Circle(float(x), float(y), float(radius)), used


def _coarsely(image: F32, radii: tuple[float, float]) -> Circle | None:
    """A circle on which many edges of the coarsened image lie that are bright on its inside."""
    factor = max(1, -(-max(image.shape) // _COARSE))
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    small = np.nan_to_num(blocks.mean(axis=(1, 3), dtype=np.float64))
    # A root evens out a limb behind clouds with one that is not, and does not raise what is dark.
    small = np.sqrt(np.maximum(small - np.percentile(small, 1), 0.0))
    gy, gx = np.gradient(small)
    slope = np.hypot(gx, gy)
    at_y, at_x = np.nonzero(slope > 0.2 * np.percentile(slope, 99.5))
    if at_x.size < 8:
        return None
    nx, ny = -gx[at_y, at_x] / slope[at_y, at_x], -gy[at_y, at_x] / slope[at_y, at_x]
    found = _voted(at_x.astype(float), at_y.astype(float), nx, ny, radii[0] / factor, radii[1] / factor)
    if found is None:
        return None
    middle = 0.5 * (factor - 1)
    return Circle(found.x * factor + middle, found.y * factor + middle, found.radius * factor)


def _voted(x: F64, y: F64, nx: F64, ny: F64, least: float, most: float) -> Circle | None:
    """The best of many circles through three edge points each; outsides point away from their centres."""
    random = np.random.default_rng(1610)
    triple = random.integers(0, x.size, (3, _TRIALS))
    ax, ay, bx, by, cx, cy = (one[triple[k]] for k in range(3) for one in (x, y))
    with np.errstate(divide="ignore", invalid="ignore"):
        area = 2.0 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
        a2, b2, c2 = ax**2 + ay**2, bx**2 + by**2, cx**2 + cy**2
        ux = (a2 * (by - cy) + b2 * (cy - ay) + c2 * (ay - by)) / area
        uy = (a2 * (cx - bx) + b2 * (ax - cx) + c2 * (bx - ax)) / area
        radius = np.hypot(ax - ux, ay - uy)
        fits = np.isfinite(radius) & (radius >= least) & (radius <= most)
    if not fits.any():
        return None
    ux, uy, radius = ux[fits], uy[fits], radius[fits]
    dx, dy = x - ux[:, None], y - uy[:, None]
    r = np.hypot(dx, dy)
    outwards = (dx * nx + dy * ny) > 0.8 * r
    on_it = (np.abs(r - radius[:, None]) < 1.0) & outwards
    # Of two circles with as many points, the one that is full of them.
    share = on_it.sum(axis=1) / np.sqrt(radius)
    best = int(np.argmax(share))
    px, py = x[on_it[best]], y[on_it[best]]
    if px.size < 8:
        return None
    design = np.column_stack([2.0 * px, 2.0 * py, np.ones_like(px)])
    cx0, cy0, rest = np.linalg.lstsq(design, px**2 + py**2, rcond=None)[0]
    return Circle(float(cx0), float(cy0), math.sqrt(max(rest + cx0**2 + cy0**2, 1.0)))


@njit(cache=True, nogil=True, error_model="numpy")
def _steepest(
    image: F32, x: float, y: float, radius: float, angles: F64, reach: float, smoothing: float, samples: int
) -> F64:
    """For each angle the distance from the circle to where brightness falls most steeply; NaN outside."""
    ny, nx = image.shape
    half = int(reach * samples)
    taps = int(3.0 * smoothing * samples) + 1
    number = 2 * (half + taps) + 1
    kernel = np.empty(2 * taps + 1)
    for k in range(-taps, taps + 1):
        t = k / (smoothing * samples)
        kernel[k + taps] = t * math.exp(-0.5 * t * t)
    profile, falls = np.empty(number), np.empty(2 * half + 1)
    found = np.full(angles.size, np.nan)
    for s in range(angles.size):
        cosine, sine = math.cos(angles[s]), math.sin(angles[s])
        first, stop = 0, 0  # of the samples that lie in the frame, one after the other
        for k in range(number):
            r = radius + (k - half - taps) / samples
            px, py = x + r * cosine, y + r * sine
            i, j = math.floor(py), math.floor(px)
            if i < 0 or j < 0 or i + 1 >= ny or j + 1 >= nx:
                if stop > 0:
                    break
                continue
            if stop == 0:
                first = k
            stop = k + 1
            fy, fx = py - i, px - j
            profile[k] = (1.0 - fy) * ((1.0 - fx) * image[i, j] + fx * image[i, j + 1]) + fy * (
                (1.0 - fx) * image[i + 1, j] + fx * image[i + 1, j + 1]
            )
        best, at = 0.0, -1
        for k in range(first, stop - 2 * taps):
            fall = 0.0
            for t in range(2 * taps + 1):
                fall -= kernel[t] * profile[k + t]
            falls[k] = fall
            if fall > best:
                best, at = fall, k
        # At an end of what was seen it is no maximum.
        if at <= first or at >= stop - 2 * taps - 1:
            continue
        bend = falls[at - 1] - 2.0 * falls[at] + falls[at + 1]
        if bend < 0.0:
            found[s] = (at - half + 0.5 * (falls[at - 1] - falls[at + 1]) / bend) / samples
    return found
