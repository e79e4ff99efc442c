"""Lines and modes of the comb, the dispersion, and combs that are not as they should be."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.instruments.kis_lars.comb import Comb, NoComb, measure
from pipeline.instruments.kis_lars.dispersion import solve, wavelengths
from pipeline.instruments.kis_lars.facts import Nominal
from pipeline.quality import Quality
from tests.pipeline.instruments.kis_lars import cycles

COMB = Comb(1.7e9, 8e9)
NOMINAL = Nominal(6300.6, 0.003)


def doubted(frame: Frame) -> bool:
    """Whether every value of a spectrum is flagged as doubtful."""
    seen = np.isfinite(frame.data)
    return bool((frame.quality[seen] & np.uint16(Quality.LOW_CONFIDENCE)).all())


def test_modes_lie_where_the_comb_has_them() -> None:
    assert COMB.wavelength(COMB.mode(np.array([6302.0])))[0] == pytest.approx(6302.0, rel=1e-14)
    one, other = COMB.wavelength(np.array([59463.0, 59464.0]))
    assert 299_792_458e10 * (1 / other - 1 / one) == pytest.approx(8e9, rel=1e-6)


def test_the_dispersion_is_found_to_a_centimetre_a_second_without_noise() -> None:
    made = cycles.of(drift=0.0, **cycles.QUIET)
    data, _ = made.exposures["before"]
    lines = measure(data.astype(float), np.zeros(len(data), bool), COMB, NOMINAL)
    assert len(lines.mode) == 58
    solution = solve(lines, COMB, len(data), 4)
    away = (wavelengths(solution.coefficients, len(data)) / made.truth.wavelength - 1.0) * 299_792_458.0
    assert np.abs(away).max() < 0.05
    assert solution.residual < 0.01
    # The detector bends with the third power: an order too low shows in the residuals.
    assert solve(lines, COMB, len(data), 2).residual > 20.0


def test_errors_of_lines_are_those_of_their_photons() -> None:
    noisy = [cycles.of(drift=0.0, comb_photons=4e5, seed=1, cycle=number) for number in range(1, 9)]
    exact = cycles.of(drift=0.0, comb_photons=4e5, seed=1, **cycles.QUIET).exposures["before"][0]
    good = np.zeros(len(exact), bool)
    wanted = measure(exact.astype(float), good, COMB, NOMINAL)
    pulls = []
    for made in noisy:
        found = measure(made.exposures["before"][0].astype(float), good, COMB, NOMINAL)
        pulls.append((found.position - wanted.position) / found.error)
    assert 0.85 < np.std(pulls) < 1.3


def test_wavelengths_of_the_sun_lie_between_those_of_two_combs_that_drift_apart() -> None:
    made = cycles.of(drift=400.0, velocity=100.0, **cycles.QUIET)
    frame = cycles.level_1(cycles.frames(made))
    assert frame.header["VBIS2"] == pytest.approx(100.0, abs=0.1)
    assert frame.header["DSPDRIFT"] == pytest.approx(400.0, abs=0.1)
    assert frame.caveats == ()
    assert not (frame.quality & Quality.LOW_CONFIDENCE).any()


@pytest.mark.parametrize("phase", ["before", "after"])
def test_one_comb_will_do_and_the_product_says_so(phase: str) -> None:
    made = cycles.of(drift=400.0, velocity=100.0, **cycles.QUIET)
    frame = cycles.level_1(cycles.frames(made, phase))
    assert any(f"no comb {phase}" in one for one in frame.caveats)
    assert any("drift" in one for one in frame.caveats)
    assert doubted(frame)
    # 40 s of a drift that is not known.
    assert abs(frame.header["VBIS2"] - 100.0) == pytest.approx(400.0 * 40.0 / 3600.0, abs=0.2)
    assert frame.header["DSPNCOMB"] == 1
    assert "DSPDRIFT" not in frame.header


def test_saturated_lines_are_left_out_and_velocities_stay() -> None:
    made = cycles.of(comb_photons=2.4e8, velocity=100.0)
    frame = cycles.level_1(cycles.frames(made))
    assert any("saturated" in one for one in frame.caveats)
    assert 20 < frame.header["DSPLINES"] < 58
    assert frame.header["VBIS2"] == pytest.approx(100.0, abs=1.0)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"gap": 700.0}, "700 s away"),
        ({"drift": 5000.0}, "drifted by 111"),
    ],
    ids=["old", "drifting"],
)
def test_combs_that_are_far_apart_in_time_or_wavelength_are_flagged(
    settings: dict[str, float], says: str
) -> None:
    frame = cycles.level_1(cycles.frames(cycles.of(**settings, **cycles.QUIET)))
    assert any(says in one for one in frame.caveats)
    assert doubted(frame)


def test_a_comb_taken_before_both_is_not_gone_through_in_time() -> None:
    given = cycles.frames(cycles.of(drift=400.0, velocity=100.0, **cycles.QUIET))
    given[2].header["DATE-OBS"] = "2016-10-03T10:18:00.000"
    frame = cycles.level_1(given)
    assert any("does not lie between" in one for one in frame.caveats)
    assert doubted(frame)


def test_without_any_comb_a_spectrum_has_no_wavelengths() -> None:
    outcome = cycles.refusal(cycles.frames(cycles.of(), "before", "after"))
    assert "no exposure of the comb" in outcome.reason
    assert "before" in outcome.found
    assert "after" in outcome.found


def test_combs_without_the_sun_are_no_cycle() -> None:
    assert "one exposure of the Sun" in cycles.refusal(cycles.frames(cycles.of(), "sun")).reason


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"comb_photons": 6e8}, "saturated"),
        ({"comb_photons": 10.0}, "no line"),
        ({"shift": 0.42}, "do not tell which modes"),
    ],
    ids=["all lines saturated", "too faint", "grating moved"],
)
def test_combs_that_cannot_be_used_are_named_with_the_reason(settings: dict[str, float], says: str) -> None:
    assert says in cycles.refusal(cycles.frames(cycles.of(**settings))).found


def test_modes_are_numbered_right_for_a_grating_that_is_a_fifth_of_them_off() -> None:
    for shift in (-0.2, 0.2):
        made = cycles.of(shift=shift, velocity=10.0, **cycles.QUIET)
        assert cycles.level_1(cycles.frames(made)).header["VBIS2"] == pytest.approx(10.0, abs=0.1)


def test_noise_alone_is_no_comb() -> None:
    random = np.random.default_rng(5)
    with pytest.raises(NoComb):
        measure(random.normal(100.0, 10.0, 2048), np.zeros(2048, bool), COMB, NOMINAL)
