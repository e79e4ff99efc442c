"""Ticks and limb of a panel lie where the coordinate system of its header puts them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from heliolake.demo.sky import sky_of


def header(**cards: object) -> fits.Header:
    """A square image of 100 pixels, 30″ each, the Sun's centre in pixel (51, 41) counted from 1."""
    found = fits.Header()
    found.update({"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec"})
    found.update({"CRPIX1": 51.0, "CRPIX2": 41.0, "CRVAL1": 0.0, "CRVAL2": 0.0})
    found.update({"CDELT1": 30.0, "CDELT2": 30.0, "RSUN_OBS": 960.0})
    found.update(cards)
    return found


def test_ticks_are_round_and_stand_at_their_pixels() -> None:
    sky = sky_of(header(), (100, 100))
    assert sky is not None
    assert [label for _, label in sky.x] == ["−1000″", "0″", "1000″"]
    # A tangential projection of half a degree is linear to a thousandth of a pixel.
    assert [pixel for pixel, _ in sky.x] == pytest.approx([50 - 1000 / 30, 50, 50 + 1000 / 30], abs=0.02)
    assert {label: pixel for pixel, label in sky.y}["0″"] == pytest.approx(40, abs=0.02)


def test_the_limb_is_a_circle_of_the_apparent_radius_about_the_centre() -> None:
    sky = sky_of(header(), (100, 100))
    assert sky is not None
    assert np.hypot(sky.limb[0] - 50, sky.limb[1] - 40) == pytest.approx(32, abs=0.01)


def test_the_distance_tells_the_radius_where_nothing_else_does() -> None:
    sky = sky_of(header(RSUN_OBS=None, DSUN_OBS=1.495978707e11), (100, 100))
    assert sky is not None
    assert np.hypot(sky.limb[0] - 50, sky.limb[1] - 40) == pytest.approx(959.63 / 30, abs=0.02)


def test_a_field_beside_the_sun_has_degrees_and_no_limb() -> None:
    wide = {"CDELT1": 300.0, "CDELT2": 300.0, "CRVAL1": -14.0 * 3600}
    sky = sky_of(header(**wide), (100, 100))
    assert sky is not None
    assert "−14°" in [label for _, label in sky.x]
    assert sky.limb.size == 0


def test_an_image_upside_down_has_its_ticks_in_the_other_order() -> None:
    sky = sky_of(header(CDELT1=-30.0), (100, 100))
    assert sky is not None
    pixels = {label: pixel for pixel, label in sky.x}
    assert pixels["−1000″"] > pixels["1000″"]


@pytest.mark.parametrize(
    "cards", [{"CTYPE1": "RA---TAN"}, {"CTYPE2": ""}, {"CTYPE1": "HPLN-XXX"}, {"CDELT1": 0.0}]
)
def test_a_header_without_usable_solar_coordinates_gives_none(cards: dict[str, object]) -> None:
    sky = sky_of(header(**cards), (100, 100))
    assert sky is None or sky.x == ()
