"""Simulated cycles through the whole chain, against what was put into them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.instruments.kis_lars.facts import LIGHT
from pipeline.testing import assert_provenance, run_recipe
from tests.pipeline.instruments.kis_lars import cycles

#: μ and velocities, m/s, of Löhner-Böttcher et al. 2018, A&A 611, A4, table 2: cores of 6301.5 and 6302.5,
#: mean bisector of 6302.5.
PUBLISHED = {1.0: (-107, -164, -295), 0.8: (-82, -178, -260), 0.5: (-18, -115, -221), 0.3: (85, 33, -94)}
#: Mean of (1 - part of the depth)² from 5 to 97 %: how much of its bend a bisector's mean has.
MEAN_BEND = 0.3107


@pytest.mark.parametrize("velocity", [-2000.0, -150.0, 0.0, 633.0, 3000.0])
def test_velocities_come_back_to_a_decimetre_a_second_without_noise(velocity: float) -> None:
    made = cycles.of(velocity=velocity, mu=0.6, angle=35.0, **cycles.QUIET)
    header = cycles.level_1(cycles.frames(made)).header
    for number in (1, 2):
        assert header[f"VCOR{number}"] == pytest.approx(velocity, abs=0.1)
        assert header[f"VBIS{number}"] == pytest.approx(velocity, abs=0.1)


def test_velocities_come_back_to_a_metre_a_second_with_noise_as_sure_as_their_errors_say() -> None:
    away: dict[str, list[float]] = {"COR": [], "BIS": []}
    sure: dict[str, list[float]] = {"COR": [], "BIS": []}
    for seed in range(10):
        made = cycles.of(velocity=300.0, mu=0.7, angle=200.0, seed=seed)
        header = cycles.level_1(cycles.frames(made)).header
        for what in away:
            away[what] += [header[f"V{what}{number}"] - 300.0 for number in (1, 2)]
            sure[what] += [header[f"E{what}{number}"] for number in (1, 2)]
    for what, found in away.items():
        assert np.sqrt(np.mean(np.square(found))) < 1.0
        assert 0.5 < np.std(np.divide(found, sure[what])) < 1.5


@pytest.mark.parametrize("mu", PUBLISHED)
@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, 250.0])
def test_published_convective_shifts_come_back_at_every_place_of_the_disk(mu: float, angle: float) -> None:
    first, second, mean = PUBLISHED[mu]
    made = cycles.of(
        mu=mu,
        angle=angle,
        core={6301.5008: first, 6302.4932: second},
        bend={6302.4932: (mean - second) / MEAN_BEND},
        **cycles.QUIET,
    )
    header = cycles.level_1(cycles.frames(made)).header
    assert header["VCOR1"] == pytest.approx(first, abs=0.2)
    assert header["VCOR2"] == pytest.approx(second, abs=1.5)
    assert header["VBIS2"] == pytest.approx(mean, abs=6.0)
    # What the spectrograph and its pixels do to a bent line is in the truth as well.
    assert header["VBIS2"] == pytest.approx(made.truth.lines[6302.4932].mean, abs=0.1)


def test_the_bisector_is_that_of_the_line_at_every_depth() -> None:
    made = cycles.of(core={6302.4932: -170.0}, bend={6302.4932: -400.0}, **cycles.QUIET)
    given = cycles.frames(made)
    (ran,) = run_recipe("kis_lars-l1", given, members=3)
    table = ran.outputs["bisectors"]
    assert table.dims == ("line", "depth")
    assert (table.header["DEPTH0"], table.header["DEPTHSTP"]) == pytest.approx((0.05, 0.01))
    assert table.header["BUNIT"] == "m/s"
    np.testing.assert_allclose(table.data[1], made.truth.lines[6302.4932].bisector, atol=0.5)
    assert np.isnan(table.data[2:]).all()


def test_all_that_was_taken_out_is_the_stretch_of_the_light() -> None:
    # The simulator differentiates travel times; the steps have velocities and formulas.
    for mu, angle in ((1.0, 0.0), (0.4, 10.0), (0.4, 190.0), (0.25, 75.0)):
        made = cycles.of(mu=mu, angle=angle, **cycles.QUIET)
        header = cycles.level_1(cycles.frames(made)).header
        assert header["MU"] == pytest.approx(mu, abs=1e-5)
        assert header["VELOSYS"] == pytest.approx((made.truth.stretch - 1.0) * LIGHT, abs=0.05)


def test_spectra_of_one_setting_lie_on_one_grid_and_are_continuum_at_one() -> None:
    first = cycles.level_1(cycles.frames(cycles.of(mu=0.5, angle=0.0)))
    other = cycles.level_1(cycles.frames(cycles.of(mu=0.5, angle=180.0, cycle=2)))
    for name in ("CRVAL1", "CDELT1", "CTYPE1"):
        assert first.header[name] == other.header[name]
    assert first.header["CTYPE1"] == "AWAV"
    seen = np.isfinite(first.data)
    assert np.median(first.data[seen]) == pytest.approx(1.0, abs=2e-4)
    assert_provenance(
        first,
        "CALIBRATION",
        *["SPECTRAL-COORDINATE-CORRECTION"] * 5,
        "RADIOMETRIC-CALIBRATION",
        "LINE-FITTING",
    )


def test_the_red_line_of_6173_is_measured_too() -> None:
    header = cycles.level_1(cycles.frames(cycles.of(region=617, velocity=40.0))).header
    assert header["LINE1"] == "Fe I 6173.3"
    assert header["VBIS1"] == pytest.approx(40.0, abs=1.0)
    assert "LINE2" not in header
