"""The turning Sun: places of its disk in longitude and latitude, and where they were or will be."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Degrees a day: sidereal rotation of the photosphere by latitude (Snodgrass & Ulrich 1990), ``A + B sin² + C
#: sin⁴``, and what the Earth goes on in the mean.
_ROTATION: Final = (14.713, -2.396, -1.787)
_EARTH: Final = 0.9856


def rotation(latitude: F64) -> F64:
    """Synodic rotation, radians a day."""
    square = np.sin(latitude) ** 2
    a, b, c = _ROTATION
    return np.asarray(np.radians(a + b * square + c * square**2 - _EARTH))


def turned_since(west: F64, north: F64, tilt: float, days: float) -> tuple[F64, F64]:
    """Longitude from the central meridian and latitude of places of the disk, turned on by some days.

    Parameters
    ----------
    west, north
        Solar radii from the disk's centre, less than 1 away from it.
    tilt
        Radians by which the north pole leans towards the observer (B0).
    days
        By how many the surface turns on; negative: where it was.
    """
    toward = np.sqrt(np.maximum(1.0 - west**2 - north**2, 0.0))
    sine = np.clip(north * math.cos(tilt) + toward * math.sin(tilt), -1.0, 1.0)
    latitude = np.arcsin(sine)
    longitude = np.arctan2(west, toward * math.cos(tilt) - north * math.sin(tilt))
    return longitude + rotation(latitude) * days, latitude


def moved(west: F64, north: F64, tilt: float, days: float) -> tuple[F64, F64]:
    """Where places of the disk are some days on; NaN once they are behind the limb.

    Parameters
    ----------
    west, north, tilt, days
        As for `turned_since`.
    """
    longitude, latitude = turned_since(west, north, tilt, days)
    x = np.cos(latitude) * np.sin(longitude)
    forward = np.cos(latitude) * np.cos(longitude)
    y = np.sin(latitude) * math.cos(tilt) - forward * math.sin(tilt)
    seen = np.sin(latitude) * math.sin(tilt) + forward * math.cos(tilt) > 0.0
    return np.where(seen, x, np.nan), np.where(seen, y, np.nan)
