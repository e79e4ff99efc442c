"""The line of sight from the observatory to a place on the Sun: what moves along it, and what gravity does.

Positions and velocities of Earth and Sun are those of ERFA (epv00, as astropy's ephemeris "builtin"; its
velocities are good to some millimetres per second), the Earth's rotation follows the IERS tables that come
with astropy. Wavelengths received over wavelengths sent are exact to the second order of v/c.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.instruments.kis_lars.facts import F64, LIGHT

#: Metres; IAU 2015 Resolution B3 (nominal solar radius).
SOLAR_RADIUS: Final = 695_700_000.0
#: m³/s²; IAU 2015 Resolution B3, Sun and Earth.
_GM_SUN: Final = 1.3271244e20
_GM_EARTH: Final = 3.986004e14
#: The Sun's north pole: right ascension and declination, degrees (Archinal et al. 2018).
_POLE: Final = (286.13, 63.87)
_DAY: Final = 86400.0


class Place(NamedTuple):
    """Where the telescope looks, seen from the centre of the disk.

    Attributes
    ----------
    x, y
        Helioprojective longitude (to the west) and latitude (to the north), radians.
    """

    x: float
    y: float


class Rotation(NamedTuple):
    """Sidereal rotation ``a + b sin²B + c sin⁴B``, degrees a day."""

    a: float
    b: float
    c: float

    def at(self, sine: float) -> float:
        """Radians a second at a sine of the latitude."""
        return math.radians(self.a + self.b * sine**2 + self.c * sine**4) / _DAY


class Sight(NamedTuple):
    """A line of sight.

    Attributes
    ----------
    distance
        From the observatory to the Sun's centre, m.
    mu
        Cosine of the heliocentric angle; NaN beside the disk.
    latitude
        Heliographic, degrees; NaN beside the disk.
    motion
        Wavelength received over wavelength sent, by the motions of observatory and Sun alone.
    axis
        Cross product of the Sun's axis and the place from its centre, along the line away from the
        observatory, m: times radians a second it is the rotation's part of the velocity, m/s.
    delay
        Seconds that the light took.
    certain
        Whether the tables of the Earth's rotation reach this date.
    """

    distance: float
    mu: float
    latitude: float
    motion: float
    axis: float
    delay: float
    certain: bool


@lru_cache(maxsize=64)
def sight(moment: datetime, observatory: tuple[float, float, float], place: Place) -> Sight:
    """The line of sight at a time; three steps ask for the same.

    Parameters
    ----------
    moment
        UTC, of the middle of the exposure.
    observatory
        Geocentric place, ITRS, m.
    place
        Where the telescope looks.
    """
    from astropy import units as u
    from astropy.coordinates import EarthLocation
    from astropy.time import Time, TimeDelta

    with as_installed():
        time = Time(moment.replace(tzinfo=None), scale="utc")
        location = EarthLocation.from_geocentric(*observatory, unit=u.m)
        here, moving = location.get_gcrs_posvel(time)
        earth = _body("earth", time)
        at, velocity = earth[0] + _metres(here), earth[1] + _metres(moving, "m/s")
        delay = float(np.linalg.norm(_body("sun", time)[0] - at)) / LIGHT
        sun = _body("sun", time - TimeDelta(delay, format="sec"))
        _, status = time.get_delta_ut1_utc(return_status=True)
    to_sun = sun[0] - at
    distance = float(np.linalg.norm(to_sun))
    direction, axis = _looking(to_sun / distance, place)
    point = _hit(direction, distance, to_sun)
    toward = -direction
    inside = point is not None
    from_centre = point - to_sun if point is not None else np.zeros(3)
    return Sight(
        distance=distance,
        mu=float(toward @ from_centre) / SOLAR_RADIUS if inside else math.nan,
        latitude=math.degrees(math.asin(float(axis @ from_centre) / SOLAR_RADIUS)) if inside else math.nan,
        motion=_stretch(sun[1], toward) / _stretch(velocity, toward),
        axis=-float(toward @ np.cross(axis, from_centre)),
        delay=delay,
        certain=int(np.max(np.asarray(status))) >= 0,
    )


def gravity(distance: float, observatory: tuple[float, float, float]) -> float:
    """Wavelength received over wavelength sent, by the potentials of Sun and Earth alone.

    Parameters
    ----------
    distance
        From the Sun's centre, m.
    observatory
        Geocentric place, m.
    """
    above = _GM_SUN / distance + _GM_EARTH / math.hypot(*observatory)
    below = _GM_SUN / SOLAR_RADIUS
    return math.sqrt((1.0 - 2.0 * above / LIGHT**2) / (1.0 - 2.0 * below / LIGHT**2))


def rotation(seen: Sight, law: Rotation) -> float:
    """Velocity of the Sun's surface away from the observatory by its rotation, m/s."""
    return law.at(math.sin(math.radians(seen.latitude))) * seen.axis


def geocentric(latitude: float, longitude: float, height: float) -> tuple[float, float, float]:
    """Geocentric place, m, of degrees north and east and metres."""
    from astropy import units as u
    from astropy.coordinates import EarthLocation

    found = EarthLocation.from_geodetic(longitude * u.deg, latitude * u.deg, height * u.m)
    x, y, z = (float(one.to_value(u.m)) for one in found.to_geocentric())
    return x, y, z


def pole() -> F64:
    """Direction of the Sun's north pole, ICRS."""
    right, up = (math.radians(angle) for angle in _POLE)
    return np.array([math.cos(up) * math.cos(right), math.cos(up) * math.sin(right), math.sin(up)])


def _stretch(velocity: F64, toward: F64) -> float:
    """Frequency at rest over frequency of light that goes `toward`, of somebody who moves."""
    beta = velocity / LIGHT
    return float((1.0 - beta @ toward) / math.sqrt(1.0 - beta @ beta))


def _looking(centre: F64, place: Place) -> tuple[F64, F64]:
    """The direction of a place (Thompson 2006, A&A 449, 791), and the Sun's axis."""
    axis = pole()
    north = axis - (axis @ centre) * centre
    north = north / np.linalg.norm(north)
    west = np.cross(centre, north)
    across = math.cos(place.x) * centre + math.sin(place.x) * west
    return math.cos(place.y) * across + math.sin(place.y) * north, axis


def _hit(direction: F64, distance: float, to_sun: F64) -> F64 | None:
    """Where a line of sight meets the Sun, from the observatory; `None` beside it."""
    along = float(direction @ to_sun)
    below = along**2 - distance**2 + SOLAR_RADIUS**2
    return None if below < 0 else direction * (along - math.sqrt(below))


def _body(name: str, time: Any) -> tuple[F64, F64]:
    from astropy.coordinates import get_body_barycentric_posvel

    place, velocity = get_body_barycentric_posvel(name, time, ephemeris="builtin")
    return _metres(place), _metres(velocity, "m/s")


def _metres(vector: Any, unit: str = "m") -> F64:
    return np.asarray(vector.xyz.to_value(unit), dtype=np.float64)


@contextmanager
def as_installed() -> Iterator[None]:
    """Nothing is fetched from anywhere; a date beyond the tables takes their last value."""
    from astropy.utils.iers import conf

    with (
        conf.set_temp("auto_download", False),
        conf.set_temp("auto_max_age", None),
        conf.set_temp("iers_degraded_accuracy", "ignore"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
