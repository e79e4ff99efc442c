"""The Sun as SOHO sees it: distance, apparent radius, latitude of the disk's centre."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

#: MJD of 2000 January 1, 0 h, which solar_ephem.pro counts days from.
_J2000: Final = 51544
#: Degrees that the Sun's radius is wide at one astronomical unit (solar_ephem.pro).
_RADIUS: Final = 0.2666
#: SOHO's distance beside the Earth's: it is kept about the point L1 (solar_ephem.pro, /SOHO).
_SOHO: Final = 0.99
_AU_M: Final = 149_597_870_700.0
#: Inclination of the Sun's equator, and longitude of its ascending node in 1850 with its change (Carrington's
#: elements; Meeus 1998, Astronomical Algorithms, chapter 29).
_INCLINATION: Final = 7.25
_NODE: Final = 73.6667
_NODE_PER_DAY: Final = 1.395833 / 36525.0
_MJD_1850: Final = -3242  # of 1850 January 1.0


class Sun(NamedTuple):
    """What is seen of it from SOHO.

    Attributes
    ----------
    distance
        Metres.
    radius
        Arcseconds.
    latitude
        Degrees, heliographic, of the disk's centre, as seen from the Earth: SOHO is never more than 0.3
        degrees from the line to it.
    """

    distance: float
    radius: float
    latitude: float


def sun(mjd: int) -> Sun:
    """Of a day (solar_ephem.pro, which takes no heed of the time of day)."""
    days = float(mjd - _J2000)
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360.0)
    units = (1.00014 - 0.01672 * math.cos(anomaly) - 0.00014 * math.cos(2.0 * anomaly)) * _SOHO
    longitude = 280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2.0 * anomaly)
    node = _NODE + _NODE_PER_DAY * (mjd - _MJD_1850)
    tilt = math.sin(math.radians(longitude - node)) * math.sin(math.radians(_INCLINATION))
    return Sun(units * _AU_M, _RADIUS / units * 3600.0, math.degrees(math.asin(tilt)))
