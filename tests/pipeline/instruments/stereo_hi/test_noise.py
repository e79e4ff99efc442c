"""The uncertainty of level-1 images is the scatter that simulated exposures show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.frame import Frame
from pipeline.quality import Quality
from pipeline.recipe import Recipe, recipes_of
from pipeline.registry import instrument
from pipeline.running import run_chain
from tests.pipeline.instruments.stereo_hi.frames import LEVEL_1, apply_step, as_frame, frame_of, simulated

GAIN = 15.0


def recipe(**settings: Any) -> Recipe:
    changes = {"uncertainty": True} | {key.replace("__", "."): value for key, value in settings.items()}
    return recipes_of(instrument("stereo_hi"))[LEVEL_1].with_settings(changes)


def finished(frame: Frame, **settings: Any) -> Frame:
    chain = recipe(**settings).bind()
    product, outcome = run_chain(frame, chain, {}, level="1", uncertainty=True)
    assert product is not None, outcome
    return product


def exposed(rate: np.ndarray, header: Any, rng: np.random.Generator, divisor: float = 1.0) -> np.ndarray:
    """A sum of single exposures of 2 x 2 pixels in whole DN, stored in whole numbers."""
    seconds = header["EXPTIME"] / header["N_IMAGES"]
    total = np.zeros(rate.shape)
    for _ in range(header["N_IMAGES"] * 4):
        electrons = rng.poisson(rate * seconds * GAIN) + rng.normal(0.0, 6.0, rate.shape)
        total += np.round(electrons / GAIN)
    return np.round(total / divisor)


@pytest.mark.parametrize(
    ("codes", "divisor", "rate"),
    [("", 1.0, 0.5), ("", 1.0, 8.0), (" 88", 128.0, 8.0)],
    ids=["dark", "bright", "divided on board"],
)
def test_the_uncertainty_is_the_scatter_of_many_images(codes: str, divisor: float, rate: float) -> None:
    # 40 images of one even sky; the divisor makes rounding the larger part of the noise.
    frame = as_frame(simulated(report="lost", size=64, cosmic_rays=0.0))
    header = frame.header.copy()
    header["IP_00_19"] = str(header["IP_00_19"]).rjust(60) + codes
    header["FILENAME"] = header["FILENAME"].replace("s4h", "x4h")  # no report to look for
    rng = np.random.default_rng(5)
    sky = np.full((48, 48), rate) * np.linspace(0.8, 1.2, 48)[:, None]
    products = []
    for _ in range(40):
        image = exposed(sky, header, rng, divisor).astype(np.float32)
        products.append(finished(Frame.of(image, header, "x.fts"), noise_model__read_noise=6.0))
    scatter = np.std([product.data for product in products], axis=0, ddof=1)
    told = products[0].uncertainty
    assert told is not None
    assert np.sqrt(np.mean(scatter**2)) == pytest.approx(np.sqrt(np.mean(told**2)), rel=0.05)
    lower, upper = slice(0, 16), slice(32, 48)
    for part in (lower, upper):
        assert np.sqrt(np.mean(scatter[part] ** 2)) == pytest.approx(
            np.sqrt(np.mean(told[part] ** 2)), rel=0.08
        )


def test_pixels_from_another_exposure_add_to_the_noise() -> None:
    frame = frame_of()
    plain = apply_step("noise_model", frame).uncertainty
    header = frame.header.copy()
    header["CRTOTAL"] = 0.1 * 30 * frame.data.size
    scrubbed = apply_step("noise_model", frame.replace(header=header)).uncertainty
    assert plain is not None
    assert scrubbed is not None
    np.testing.assert_allclose(scrubbed / plain, np.sqrt(1.2), rtol=1e-5)


def test_a_root_taken_on_board_leaves_rounding_that_grows_with_the_signal() -> None:
    frame = frame_of()
    header = frame.header.copy()
    header["IP_00_19"] = " 41  2"
    frame = Frame.of(np.full((8, 8), 100.0, np.float32), header)
    undone = apply_step("undo_onboard_processing", frame)
    sigma = apply_step("noise_model", undone, electrons_per_dn=1e12).uncertainty
    assert sigma is not None
    # (q + d)^2 - q^2 = 2 q d; and the roundings of 30 exposures of 4 pixels
    np.testing.assert_allclose(sigma, np.sqrt((2 * 100.0) ** 2 / 12 + 120 / 12), rtol=1e-5)


def test_the_calibration_s_error_is_part_of_physical_units_only() -> None:
    frame = frame_of()
    rate = finished(frame)
    brightness = finished(
        frame,
        photometric_calibration__units="MSB",
        photometric_calibration__without_flat=True,
        photometric_calibration__calibration_error=0.02,
        photometric_calibration__diffuse=False,
    )
    assert rate.uncertainty is not None
    assert brightness.uncertainty is not None
    good = brightness.quality == 0
    factor = brightness.header["CALFAC"]
    wanted = np.hypot(rate.uncertainty * factor, 0.02 * brightness.data)
    np.testing.assert_allclose(brightness.uncertainty[good], wanted[good], rtol=1e-4)


def test_nothing_is_said_of_pixels_without_a_value() -> None:
    product = finished(as_frame(simulated(size=192, missing_blocks=(2,), spacecraft="B", rectified=False)))
    assert product.uncertainty is not None
    np.testing.assert_array_equal(np.isnan(product.uncertainty), np.isnan(product.data))
    assert (product.quality[np.isnan(product.uncertainty)] & np.uint16(Quality.MISSING)).all()


def test_without_being_asked_for_there_is_none() -> None:
    chain = recipes_of(instrument("stereo_hi"))[LEVEL_1].bind()
    assert "noise_model" not in [bound.step.name for bound in chain]
    product, _ = run_chain(frame_of(), chain, {}, level="1")
    assert product is not None
    assert product.uncertainty is None
