"""Where a map lies on an image of the whole disk, such as HMI's continuum of about the same time.

Both are put on one grid in arcsec, along the axes of the map, the image turned on by the Sun's rotation
between the two; their structures are then correlated.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from pipeline.errors import BadInput
from pipeline.kernels.correlate import shift, spectrum

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: [arcsec] Of the common grid: about what HMI resolves half of.
_PIXEL: Final = 0.5
#: Structures that are compared, in pixels of the grid.
_BAND: Final = (3.0, 24.0)
#: Pixels of the grid by which the first shift may be off.
_REST: Final = 3.0
#: Soft edge of the map, pixels of the grid.
_SOFT: Final = 4.0
#: Sidereal rotation, degrees a day (Snodgrass 1983), and the Earth's motion about the Sun.
_ROTATION: Final = (14.713, -2.396, -1.787)
_EARTH: Final = 0.9856


class Context(NamedTuple):
    """An image of the whole disk.

    Attributes
    ----------
    values
        Brightness.
    taken
        When (UTC, or TAI where its header says no more: half a minute off).
    origin, centre, matrix
        Pixels counted from 0, [arcsec] what they see, and arcsec from one pixel to the next.
    radius, tilt
        [arcsec] Of the Sun, and [deg] heliographic latitude of the disk's centre.
    simulated
        Whether it was drawn.
    """

    values: F32
    taken: datetime
    origin: F64
    centre: F64
    matrix: F64
    radius: float
    tilt: float
    simulated: bool


class Plane(NamedTuple):
    """The axes x and y of a map: pixel counted from 0 that sees `centre` [arcsec], and steps [arcsec]."""

    origin: F64
    centre: F64
    matrix: F64


class Found(NamedTuple):
    """What came of it.

    Attributes
    ----------
    west, north
        [arcsec] To be added to the map's coordinates.
    correlation
        Of both images at this place.
    clearness
        Of the peak; see `pipeline.kernels.correlate`.
    """

    west: float
    north: float
    correlation: float
    clearness: float


def read_context(path: str) -> Context:
    """An image with helioprojective coordinates, in the first unit of a FITS file that has one.

    Raises
    ------
    BadInput
        When there is none, or its header does not say when and where.
    """
    with fits.open(path) as units:
        held = [one for one in units if one.data is not None and getattr(one.data, "ndim", 0) == 2]
        header: Any = held[0].header.copy() if held else fits.Header()
        values = np.asarray(held[0].data, np.float32) if held else np.zeros((0, 0), np.float32)
    wanted = ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2", "RSUN_OBS", "CRLT_OBS")
    absent = [name for name in wanted if not isinstance(header.get(name), (int, float))]
    taken = _taken(str(header.get("T_OBS", header.get("DATE-OBS", ""))))
    if absent or taken is None or values.size == 0:
        raise BadInput(
            "the context image does not say when and where it was taken",
            file=path,
            keyword=absent[0] if absent else "DATE-OBS",
            found="absent" if absent else str(header.get("DATE-OBS")),
            advice="give an image of the whole disk with helioprojective coordinates, as HMI's continuum has",
        )
    plane = plane_of(header)
    return Context(
        values,
        taken,
        *plane,
        float(header["RSUN_OBS"]),
        float(header["CRLT_OBS"]),
        bool(header.get("SIMULATD", False)),
    )


def plane_of(header: fits.Header) -> Plane:
    """The axes 1 and 2 of a header in arcsec, by PCi_j or CROTA2."""
    turn = math.radians(float(header.get("CROTA2", 0.0)))
    turned = {(1, 1): math.cos(turn), (1, 2): -math.sin(turn), (2, 1): math.sin(turn), (2, 2): math.cos(turn)}
    given = any(f"PC{i}_{j}" in header for i, j in turned)
    steps = [float(header[f"CDELT{i}"]) for i in (1, 2)]
    matrix = np.array(
        [
            [
                steps[i - 1] * float(header.get(f"PC{i}_{j}", float(i == j)))
                if given
                else steps[j - 1] * turned[i, j]
                for j in (1, 2)
            ]
            for i in (1, 2)
        ]
    )
    origin = np.array([float(header[f"CRPIX{i}"]) - 1.0 for i in (1, 2)])
    return Plane(origin, np.array([float(header[f"CRVAL{i}"]) for i in (1, 2)]), matrix)


def _taken(text: str) -> datetime | None:
    plain = text.strip().replace("_TAI", "").replace("Z", "")
    for form in ("%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y.%m.%d_%H:%M:%S.%f", "%Y.%m.%d_%H:%M:%S"):
        try:
            return datetime.strptime(plain, form)  # noqa: DTZ007  # both times are UTC and have no zone
        except ValueError:
            continue
    return None


def turned_on(places: F64, seconds: float, context: Context) -> F64:
    """Where on the disk places [arcsec], shape (2, …), will be after so many seconds of rotation."""
    x, y = places / context.radius
    z = np.sqrt(np.maximum(1.0 - x * x - y * y, 0.0))
    tilt = math.radians(context.tilt)
    up, near = math.cos(tilt), math.sin(tilt)
    sine = np.clip(up * y + near * z, -1.0, 1.0)
    rate = _ROTATION[0] + _ROTATION[1] * sine**2 + _ROTATION[2] * sine**4 - _EARTH
    angle = np.radians(rate * seconds / 86400.0)
    c, s, along = np.cos(angle), np.sin(angle), sine * (1.0 - np.cos(angle))
    return np.asarray(
        np.stack([x * c + (up * z - near * y) * s, y * c + near * x * s + up * along]) * context.radius
    )


def found(image: F32, plane: Plane, when: datetime, context: Context, most: float) -> Found | None:
    """How far a map is off, as far as `most` [arcsec]; none where the image does not cover it.

    Parameters
    ----------
    image
        The map's continuum, shape (y, x); NaN where there is none.
    plane
        Its axes.
    when
        When it was taken.
    context
        The image of the disk.
    most
        [arcsec] Largest shift along each axis.
    """
    scales = np.hypot(*plane.matrix)
    unit = plane.matrix / scales
    half = 0.5 * (np.array(image.shape[::-1]) - 1) * scales
    middle = plane.centre + plane.matrix @ (0.5 * (np.array(image.shape[::-1]) - 1) - plane.origin)
    reach = np.ceil((half + most) / _PIXEL).astype(int)
    u, v = (_PIXEL * np.arange(-one, one + 1, dtype=np.float64) for one in reach)
    along, up = np.meshgrid(u, v)
    world = middle[:, None, None] + np.einsum("ij,jkl->ikl", unit, np.stack([along, up]))
    then = turned_on(world, (context.taken - when) / timedelta(seconds=1), context)
    at = np.einsum("ij,jkl->ikl", np.linalg.inv(context.matrix), then - context.centre[:, None, None])
    at += context.origin[:, None, None]
    inside = (np.abs(along) <= half[0]) & (np.abs(up) <= half[1])
    there = (at >= 0).all(axis=0) & (at[0] <= context.values.shape[1] - 1)
    there &= (at[1] <= context.values.shape[0] - 1) & (np.hypot(*world) < context.radius)
    if not there[inside].all():
        return None
    seen = map_coordinates(context.values, at[::-1], order=1, cval=np.nan).astype(np.float32)
    seen = np.where(there, seen, np.float32(np.nan))
    coarse = _PIXEL / scales / 2.355
    smooth = gaussian_filter(_whole(image), [max(0.0, one - 0.4) for one in coarse[::-1]])
    rows, columns = (up + half[1]) / scales[1], (along + half[0]) / scales[0]
    mapped = map_coordinates(smooth, [rows, columns], order=1, mode="nearest").astype(np.float32)
    edge = np.minimum(half[0] - np.abs(along), half[1] - np.abs(up)) / _PIXEL
    window = np.clip(edge / _SOFT, 0.0, 1.0).astype(np.float32)
    whole = np.where(np.isfinite(seen), np.float32(1.0), np.float32(0.0))
    off = shift(
        spectrum(seen, whole, _BAND), spectrum(mapped, window, _BAND), _two(seen.shape), most / _PIXEL
    )
    at_place = _moved(seen, off.x, off.y)
    # Once more, both through the same window: its edges pull at the first.
    rest = shift(spectrum(at_place, window, _BAND), spectrum(mapped, window, _BAND), _two(seen.shape), _REST)
    told = -_PIXEL * (unit @ np.array([off.x + rest.x, off.y + rest.y]))
    at_place = _moved(seen, off.x + rest.x, off.y + rest.y)
    sure = window > 0
    return Found(
        float(told[0]),
        float(told[1]),
        float(np.corrcoef(at_place[sure], mapped[sure])[0, 1]),
        off.clearness,
    )


def _whole(image: F32) -> F32:
    """The image with its mean where it has no value."""
    return np.where(np.isfinite(image), image, np.float32(np.nanmean(image)))


def _moved(image: F32, x: float, y: float) -> F32:
    """The image moved by so many pixels."""
    places = np.indices(image.shape) - np.array([y, x])[:, None, None]
    return np.asarray(map_coordinates(_whole(image), places, order=1, mode="nearest"), np.float32)


def _two(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], shape[1]
