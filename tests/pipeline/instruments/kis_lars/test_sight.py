"""The line of sight: motions, rotation and gravity against other ways to have them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from pipeline.instruments.kis_lars import air, facts, sight
from pipeline.instruments.kis_lars.sight import Place, Rotation
from pipeline.testing import run_step
from tests.pipeline.instruments.kis_lars import cycles

AT = datetime(2016, 10, 3, 10, 20, tzinfo=UTC)
ARCSEC = math.pi / 648_000.0
LAW = Rotation(14.713, -2.396, -1.787)


def test_latitude_of_a_place_is_that_of_sunpy() -> None:
    sunpy = pytest.importorskip("sunpy.coordinates")
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    for x, y in ((0.0, 0.0), (500.0, 300.0), (-600.0, -400.0)):
        seen = sight.sight(AT, sight.geocentric(*facts.VTT), Place(x * ARCSEC, y * ARCSEC))
        frame = sunpy.frames.Helioprojective(obstime=AT, observer="earth")
        stony = SkyCoord(x * u.arcsec, y * u.arcsec, frame=frame).transform_to(
            sunpy.frames.HeliographicStonyhurst(obstime=AT)
        )
        # sunpy's observer is the Earth's centre, up to 9 arcsec away as the Sun sees it.
        assert seen.latitude == pytest.approx(stony.lat.deg, abs=0.05)


def test_the_western_limb_goes_away_and_the_eastern_one_comes() -> None:
    here = sight.geocentric(*facts.VTT)
    west, east = (sight.rotation(sight.sight(AT, here, Place(x * ARCSEC, 0.0)), LAW) for x in (900.0, -900.0))
    assert 1800.0 < west < 2100.0
    assert -2100.0 < east < -1800.0


def test_the_earth_turns_towards_the_sun_in_the_morning() -> None:
    here = sight.geocentric(*facts.VTT)
    morning, noon, evening = (
        (sight.sight(AT.replace(hour=hour), here, Place(0.0, 0.0)).motion - 1.0) * facts.LIGHT
        for hour in (8, 13, 18)
    )
    assert morning < noon < evening
    assert evening - morning == pytest.approx(
        2 * 465.1 * math.cos(math.radians(28.3)) * math.sin(1.309), rel=0.1
    )


def test_the_motion_is_that_of_astropy_s_barycentric_correction_but_for_the_sun_s_own() -> None:
    from astropy import units as u
    from astropy.coordinates import (
        EarthLocation,
        SkyCoord,
        UnitSphericalRepresentation,
        get_body_barycentric,
        get_body_barycentric_posvel,
    )
    from astropy.time import Time

    station = EarthLocation.from_geocentric(*sight.geocentric(*facts.VTT), unit=u.m)
    time = Time(AT.replace(tzinfo=None))
    sun, moving = get_body_barycentric_posvel("sun", time, ephemeris="builtin")
    away = sun - get_body_barycentric("earth", time, ephemeris="builtin")
    away = away - station.get_gcrs(time).cartesian.without_differentials()
    seen = away.represent_as(UnitSphericalRepresentation)
    target = SkyCoord(seen.lon, seen.lat)
    toward = target.radial_velocity_correction("barycentric", obstime=time, location=station).to_value("m/s")
    direction = target.cartesian.xyz
    own = float(moving.xyz.to_value("m/s") @ direction.value)
    found = (sight.sight(AT, sight.geocentric(*facts.VTT), Place(0.0, 0.0)).motion - 1.0) * facts.LIGHT
    # Theirs is the velocity towards the target, and has the potentials of Sun and Earth at the Earth in it.
    assert found == pytest.approx(-toward + own + 2.96 + 0.21, abs=0.05)


def test_the_gravitational_redshift_is_633_m_s() -> None:
    here = sight.geocentric(*facts.VTT)
    distance = sight.sight(AT, here, Place(0.0, 0.0)).distance
    assert (sight.gravity(distance, here) - 1.0) * facts.LIGHT == pytest.approx(633.2, abs=0.3)


def test_air_is_that_of_published_pairs_of_wavelengths() -> None:
    # D lines of sodium, NIST: in air and in vacuum.
    np.testing.assert_allclose(
        air.in_air(np.array([5891.583264, 5897.558147])), [5889.950954, 5895.924237], atol=4e-5
    )
    vacuum = np.linspace(3900.0, 11000.0, 50)
    np.testing.assert_allclose(air.in_vacuum(air.in_air(vacuum)), vacuum, rtol=1e-12)


def test_a_place_beside_the_disk_is_refused_and_none_is_told() -> None:
    (sun,) = cycles.frames(cycles.of(), "before", "after")
    sun.header["DOPPLER"] = 1.0
    sun.header["CRVAL2"] = 1200.0
    with pytest.raises(Exception, match="beside the Sun"):
        run_step("solar_rotation", sun, instrument="kis_lars")
    for axis in (2, 3):
        del sun.header[f"CTYPE{axis}"]
    made = run_step("solar_rotation", sun, instrument="kis_lars")
    assert "rotation is still in" in made.caveats[0]
    assert "ROTVEL" not in made.header


def test_a_pointing_in_degrees_is_one_in_arcseconds() -> None:
    (sun,) = cycles.frames(cycles.of(mu=0.6, angle=20.0), "before", "after")
    sun.header["DOPPLER"] = 1.0
    one = run_step("solar_rotation", sun, instrument="kis_lars").header["ROTVEL"]
    for axis in (2, 3):
        sun.header[f"CUNIT{axis}"] = "deg"
        sun.header[f"CRVAL{axis}"] /= 3600.0
    assert run_step("solar_rotation", sun, instrument="kis_lars").header["ROTVEL"] == pytest.approx(
        one, abs=1e-3
    )


def test_a_date_beyond_the_tables_is_told() -> None:
    (sun,) = cycles.frames(cycles.of(), "before", "after")
    sun.header["DOPPLER"] = 1.0
    sun.header["DATE-OBS"] = "2060-10-03T10:20:00"
    made = run_step("observer_motion", sun, instrument="kis_lars")
    assert any("rotation reaches" in one for one in made.caveats)
