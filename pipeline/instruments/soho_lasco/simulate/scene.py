"""The corona that a simulated camera looks at, in mean solar brightness. No observation is in it.

K-corona and F-corona fall off as Baumbach's polynomial has it; streamers, a hole, and the front of a mass
ejection are drawn. Light of the K-corona is polarised along the limb, the more the farther out; that of the
F-corona is not.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Position angle (degrees from north through east), half width (degrees) and strength of streamers.
_STREAMERS: Final = (
    (62.0, 7.0, 1.6),
    (95.0, 11.0, 1.0),
    (238.0, 6.0, 1.8),
    (268.0, 13.0, 1.2),
    (301.0, 5.0, 0.9),
)
#: Position angle, half opening and strength of the front of a mass ejection.
_FRONT: Final = (262.0, 32.0, 1.8)
_STARS: Final = 40


class Light(NamedTuple):
    """Brightness and its polarised part (Stokes Q and U about solar north), MSB."""

    total: F64
    q: F64
    u: F64


def corona(x: F64, y: F64, pixel: float, front: float | None = None) -> Light:
    """Light of places on the sky.

    Parameters
    ----------
    x, y
        Solar radii from the Sun's centre to the west and to the north.
    pixel
        Solar radii that a pixel of the camera spans; its stars are about as wide.
    front
        Distance of the front of a mass ejection in solar radii.
    """
    distance = np.maximum(np.hypot(x, y), 1.0)
    angle = np.degrees(np.arctan2(-x, y)) % 360.0
    dust = 1e-6 * 0.0532 * distance**-2.5 * (1.0 + 0.08 * np.cos(np.radians(2.0 * (angle - 80.0))))
    electrons = 1e-6 * (1.425 * distance**-7 + 2.565 * distance**-17) + 2.5e-8 * distance**-3.0
    electrons = electrons * (0.35 + _rays(angle, distance))
    if front is not None:
        electrons = electrons + _ejection(angle, distance, front)
    stars = _stars(x, y, pixel)
    degree = 0.75 * (1.0 - distance**-1.5)
    # Polarised along the limb: the plane lies across the radius.
    plane = np.radians(angle + 90.0)
    polarised = degree * electrons
    return Light(dust + electrons + stars, polarised * np.cos(2.0 * plane), polarised * np.sin(2.0 * plane))


def _rays(angle: F64, distance: F64) -> F64:
    made = np.zeros_like(angle)
    for place, width, strength in _STREAMERS:
        away = (angle - place - 2.0 * np.sin(distance / 3.0) + 180.0) % 360.0 - 180.0
        made = made + strength * np.exp(-0.5 * (away / width) ** 2)
    return made


def _ejection(angle: F64, distance: F64, front: float) -> F64:
    place, width, strength = _FRONT
    away = ((angle - place + 180.0) % 360.0 - 180.0) / width
    inside = np.clip(1.0 - away**2, 0.0, None)
    crest = front * np.sqrt(np.clip(1.0 - 0.35 * away**2, 0.05, None))
    shell = np.exp(-0.5 * ((distance - crest) / (0.05 * front)) ** 2)
    cavity = 0.35 * np.exp(-0.5 * ((distance - 0.6 * crest) / (0.1 * front)) ** 2)
    return strength * 4e-8 * distance**-3.0 * inside * (3.0 * shell + cavity)


def _stars(x: F64, y: F64, pixel: float) -> F64:
    """Points as wide as the optics make them, at places that are always the same."""
    random = np.random.default_rng(1995)
    reach, width = 512 * pixel, 1.2 * pixel
    made = np.zeros_like(x)
    for _ in range(_STARS):
        at_x, at_y = random.uniform(-reach, reach, 2)
        near = (np.abs(x - at_x) < 5 * width) & (np.abs(y - at_y) < 5 * width)
        far = ((x[near] - at_x) ** 2 + (y[near] - at_y) ** 2) / width**2
        made[near] += random.lognormal(np.log(1.5e-9), 0.8) * (3.0 / reach) * np.exp(-0.5 * far)
    return made
