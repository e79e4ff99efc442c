"""The point spread functions and the deconvolution, beside aiapy's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import aiapy.psf
import numpy as np
import pytest
import sunpy.map
from astropy import units as u
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from pipeline import Frame
from pipeline.errors import BadInput
from pipeline.instruments.sdo_aia import psf as aia_psf
from pipeline.instruments.sdo_aia.channels import EUV
from pipeline.instruments.sdo_aia.noise import BUILT_IN
from pipeline.instruments.sdo_aia.steps.psf import PsfDeconvolveParams, psf_deconvolve
from pipeline.instruments.sdo_aia.steps.saturation import FlagSaturationParams, flag_saturation
from pipeline.instruments.sdo_aia.trust import worse_blocks
from pipeline.kernels.blocks import block_changes
from pipeline.kernels.deconvolve import (
    NoiseFigures,
    Transfer,
    convolved,
    noise_figures,
    richardson_lucy,
    transfer_function,
)
from pipeline.quality import Quality, flagged
from tests.pipeline.instruments.sdo_aia.frames import cutout_header, frame, level1_header, small, sun


@pytest.mark.parametrize("channel", EUV)
def test_the_meshes_are_those_of_aiapy(channel: int) -> None:
    ours = aia_psf.MESHES[channel]
    theirs = aiapy.psf.filter_mesh_parameters(use_preflightcore=True)[channel * u.angstrom]
    assert ours.arms == tuple(theirs["angle_arm"].value)
    assert ours.entrance == theirs["spacing_e"].value
    assert ours.focal_plane == theirs["spacing_fp"].value
    assert ours.preflight_width == theirs["width"].value
    ratio = (theirs["mesh_pitch"] / theirs["mesh_width"]).to_value("")
    assert pytest.approx(ratio) == aia_psf._PITCH_OVER_WIRE


@pytest.mark.slow
def test_the_pattern_is_that_of_aiapy() -> None:
    # aiapy needs minutes for all orders at its fixed size; three orders show that every term is the same.
    wanted = aiapy.psf.psf(304 * u.angstrom, diffraction_orders=[-1, 0, 1], use_gpu=False)
    found = aia_psf.point_spread_function(304, orders=1)
    assert np.abs(found - wanted).max() < 1e-12


@pytest.mark.parametrize("preflight", [False, True])
def test_a_psf_has_sum_one_and_its_centre_in_the_middle(preflight: bool) -> None:
    found = aia_psf.point_spread_function(171, preflight_core=preflight, size=512)
    assert found.sum() == pytest.approx(1.0, abs=1e-9)
    assert found.argmax() == 256 * 512 + 256
    np.testing.assert_allclose(found[1:, 1:], found[:0:-1, :0:-1], atol=1e-12)


def test_the_transfer_function_is_real_and_made_once() -> None:
    first = aia_psf.channel_transfer(171, (256, 256))
    assert first.values.dtype == np.float32
    assert aia_psf.channel_transfer(171, (256, 256)) is first


def test_deconvolution_agrees_with_aiapys() -> None:
    image = small()
    image.data[image.data < 0] = 0
    psf = aia_psf.point_spread_function(171, size=128)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smap = sunpy.map.Map(image.data.astype(np.float64), image.header)
        wanted = aiapy.psf.deconvolve(smap, psf=psf, iterations=25, use_gpu=False).data
    found = richardson_lucy(image.data, transfer_function(psf, (128, 128)), iterations=25, accelerate=False)
    usable = np.isfinite(wanted)
    assert np.abs(found - wanted)[usable].max() < 1e-5 * np.ptp(image.data)


def deconvolved(image: Frame, **params: Any) -> Frame:
    return psf_deconvolve(image, PsfDeconvolveParams(**params), {})


def cutout(**cards: Any) -> Frame:
    header = cutout_header((100, 130), (1900, 1500), **cards)
    return frame(sun(header), header)


def test_a_cutout_is_sharpened_and_keeps_its_light() -> None:
    image = cutout()
    found = deconvolved(image, mirror_margin=32)
    assert found.data.shape == image.data.shape
    assert found.data.std() > image.data.std()
    kept = found.data.sum(dtype=np.float64) / image.data.sum(dtype=np.float64)
    assert kept == pytest.approx(1.0, abs=0.02)
    assert any("outside it" in caveat for caveat in found.caveats)


def test_negative_pixels_become_zero_and_are_flagged_where_a_positive_result_is_asked_for() -> None:
    image = cutout()
    image.data[10, 11] = -4.0
    found = deconvolved(image, iterations=2, result="positive")
    assert found.data.min() >= 0
    assert (flagged(found.quality, Quality.NEGATIVE_CLIPPED) == (image.data < 0)).all()


def test_nothing_is_clipped_unless_it_is_asked_for() -> None:
    image = cutout()
    image.data[10, 11] = -400.0
    found = deconvolved(image, iterations=2)
    assert found.data[10, 11] < -400
    assert not flagged(found.quality, Quality.NEGATIVE_CLIPPED).any()


@pytest.fixture(scope="module")
def transfer() -> Transfer:
    """Of the 171 Å channel, for 192 × 192 pixels."""
    return transfer_function(aia_psf.point_spread_function(171, size=192), (192, 192))


#: Radius of the disk of `faint_sun`, pixels.
DISK = 58.0
NOISE = BUILT_IN[171]


def distance() -> NDArray[np.float64]:
    axis = np.arange(192) - 95.5
    result: NDArray[np.float64] = np.hypot(axis[:, None], axis) / DISK
    return result


def faint_sun(level: float) -> NDArray[np.float64]:
    """A disk of `level` DN and a corona that is fainter and fades."""
    far = distance()
    return level * np.where(far < 1, 1.0, 0.4 * np.exp(-4.0 * (far - 1.0)))


def observed(truth: NDArray[np.float64], transfer: Transfer, seed: int) -> NDArray[np.float32]:
    """What the camera makes of it: blur, photons, 1.15 DN of read noise, whole numbers."""
    random = np.random.default_rng(seed)
    light = np.maximum(convolved(truth.astype(np.float32), transfer), 0)
    photons = random.poisson(light / NOISE.photon) * NOISE.photon
    return np.rint(photons + random.normal(0, 1.15, light.shape)).astype(np.float32)


@pytest.mark.parametrize(("level", "lifted"), [(1.0, 3.0), (5.0, 1.3)])
def test_means_off_the_limb_are_those_of_the_truth_however_faint(
    level: float, lifted: float, transfer: Transfer
) -> None:
    truth, far = faint_sun(level), distance()
    off = (far > 1.1) & (far < 1.5)
    images = [observed(truth, transfer, seed) for seed in range(6)]

    def ratio(unbiased: bool) -> float:
        found = [
            richardson_lucy(image, transfer, iterations=4, linear_start=10, add_residual=unbiased)[off].mean()
            for image in images
        ]
        return float(np.mean(found) / truth[off].mean())

    assert ratio(unbiased=True) == pytest.approx(1.0, abs=0.12)
    assert np.mean([image[off].mean() for image in images]) / truth[off].mean() > 1.2
    # What the choice costs where it is made otherwise; the step's documentation says so.
    assert ratio(unbiased=False) > lifted


def test_where_noise_wins_is_found_without_knowing_the_truth(transfer: Transfer) -> None:
    """Fine structure under every brightness: blocks are judged as the truth would judge them."""
    random = np.random.default_rng(3)
    truth = faint_sun(1.0) * np.exp(gaussian_filter(random.standard_normal((192, 192)), 1.5) * 2.0)
    truth *= np.logspace(0.5, 3.5, 192)
    image = observed(truth, transfer, 1)
    found = richardson_lucy(image, transfer, iterations=4, linear_start=10, add_residual=True)
    blocks = block_changes(image, found, 16)
    figures = noise_figures(transfer, 14, add_residual=True)
    said = worse_blocks(blocks.mean, blocks.change, noise=NOISE, figures=figures)

    def error(estimate: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(((estimate - truth) ** 2).reshape(12, 16, 12, 16).mean(axis=(1, 3)))

    ratio = error(found) / error(image)
    assert 0.2 < said.mean() < 0.9
    assert (said == (ratio > 1)).mean() > 0.85
    # Blocks that are judged otherwise are near the balance.
    assert ratio[said].min() > 0.5
    assert ratio[~said].max() < 1.3


def test_a_faint_image_says_that_it_gained_noise_and_a_bright_one_does_not() -> None:
    image = cutout()
    faint = image.replace(data=np.random.default_rng(2).normal(3, 1.5, image.data.shape))
    told = [caveat for caveat in deconvolved(faint).caveats if "more noise" in caveat]
    assert len(told) == 1
    assert "in 100% of the image" in told[0]
    bright = image.replace(data=image.data * 100)
    assert not any("more noise" in caveat for caveat in deconvolved(bright).caveats)


def test_the_arms_of_saturated_pixels_are_of_low_confidence() -> None:
    image = frame(np.full((100, 130), 300.0), cutout_header((100, 130), (1900, 1500)))
    image.data[49:52, 69:72] = 16000.0
    found = deconvolved(flag_saturation(image, FlagSaturationParams(), {}), mirror_margin=32)
    doubtful = flagged(found.quality, Quality.LOW_CONFIDENCE)
    assert flagged(found.quality, Quality.SATURATED).sum() == 9
    assert doubtful[49:52, 69:72].all()
    # The first order of the entrance filter lies 16.26 pixels away, at 49.81°.
    arm = (50 + round(16.26 * np.sin(np.deg2rad(49.81))), 70 + round(16.26 * np.cos(np.deg2rad(49.81))))
    assert doubtful[arm]
    assert not doubtful[50, 70 + 16]
    assert any("9 saturated pixels" in caveat for caveat in found.caveats)


def test_the_surroundings_of_a_gap_are_of_low_confidence_and_an_image_without_any_has_none() -> None:
    image = frame(np.full((100, 130), 300.0), cutout_header((100, 130), (1900, 1500)))
    assert not flagged(deconvolved(image, mirror_margin=32).quality, Quality.LOW_CONFIDENCE).any()
    image.data[40:52, 60:72] = np.nan
    doubtful = flagged(deconvolved(image, mirror_margin=32).quality, Quality.LOW_CONFIDENCE)
    assert doubtful[45, 59]
    assert doubtful[45, 72]
    assert not doubtful[45, 65]
    assert doubtful.sum() < 200


def test_saturation_is_flagged_where_the_camera_ends_and_what_the_header_counts_is_compared() -> None:
    image = cutout(NSATPIX=3)
    image.data[5, 5:7] = 15999.0
    image.header["TOTVALS"] = image.data.size
    found = flag_saturation(image, FlagSaturationParams(limit_dn=15999.0), {})
    assert flagged(found.quality, Quality.SATURATED).sum() == 2
    assert any("counts 3 saturated pixels, 2 have" in caveat for caveat in found.caveats)
    same = flag_saturation(image, FlagSaturationParams(limit_dn=16000.0), {})
    assert same.quality is image.quality


def test_missing_pixels_stay_missing() -> None:
    image = cutout()
    image.data[40:42, 50] = np.nan
    found = deconvolved(image, iterations=2)
    assert (np.isnan(found.data) == np.isnan(image.data)).all()


@pytest.mark.parametrize(
    ("image", "says", "keyword"),
    [
        (lambda: cutout(WAVELNTH=1600), "1600 Å has no point spread function", "WAVELNTH"),
        (small, "not the detector's own", "CDELT1"),
    ],
)
def test_frames_without_a_psf_are_refused_or_kept_with_a_caveat(image: Any, says: str, keyword: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        deconvolved(image())
    assert caught.value.keyword == keyword
    original = image()
    kept = deconvolved(original, on_unavailable="keep")
    assert kept.data is original.data
    assert says in kept.caveats[0]


def test_a_registered_image_is_refused() -> None:
    with pytest.raises(BadInput, match=r"level 1\.5 already"):
        deconvolved(cutout(LVL_NUM=1.5))


def test_a_full_frame_continues_periodically_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    steps = "pipeline.instruments.sdo_aia.steps.psf"
    monkeypatch.setattr(f"{steps}.channel_transfer", lambda channel, shape, core: shapes.append(shape))
    monkeypatch.setattr(f"{steps}.richardson_lucy", lambda image, transfer, **settings: image)
    monkeypatch.setattr(f"{steps}.noise_figures", lambda *transfer, **settings: NoiseFigures(1.0, 0.0))
    image = frame(np.broadcast_to(np.float32(1), (4096, 4096)), level1_header((4096, 4096)))
    deconvolved(image)
    deconvolved(image, edge="mirror", mirror_margin=100)
    assert shapes[0] == (4096, 4096)
    assert min(shapes[1]) >= 4296


def test_the_psf_needs_no_files_and_no_aiapy() -> None:
    source = Path(aia_psf.__file__).read_text()
    assert "import aiapy" not in source
    assert "open(" not in source
