"""Spectra of the Sun with pixels that are saturated or lost."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.quality import Quality
from tests.pipeline.instruments.kis_lars import cycles


def with_value(frame: Frame, place: int, value: float) -> Frame:
    """The same spectrum with one pixel of another value."""
    data = frame.data.copy()
    data[place] = value
    return frame.replace(data=data)


def test_a_continuum_that_is_saturated_is_refused() -> None:
    outcome = cycles.refusal(cycles.frames(cycles.of(photons=9e7)))
    assert "too little continuum" in outcome.reason


def test_a_lost_pixel_beside_the_lines_changes_nothing_but_itself() -> None:
    made = cycles.of(velocity=100.0, **cycles.QUIET)
    given = cycles.frames(made)
    given[1] = with_value(given[1], 150, np.nan)
    frame = cycles.level_1(given)
    assert frame.header["VBIS2"] == pytest.approx(100.0, abs=0.1)
    lost = (frame.quality & Quality.MISSING) != 0
    assert 1 <= lost.sum() < 12
    assert np.isnan(frame.data[lost]).all()
    assert frame.caveats == ()


def test_a_line_with_a_lost_pixel_is_left_out_and_told() -> None:
    made = cycles.of(velocity=100.0, **cycles.QUIET)
    given = cycles.frames(made)
    given[1] = with_value(given[1], int(np.argmin(given[1].data)), np.nan)  # the stronger one's core
    frame = cycles.level_1(given)
    assert "VCOR1" not in frame.header
    assert any("Fe I 6301.5 could not be measured" in one for one in frame.caveats)
    assert frame.header["VBIS2"] == pytest.approx(100.0, abs=0.1)


def test_a_saturated_pixel_in_a_line_is_told() -> None:
    given = cycles.frames(cycles.of(velocity=100.0))
    given[1] = with_value(given[1], int(np.argmin(given[1].data)), 7e7)
    assert any("saturated pixels" in one for one in cycles.level_1(given).caveats)


def test_a_spectrum_without_known_lines_has_no_velocities_and_says_so() -> None:
    given = cycles.frames(cycles.of(region=617, **cycles.QUIET))
    frame = cycles.level_1(given, line_velocities__wing=3.5)
    assert "no line" in frame.caveats[-1]
    assert "VCOR1" not in frame.header


def test_an_exposure_of_the_sun_without_any_value_is_refused() -> None:
    given = cycles.frames(cycles.of(**cycles.QUIET))
    given[1] = given[1].replace(data=np.full_like(given[1].data, np.nan))
    assert "no value" in cycles.refusal(given).reason


@pytest.mark.parametrize(
    ("name", "value"), [("CRVAL1", 1e308), ("CRVAL1", -5.0), ("CDELT1", 1e6), ("CRPIX1", 1e30)]
)
def test_wavelengths_that_no_spectrograph_sees_are_refused(name: str, value: float) -> None:
    given = cycles.frames(cycles.of(**cycles.QUIET))
    for frame in given:
        frame.header[name] = value
    outcome = cycles.refusal(given)
    assert outcome.keyword == "CRVAL1, CRPIX1, CDELT1"


@pytest.mark.parametrize("place", [(0.0, 0.0, 0.0), (5390.2, -1597.7, 3007.1), (1e308, 1e308, 1e308)])
def test_an_observatory_that_is_not_on_the_earth_is_refused(place: tuple[float, float, float]) -> None:
    given = cycles.frames(cycles.of(**cycles.QUIET))
    for frame in given:
        for axis, value in zip("XYZ", place, strict=True):
            frame.header[f"OBSGEO-{axis}"] = value
    assert "does not stand on the Earth" in cycles.refusal(given).reason
