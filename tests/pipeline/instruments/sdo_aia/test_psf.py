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

from pipeline import Frame
from pipeline.errors import BadInput
from pipeline.instruments.sdo_aia import psf as aia_psf
from pipeline.instruments.sdo_aia.channels import EUV
from pipeline.instruments.sdo_aia.steps.psf import PsfDeconvolveParams, psf_deconvolve
from pipeline.kernels.deconvolve import richardson_lucy, transfer_function
from pipeline.quality import Quality
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
    kept = found.data.sum(dtype=np.float64) / np.maximum(image.data, 0).sum(dtype=np.float64)
    assert kept == pytest.approx(1.0, abs=0.02)
    assert "outside it" in found.caveats[0]


def test_negative_pixels_become_zero_and_are_flagged() -> None:
    image = cutout()
    image.data[10, 11] = -4.0
    found = deconvolved(image, iterations=2)
    assert found.data[10, 11] >= 0
    assert ((found.quality & Quality.NEGATIVE_CLIPPED) != 0).sum() == (image.data < 0).sum()


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
    image = frame(np.broadcast_to(np.float32(1), (4096, 4096)), level1_header((4096, 4096)))
    deconvolved(image)
    deconvolved(image, edge="mirror", mirror_margin=100)
    assert shapes[0] == (4096, 4096)
    assert min(shapes[1]) >= 4296


def test_the_psf_needs_no_files_and_no_aiapy() -> None:
    source = Path(aia_psf.__file__).read_text()
    assert "import aiapy" not in source
    assert "open(" not in source
