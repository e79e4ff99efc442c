"""How much a wave is stretched on its way from a place on the turning Sun to the observatory.

The travel time is found for light that arrives some seconds before and after; its change is the Doppler
shift. Clocks at both ends run by their speed and potential.
"""

from __future__ import annotations

import math
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from pipeline.instruments.kis_lars import facts, sight
from pipeline.instruments.kis_lars.facts import F64, LIGHT

#: s, between which differences are taken.
_APART: Final = 8.0
_LAW: Final = sight.Rotation(14.713, -2.396, -1.787)
_GM: Final = (1.3271244e20, 3.986004e14)
_RADIUS: Final = 695_700_000.0


class Path(NamedTuple):
    """Wavelength received over wavelength sent, and where the telescope looks (arcsec to the west, north)."""

    stretch: float
    west: float
    north: float


@lru_cache(maxsize=64)
def path(moment: datetime, mu: float, angle: float) -> Path:
    """The light's way from a place on the disk.

    Parameters
    ----------
    moment
        UTC, at which it arrives.
    mu, angle
        Cosine of the heliocentric angle; degrees from the west limb through north.
    """
    observer, sun = _Positions(moment).at(0.0)
    away = float(np.linalg.norm(sun - observer))
    inward = (sun - observer) / away
    north = sight.pole() - (sight.pole() @ inward) * inward
    north /= np.linalg.norm(north)
    west = np.cross(inward, north)
    # The light leaves at the heliocentric angle; seen from the Sun's centre the place lies nearer to us.
    leaving = math.acos(mu)
    central = leaving - math.asin(_RADIUS * math.sin(leaving) / away)
    across, up = (math.sin(central) * part(math.radians(angle)) for part in (math.cos, math.sin))
    outward = across * west + up * north - math.cos(central) * inward
    place = sun - observer + _RADIUS * outward
    pointing = (
        math.atan2(float(place @ west), float(place @ inward)),
        math.asin(float(place @ north) / float(np.linalg.norm(place))),
    )
    arcsec = 648_000.0 / math.pi
    return Path(_stretch(moment, outward), pointing[0] * arcsec, pointing[1] * arcsec)


def _stretch(moment: datetime, outward: F64) -> float:
    positions = _Positions(moment)
    begin = _departure(positions, 0.0, outward, 0.0)
    early, late = (_departure(positions, side * _APART, outward, begin) for side in (-1, 1))
    slowed = (late - early) / (2.0 * _APART)
    # Clocks: of the Sun's surface, and of the observatory.
    surface = _Positions.speed(
        positions.place(early, outward, begin), positions.place(late, outward, begin), late - early
    )
    (first, _), (second, sun) = positions.at(-_APART), positions.at(_APART)
    observer = _Positions.speed(first, second, 2.0 * _APART)
    sent = _clock(surface, _GM[0] / _RADIUS)
    deep = _GM[0] / float(np.linalg.norm(second - sun)) + _GM[1] / math.hypot(*sight.geocentric(*facts.VTT))
    received = _clock(observer, deep)
    return received / (sent * slowed)


def _clock(speed: float, potential: float) -> float:
    """Seconds of a clock in one of coordinate time."""
    return math.sqrt(1.0 - 2.0 * potential / LIGHT**2 - (speed / LIGHT) ** 2)


def _departure(positions: _Positions, arrival: float, outward: F64, reference: float) -> float:
    """When light left that arrives at a time; both in seconds from the moment."""
    observer, _ = positions.at(arrival)
    sent = arrival - 499.0
    for _ in range(5):
        sent = arrival - float(np.linalg.norm(positions.place(sent, outward, reference) - observer)) / LIGHT
    return sent


class _Positions:
    """Where observatory and Sun are, seconds from a moment; barycentric, m."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def at(self, seconds: float) -> tuple[F64, F64]:
        from astropy import units as u
        from astropy.coordinates import EarthLocation, get_body_barycentric
        from astropy.time import Time, TimeDelta

        with sight.as_installed():
            time = Time(self.moment.replace(tzinfo=None), scale="utc") + TimeDelta(seconds, format="sec")
            latitude, longitude, height = facts.VTT
            station = EarthLocation.from_geodetic(longitude * u.deg, latitude * u.deg, height * u.m)
            earth = get_body_barycentric("earth", time, ephemeris="builtin").xyz.to_value(u.m)
            here = earth + station.get_gcrs(time).cartesian.xyz.to_value(u.m)
            sun = get_body_barycentric("sun", time, ephemeris="builtin").xyz.to_value(u.m)
        return np.asarray(here), np.asarray(sun)

    def place(self, seconds: float, outward: F64, reference: float) -> F64:
        """A place that turns with the Sun, and is where `outward` points at the time of reference."""
        axis = sight.pole()
        turned = _LAW.at(float(axis @ outward)) * (seconds - reference)
        cosine, sine = math.cos(turned), math.sin(turned)
        along = (axis @ outward) * axis
        moved = along + cosine * (outward - along) + sine * np.cross(axis, outward)
        return np.asarray(self.at(seconds)[1] + _RADIUS * moved)

    @staticmethod
    def speed(first: F64, second: F64, seconds: float) -> float:
        return float(np.linalg.norm(second - first)) / seconds
