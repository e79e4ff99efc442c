"""The noise of AIA's images: aiapy's terms, carried through the chain, as simulations scatter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiapy.calibrate
import numpy as np
import pytest
from aiapy.calibrate.util import get_error_table
from astropy import units as u
from numpy.typing import NDArray

from pipeline import Frame
from pipeline.errors import BadInput
from pipeline.instruments.sdo_aia.channels import EUV, UV
from pipeline.instruments.sdo_aia.noise import BUILT_IN, read_error_table
from pipeline.instruments.sdo_aia.psf import point_spread_function
from pipeline.instruments.sdo_aia.steps.noise import EstimateNoiseParams, estimate_noise
from pipeline.kernels.deconvolve import carried_variance, convolved, richardson_lucy, transfer_function
from pipeline.kernels.resample import AffineMap, resample
from pipeline.kernels.resample_noise import resample_uncertainty
from pipeline.recipe import recipes_of
from pipeline.registry import instrument
from tests.pipeline.instruments.sdo_aia.frames import small
from tests.pipeline.instruments.sdo_aia.references import reference
from tests.pipeline.instruments.sdo_aia.test_chain import run

TABLE = "calibration/aia/aia_V3_error_table.txt"
COUNTS = np.array([0.0, 1.0, 24.0, 25.0, 300.0, 16000.0], np.float32)


def sigma(frame: Frame) -> NDArray[np.float32]:
    assert frame.uncertainty is not None
    return frame.uncertainty


@pytest.mark.parametrize("channel", [*EUV, *UV])
@pytest.mark.parametrize("calibration", ["none", "preflight", "eve"])
def test_agrees_with_aiapy_to_rounding(channel: int, calibration: Any, real_data: Path) -> None:
    wanted = aiapy.calibrate.estimate_error(
        COUNTS.astype(float) * u.DN / u.pix,
        channel * u.angstrom,
        include_preflight=calibration == "preflight",
        include_eve=calibration == "eve",
        error_table=get_error_table(real_data / TABLE),
    )
    found = read_error_table(str(real_data / TABLE))[channel].sigma(COUNTS[None], calibration)
    np.testing.assert_allclose(found[0], wanted.value, rtol=3e-7)


def test_what_is_built_in_is_what_the_table_says(real_data: Path) -> None:
    table = read_error_table(str(real_data / TABLE))
    assert set(BUILT_IN) == set(table)
    for channel, line in table.items():
        built_in = BUILT_IN[channel]
        assert (built_in.photon, built_in.compression) == (line.photon, line.compression)


def test_counts_below_zero_have_the_noise_of_none_and_missing_ones_have_none() -> None:
    found = BUILT_IN[171].sigma(np.array([[-5.0, 0.0, np.nan]], np.float32))
    assert found[0, 0] == found[0, 1]
    assert np.isnan(found[0, 2])


def test_without_the_table_its_gains_are_used_with_a_caveat_and_a_calibration_is_refused(
    real_data: Path,
) -> None:
    given = {"error_table": reference("error_table", real_data / TABLE)}
    with_table = estimate_noise(small(), EstimateNoiseParams(), given)
    without = estimate_noise(small(), EstimateNoiseParams(), {})
    np.testing.assert_array_equal(sigma(with_table), sigma(without))
    assert not with_table.caveats
    assert "no error table" in without.caveats[0]
    asked = EstimateNoiseParams(calibration="preflight")
    with pytest.raises(BadInput, match="there is no error table"):
        estimate_noise(small(), asked, {})
    assert (sigma(estimate_noise(small(), asked, given)) >= sigma(with_table)).all()


def test_a_file_that_is_no_error_table_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "aia_V3_error_table.txt"
    wrong.write_text("WAVELNTH DNPERPHT\n171 1.1\n")
    with pytest.raises(BadInput, match="lacks COMPRESS"):
        read_error_table(str(wrong))


def test_the_recipe_carries_it_to_counts_per_second_where_it_is_asked_for() -> None:
    found, outcome = run(small(), uncertainty=True)
    assert found is not None, outcome.reason
    assert found.uncertainty is not None
    seen = np.isfinite(found.data)
    assert (found.uncertainty[seen] > 0).all()
    cards = [str(found.header[name]) for name in found.header if re.fullmatch(r"PRUNC\d+", name)]
    assert [card.partition(":")[0] for card in cards] == ["starts", "approximate", "exact"]
    plain, _ = run(small())
    assert plain is not None
    assert plain.uncertainty is None
    np.testing.assert_array_equal(plain.data, found.data)


def test_every_step_of_the_full_recipe_says_how_it_carries_the_uncertainty() -> None:
    full = recipes_of(instrument("sdo_aia"))["aia-l15-full"].with_settings({"uncertainty": True})
    assert "estimate_noise" in [bound.step.name for bound in full.bind()]


def realisations(level: float, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32], Any]:
    """Noisy images (number, 64, 64) of a scene with structure, the image without noise, and the PSF."""
    transfer = transfer_function(point_spread_function(171, size=64), (64, 64))
    y, x = np.mgrid[:64, :64]
    scene = level * (1.0 + 3.0 * np.exp(-((x - 30.0) ** 2 + (y - 34.0) ** 2) / 40.0) + 0.3 * np.sin(x / 3.0))
    light = np.maximum(convolved(scene.astype(np.float32), transfer), 0)
    random = np.random.default_rng(17)
    noise = BUILT_IN[171]
    # Photons, the camera's noise, whole numbers: the terms there are without compression.
    photons = random.poisson(light / noise.photon, (number, 64, 64)) * noise.photon
    camera = random.normal(0.0, np.hypot(noise.read_noise, 0.18), photons.shape)
    return np.rint(photons + camera).astype(np.float32), light, transfer


ONTO = AffineMap(np.array([[0.999, 0.02], [-0.02, 0.999]]), np.array([0.3, 0.7]))
INNER = (slice(8, -8), slice(8, -8))


@pytest.mark.parametrize(("level", "too_large"), [(400.0, 1.0), (60.0, 1.0), (1.0, 1.2)])
def test_the_uncertainty_is_the_scatter_of_repeated_observations(level: float, too_large: float) -> None:
    """At each stage; where there is a count or two a pixel, deconvolution adds less noise than is said."""
    images, light, transfer = realisations(level, 200)
    noise = BUILT_IN[171]
    raw = np.sqrt(noise.variance_at(light)).astype(np.float32)
    assert compared(images, raw) == pytest.approx(1.0, abs=0.02)
    deconvolved = np.stack(
        [
            richardson_lucy(image, transfer, iterations=4, linear_start=10, add_residual=True)
            for image in images
        ]
    )
    sharp = np.sqrt(carried_variance(np.square(raw), transfer, 14, add_residual=True))
    assert compared(deconvolved, sharp) == pytest.approx(too_large, abs=0.05)
    flags = np.zeros((64, 64), np.uint16)
    turned = np.stack([resample(image, flags, ONTO, (64, 64), clip=False)[0] for image in images])
    assert compared(turned, resample_uncertainty(raw, ONTO, (64, 64))) == pytest.approx(1.0, abs=0.03)


def compared(images: NDArray[np.float32], sigma: NDArray[np.float32]) -> float:
    """What is said over what is found: both as RMS over the inner pixels."""
    found = images.std(axis=0, dtype=np.float64)[INNER]
    return float(np.sqrt(np.mean(sigma[INNER] ** 2.0) / np.mean(found**2)))
