"""A simulated raw scan through both recipes, against what it was made from."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from pipeline.instruments.kis_gris.simulate.detector import FRINGES, FROM_I, FROM_V, INTO_V
from pipeline.instruments.kis_gris.simulate.recovery import Recovered
from pipeline.outcome import Status
from pipeline.quality import Quality, flagged
from pipeline.registry import recognise
from pipeline.testing import assert_provenance
from tests.pipeline.instruments.kis_gris import raw


@lru_cache(maxsize=1)
def recovered() -> Recovered:
    given = [one for one in raw.references() if one.name != "atlas"]
    return raw.recover(raw.CONFIG, raw.scan(), given)


def test_a_raw_file_is_recognised_with_the_axes_of_the_detector() -> None:
    frame = raw.frames_of(raw.scan())[0]
    entry = recognise(frame.header)
    assert entry.describe(frame.header).level == "0"
    layout = entry.layout(frame.header, "0", frame.data.shape)
    assert layout.dims == ("state", "wavelength", "y")
    assert layout.of_quality.dims == ("wavelength", "y")


def test_nothing_but_the_noise_of_counting_is_left_in_the_polarisation() -> None:
    found = recovered()
    for residual in found.residual[1:]:
        assert residual == pytest.approx(raw.CONFIG.noise, rel=0.12)
    # What the flat's own noise and the mean of its gain leave in lines.
    assert found.residual[0] < 0.005


def test_wavelengths_are_right_to_a_few_hundredths_of_a_pixel() -> None:
    assert max(map(abs, recovered().wavelengths)) < 0.04 * raw.CONFIG.sampling.step


def test_crosstalk_and_fringes_are_found_as_they_were_put_in() -> None:
    header = recovered().cube.header
    for letter, value in zip("QUV", FROM_I, strict=True):
        assert header[f"XTALK_I{letter}"] == pytest.approx(value, abs=3e-4)
    for name, value, error in (
        ("VQ", FROM_V[0], 0.002),
        ("VU", FROM_V[1], 0.002),
        ("QV", INTO_V[0], 0.006),
        ("UV", INTO_V[1], 0.006),
    ):
        assert header[f"XTALK_{name}"] == pytest.approx(value, abs=error)
    assert header["XTALK_V"] == "corrected"
    periods = [float(one) for one in header["FRINGES"].split(", ")]
    assert periods == pytest.approx([period for period, *_ in FRINGES], abs=0.01)


def test_bad_pixels_are_interpolated_and_flagged_and_the_product_says_what_was_done() -> None:
    made = raw.level_1().made
    bad = flagged(made.quality, Quality.INTERPOLATED)
    assert 0 < bad.sum() <= made.header["NBADPIX"]
    assert np.isfinite(made.data).all()
    assert_provenance(
        made,
        *("DARK-SUBTRACTION", "FLATFIELDING", "DEMODULATION", "SPECTRAL-COORDINATE-CORRECTION"),
        *("CALIBRATION", "FILTERING", "CALIBRATION"),
    )
    assert {"dark", "flat", "modulation"} <= set(made.header["SIMCALS"].split(", "))
    assert (made.header["BUNIT"], made.header["CTYPE3"], made.header["CTYPE1"]) == ("", "AWAV", "HPLN-TAN")


def test_without_dark_it_is_told() -> None:
    found = raw.level_1(lacking=("atlas", "dark"))
    assert any("no dark" in text for text in found.made.caveats)
    assert found.made.header["PRMODE2"].startswith("NO-DARK")


def test_without_a_flat_it_has_to_be_assumed_and_brightness_is_the_slit_s_own() -> None:
    refused = raw.level_1(lacking=("atlas", "flat"))
    assert refused.outcome.status is Status.QUARANTINED
    assert "flat" in refused.outcome.reason
    made = raw.level_1(lacking=("atlas", "flat"), flat_field__enabled=False).made
    assert any("brightest rows" in text for text in made.caveats)
    assert any("bright rows of this slit position" in text for text in made.caveats)
    assert made.header["OMIT1"] == "flat_field"


def test_without_modulation_matrix_the_header_s_coefficients_are_taken_or_the_file_is_put_aside() -> None:
    refused = raw.level_1(lacking=("atlas", "modulation"))
    assert refused.outcome.status is Status.QUARANTINED
    assert (refused.outcome.keyword, refused.outcome.found) == ("COEFI-1", "absent")
    frames = [raw.with_coefficients(raw.frames_of(raw.scan())[0])]
    made = raw.level_1(frames, lacking=("atlas", "modulation")).made
    assert any("coefficients of the header" in text for text in made.caveats)
    truth = raw.scan().profiles[0][..., :1]
    assert np.sqrt(np.mean((made.data[0] - truth[0]) ** 2)) < 0.01
    assert np.corrcoef(made.data[3].ravel(), truth[3].ravel())[0, 1] > 0.95


def test_an_atlas_goes_before_the_list_of_lines() -> None:
    made = raw.level_1(lacking=()).made
    assert not any("not on an atlas" in text for text in made.caveats)
    at = raw.CONFIG.wavelengths
    assert made.header["CRVAL3"] == pytest.approx(at[0], abs=0.002)
    lines = raw.level_1()
    assert any("rests on 4 lines" in text for text in lines.made.caveats)


def test_a_quiet_sun_that_comes_towards_us_is_seen_at_shorter_wavelengths() -> None:
    at_rest, rising = raw.level_1().made.header, raw.level_1(wavelength_scale__blueshift=1000.0).made.header
    shift = 1000.0 / 299792458.0
    assert rising["CRVAL3"] == pytest.approx(at_rest["CRVAL3"] * (1 - shift), abs=2e-6)


def test_a_spectrum_of_another_place_is_not_given_wavelengths() -> None:
    refused = raw.level_1(wavelength_scale__middle=15900.0)
    assert refused.outcome.status is Status.QUARANTINED
    assert refused.outcome.keyword == "WAVELENG"


def test_files_with_several_slit_positions_become_wider() -> None:
    first, second = raw.frames_of(raw.scan())[:2]
    both = first.replace(data=np.concatenate([first.data, second.data]), quality=first.quality[0])
    made = raw.level_1([both]).made
    apart = [raw.level_1([one]).made for one in (first, second)]
    assert made.data.shape[-1] == 2
    np.testing.assert_allclose(made.data[0, ..., 0], apart[0].data[0, ..., 0], rtol=5e-3)
    np.testing.assert_allclose(made.data[0, ..., 1], apart[1].data[0, ..., 0], rtol=5e-3)
    odd = first.replace(data=first.data[:3], quality=first.quality[0])
    assert raw.level_1([odd]).outcome.keyword == "NAXIS3, NAXIS1"


def test_a_flat_of_another_window_is_refused() -> None:
    frame = raw.frames_of(raw.scan())[0]
    narrow = frame.replace(data=frame.data[:, :200], quality=frame.quality[:, :200])
    refused = raw.level_1([narrow])
    assert refused.outcome.status is Status.QUARANTINED
    assert "not of this detector window" in refused.outcome.reason
