"""The cameras as the simulator takes them: optics, detector, telemetry; and what is assumed of them.

Cited: plate scale, distortion, bias, calibration factors and blocks are those of the mission's programs
(`tables`, `blocks`). Assumed, because the mission's files of them are public nowhere that was at hand:
vignetting, shadow of occulter and pylon, stray light, electrons per number, read noise. Every simulated
header says so.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco import ephemeris, facts, tables
from pipeline.instruments.soho_lasco.simulate.config import SimulationConfig
from pipeline.instruments.soho_lasco.simulate.scene import F64, Light, corona

#: Assumed: electrons of one number, and noise of the read-out in electrons.
ELECTRONS: Final = 15.0
READ_NOISE: Final = 10.0
#: Assumed: distances from the Sun's centre in solar radii where the occulter ends, and where nothing is cut
#: any more.
_SHADOW: Final[dict[tables.Detector, tuple[float, float]]] = {"C2": (2.1, 6.5), "C3": (3.7, 12.0)}
#: Assumed: position of the pylon of C3, degrees counterclockwise from the image's right, and half its width
#: in pixels.
_PYLON: Final = (-135.0, 11.0)
#: Assumed: stray light of C3, MSB at the image's centre, and what it rises by from left to right.
_STRAY: Final = (2.2e-11, 0.5)
ASSUMED: Final = (
    f"vignetting, shadows of occulter and pylon, stray light, {ELECTRONS:g} electrons/DN, read noise "
    f"{READ_NOISE:g} e"
)


def grid() -> tuple[F64, F64]:
    """Columns and rows of all CCD pixels."""
    y, x = np.indices((tables.CCD_SIZE, tables.CCD_SIZE), dtype=np.float64)
    return x, y


def radii_per_pixel(config: SimulationConfig) -> float:
    """Solar radii that a CCD pixel spans."""
    seen = ephemeris.sun(int(facts.mjd_of(config.start))).radius
    return tables.PLATE_SCALE[config.detector] / seen


def sky(config: SimulationConfig, x: F64, y: F64) -> Light:
    """Light of places on the CCD as optics without distortion would put it there; pixels counted from 0."""
    xc, yc = config.sun_centre
    roll, pixel = np.radians(config.roll), radii_per_pixel(config)
    east, north = (x - xc) * pixel, (y - yc) * pixel
    across, up = np.cos(roll) * east - np.sin(roll) * north, np.sin(roll) * east + np.cos(roll) * north
    return corona(across, up, pixel, config.front)


def without_distortion(config: SimulationConfig, x: F64, y: F64) -> tuple[F64, F64]:
    """The place in an image without distortion of what lies at a place of the CCD: the polynomial, inverted.

    Newton's method on the distance; nothing of the mesh that the chain corrects with.
    """
    xc, yc = tables.OPTICAL_CENTRE[config.detector]
    first, third, fifth = tables.DISTORTION[config.detector]
    distance = np.hypot(x - xc, y - yc)
    found = distance.copy()
    for _ in range(8):
        mm = tables.PIXEL_MM * found
        value = found + mm * (first + third * mm**2 + fifth * mm**4) / tables.PIXEL_MM - distance
        found = found - value / (1.0 + first + 3.0 * third * mm**2 + 5.0 * fifth * mm**4)
    growth = found / np.maximum(distance, 1e-9)
    return xc + growth * (x - xc), yc + growth * (y - yc)


def transmission(config: SimulationConfig) -> F64:
    """Part of the light that the occulter lets through, on the CCD as taken; 0 in its shadow."""
    x, y = grid()
    xc, yc = config.sun_centre
    begin, end = _SHADOW[config.detector]
    distance = np.hypot(x - xc, y - yc) * radii_per_pixel(config)
    through = np.clip((distance - begin) / (end - begin), 0.0, 1.0)
    corner = np.hypot(x - 511.5, y - 511.5) / 511.5
    return np.asarray(through**0.7 * np.clip(1.0 - 0.25 * corner**4, 0.2, None))


def seen(config: SimulationConfig) -> NDArray[np.bool_]:
    """Where C3 sees the sky: not behind its occulter, the pylon, or in the corners; all of C2."""
    x, y = grid()
    if config.detector == "C2":
        return np.ones(x.shape, dtype=bool)
    xc, yc = tables.OPTICAL_CENTRE["C3"]
    angle, half = np.radians(_PYLON[0]), _PYLON[1]
    along = (x - xc) * np.cos(angle) + (y - yc) * np.sin(angle)
    across = -(x - xc) * np.sin(angle) + (y - yc) * np.cos(angle)
    distance = np.hypot(x - xc, y - yc)
    pylon = (along > 0) & (np.abs(across) < half)
    return np.asarray((distance * radii_per_pixel(config) > 4.0) & ~pylon & (distance < 560.0))


def stray_light(config: SimulationConfig) -> F64:
    """Stray light on the CCD in MSB; none in C2 and behind other filters."""
    x, _ = grid()
    if config.detector == "C2" or config.colour != "Clear":
        return np.zeros_like(x)
    level, rise = _STRAY
    return level * (1.0 + rise * (x - 511.5) / 511.5)
