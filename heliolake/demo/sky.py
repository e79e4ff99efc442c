"""Solar coordinates of an image's edges, and where the limb lies in it: what a panel needs besides pixels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

Edge = tuple[tuple[float, str], ...]
Values = NDArray[np.float64]

_SOLAR_RADIUS_M: Final = 6.957e8  # IAU 2015 resolution B3
_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_INTERVALS: Final = 5
_ARCSEC: Final = 3600.0
_WIDEST_IN_ARCSEC: Final = 2.0
"""Degrees of a field that is told in arcseconds."""


@dataclass(frozen=True)
class Sky:
    """Where an image lies on the sky.

    Attributes
    ----------
    x, y
        Ticks of the lower and the left edge: pixel counted from 0, and helioprojective longitude or latitude
        with its unit.
    limb
        Pixel coordinates (2, n) of the solar limb; empty where it is outside the image.
    """

    x: Edge
    y: Edge
    limb: Values


def sky_of(header: fits.Header, shape: tuple[int, ...]) -> Sky | None:
    """The solar coordinates a header gives to an image of this shape (ny, nx); `None` where it gives none."""
    wcs = _helioprojective(header)
    if wcs is None:
        return None
    ny, nx = shape[-2:]
    columns, rows = np.arange(nx, dtype=np.float64), np.arange(ny, dtype=np.float64)
    longitudes = _world(wcs, columns, np.zeros(nx))[0]
    latitudes = _world(wcs, np.zeros(ny), rows)[1]
    return Sky(_ticks(longitudes), _ticks(latitudes), _limb(wcs, header, (ny, nx)))


def _helioprojective(header: fits.Header) -> WCS | None:
    kinds = [str(header.get(f"CTYPE{axis}", "")) for axis in (1, 2)]
    if not (kinds[0].startswith("HPLN") and kinds[1].startswith("HPLT")):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of dates and observers that the drawing does not need
            return WCS(header).celestial
    except Exception:
        return None


def _world(wcs: WCS, x: Values, y: Values) -> tuple[Values, Values]:
    """Longitude (−180 to 180) and latitude in degrees."""
    longitude, latitude = wcs.wcs_pix2world(x, y, 0)
    return (np.asarray(longitude) + 180.0) % 360.0 - 180.0, np.asarray(latitude)


def _ticks(values: Values) -> Edge:
    """Round values along an edge; none where the coordinate turns back or is not defined."""
    steps = np.diff(values)
    if not np.isfinite(values).all() or not steps.size or not (np.all(steps > 0) or np.all(steps < 0)):
        return ()
    span = abs(values[-1] - values[0])
    scale, sign = (_ARCSEC, "″") if span < _WIDEST_IN_ARCSEC else (1.0, "°")
    wanted = span * scale / _INTERVALS
    power = 10.0 ** np.floor(np.log10(wanted))
    step = next(one * power for one in _STEPS if one * power >= wanted)
    low, high = sorted((values[0] * scale, values[-1] * scale))
    rounds = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    order = slice(None) if values[-1] > values[0] else slice(None, None, -1)
    pixels = np.interp(rounds / scale, values[order], np.arange(len(values))[order])
    return tuple(
        (float(pixel), f"{value:g}{sign}".replace("-", "−"))
        for pixel, value in zip(pixels, rounds, strict=True)
    )


def _limb(wcs: WCS, header: fits.Header, shape: tuple[int, int]) -> Values:
    """Pixels (x, y) of the limb, a circle of the Sun's apparent radius; empty when none is in the image."""
    nothing = np.empty((2, 0))
    radius = _radius(header)
    if radius is None:
        return nothing
    angle = np.radians(np.arange(0.0, 361.0))
    try:
        x, y = wcs.wcs_world2pix(radius * np.sin(angle), radius * np.cos(angle), 0)
    except Exception:
        return nothing
    inside = (x > -0.5) & (x < shape[1] - 0.5) & (y > -0.5) & (y < shape[0] - 0.5)
    return np.stack([x, y]) if inside.any() else nothing


def _radius(header: fits.Header) -> float | None:
    """The Sun's apparent radius in degrees, as the header gives it or its distance implies."""
    for keyword in ("RSUN_OBS", "RSUN"):
        value = header.get(keyword)
        if isinstance(value, (int, float)) and value > 0:
            return float(value) / _ARCSEC
    distance = header.get("DSUN_OBS")
    if isinstance(distance, (int, float)) and distance > _SOLAR_RADIUS_M:
        return float(np.degrees(np.arcsin(_SOLAR_RADIUS_M / distance)))
    return None
