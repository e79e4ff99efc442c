"""The sunspot that a simulated slit is moved across: drawn, not observed.

A field that is strongest and upright in the umbra and lies down outwards, an outflow along it in the
penumbra, and granules around it, as every textbook has them; what is true of each pixel is kept.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from pipeline.instruments.kis_gris.lines import LINES, Region
from pipeline.instruments.kis_gris.simulate.config import SimulationConfig
from pipeline.instruments.kis_gris.simulate.forward import (
    Atmosphere,
    Opacity,
    stokes,
    strength_for,
)
from pipeline.instruments.kis_gris.simulate.zeeman import F64

#: Radii of the spot within which the umbra lies.
_UMBRA: Final = 0.42
#: Gauss in the middle of the umbra, at the spot's edge, and in the quiet Sun.
_FIELD: Final = (2600.0, 850.0, 60.0)
#: Degrees of the field's inclination against the vertical at the spot's edge.
_FLAT: Final = 72.0
#: km/s of the outflow in the outer penumbra, and of granules (standard deviation).
_FLOW: Final = (2.2, 0.45)
#: Brightness of umbra and penumbra, and contrast of granules.
_BRIGHTNESS: Final[dict[Region, tuple[float, float, float]]] = {
    "1083": (0.35, 0.80, 0.05),
    "1565": (0.52, 0.86, 0.025),
}
#: Share of the source function's gradient in the continuum.
_GRADIENT: Final = 0.68
#: Å and pure number: Doppler width and damping of the lines of each region; widths of the 1.56 µm lines give
#: the atlas' full widths at half depth within a tenth.
_WIDTH: Final[dict[Region, tuple[float, float]]] = {"1083": (0.085, 0.25), "1565": (0.155, 0.12)}


class Scene(NamedTuple):
    """What is true of each pixel, shape (y, x): the atmosphere, and the coordinates in arcsec."""

    atmosphere: Atmosphere
    west: F64
    north: F64


def scene(config: SimulationConfig, number: int = 1) -> Scene:
    """The scene of a map; granules of the next map are others."""
    rows, steps = config.rows, config.steps
    along = (np.arange(rows) - 0.5 * (rows - 1)) * config.scale
    across = (np.arange(steps) - 0.5 * (steps - 1)) * config.step_size
    up, right = np.meshgrid(along, across, indexing="ij")
    angle = np.radians(config.angle)
    west = config.centre[0] + right * np.cos(angle) - up * np.sin(angle)
    north = config.centre[1] + right * np.sin(angle) + up * np.cos(angle)
    x, y = west - config.centre[0], north - config.centre[1]
    return Scene(_spot(config, np.hypot(x, y) / config.radius, np.arctan2(y, x), number), west, north)


def _spot(config: SimulationConfig, distance: F64, bearing: F64, number: int) -> Atmosphere:
    random = np.random.default_rng((config.seed, 77, number))
    granules = gaussian_filter(random.normal(size=distance.shape), 0.6 / config.scale, mode="wrap")
    granules /= granules.std() or 1.0
    filaments = 1.0 + 0.08 * np.sin(18.0 * bearing) * (distance > _UMBRA)
    inside = 0.5 * (1.0 - np.tanh((distance - 1.0) / 0.05))
    umbra = 0.5 * (1.0 - np.tanh((distance - _UMBRA) / 0.06))
    strongest, edge, quiet = _FIELD
    field = inside * (edge + (strongest - edge) * np.exp(-((distance / 0.62) ** 2))) * filaments
    field = field + (1.0 - inside) * quiet * (1.5 + np.clip(granules, -1.0, 2.0))
    tilt = inside * _FLAT * np.clip(distance, 0.0, 1.0) ** 1.2 + (1.0 - inside) * (60.0 + 12.0 * granules)
    tilt = np.clip(tilt, 0.0, 180.0)
    dark, grey, contrast = _BRIGHTNESS[config.region]
    outside = 1.0 + contrast * granules
    penumbra = grey * (1.0 + 0.5 * contrast * granules) * (2.0 - filaments)
    brightness = umbra * dark + (1.0 - umbra) * (inside * penumbra + (1.0 - inside) * outside)
    outflow = _FLOW[0] * inside * (1.0 - umbra) * np.clip(distance, 0.0, 1.0) * np.cos(bearing)
    velocity = outflow - _FLOW[1] * (1.0 - inside) * granules
    velocity = velocity - (velocity * (1.0 - inside)).sum() / np.maximum((1.0 - inside).sum(), 1.0) * (
        1.0 - inside
    )
    inclination = tilt if config.north_pole else 180.0 - tilt
    azimuth = np.degrees(bearing) % 180.0
    return Atmosphere(field, inclination, azimuth, velocity, brightness, np.full_like(field, _GRADIENT))


def opacities(region: Region) -> list[Opacity]:
    """The photosphere's lines of a region, as strong as in the quiet Sun."""
    width, damping = _WIDTH[region]
    return [
        Opacity(line, width, damping, strength_for(line.depth, damping, _GRADIENT))
        for line in LINES[region]
        if line.lower is not None
    ]


def veil(region: Region, wavelengths: F64) -> F64:
    """What chromosphere and Earth's air let through at each wavelength: lines without polarisation."""
    through = np.ones_like(wavelengths)
    for line in LINES[region]:
        if line.lower is None:
            width = 0.05 if line.telluric else 0.35
            through *= 1.0 - line.depth * np.exp(-(((wavelengths - line.wavelength) / width) ** 2))
    return through


def quiet(region: Region, wavelengths: F64) -> F64:
    """The mean spectrum of the quiet Sun: no field, no motion."""
    nothing, one = np.zeros(1), np.ones(1)
    still = Atmosphere(nothing, nothing, nothing, nothing, one, one * _GRADIENT)
    return np.asarray(stokes(wavelengths, still, opacities(region))[0, :, 0] * veil(region, wavelengths))
