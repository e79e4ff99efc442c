"""Registration: beside aiapy, on cut-outs, and when the header does not allow it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import aiapy.calibrate
import numpy as np
import pytest
import sunpy.map
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline import Frame
from pipeline.errors import BadInput
from pipeline.instruments.sdo_aia.steps.register import RegisterParams, register
from pipeline.quality import Quality
from pipeline.step import find_step
from tests.pipeline.instruments.sdo_aia.frames import (
    cutout_header,
    frame,
    level1_header,
    real_cutout,
    real_frame,
    small,
    sun,
)


def registered(image: Frame, **params: Any) -> Frame:
    return register(image, RegisterParams(**params), {})


def aiapy_registered(image: Frame) -> sunpy.map.GenericMap:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return aiapy.calibrate.register(sunpy.map.Map(image.data, image.header))


def largest_difference(found: Frame, wanted: sunpy.map.GenericMap, rim: int) -> float:
    """Over pixels at least `rim` from the field's edge, relative to the dynamic range."""
    wanted_data = np.asarray(wanted.data)
    cut = (found.data.shape[0] - wanted_data.shape[0]) // 2
    data = found.data[cut : cut + wanted_data.shape[0], cut : cut + wanted_data.shape[1]]
    inside = ndimage.binary_erosion(np.isfinite(data), np.ones((3, 3)), iterations=rim)
    return float(np.abs(data - wanted_data)[inside].max() / np.ptp(wanted_data))


def test_the_full_frame_agrees_with_aiapy() -> None:
    # The plate scale of 193 Å: the result is larger than the detector's field, and aiapy crops it.
    header = level1_header((4096, 4096), CDELT1=0.600758, CDELT2=0.600758, CROTA2=0.0564329997)
    image = frame(sun(header), header)
    found, wanted = registered(image), aiapy_registered(image)
    assert found.data.shape == wanted.data.shape == (4096, 4096)
    for keyword in ("CRPIX1", "CRPIX2", "CDELT1", "CDELT2", "R_SUN", "LVL_NUM"):
        assert found.header[keyword] == pytest.approx(wanted.meta[keyword.lower()], rel=1e-12)
    # aiapy frames the image with its minimum before it filters, which rings in the outermost pixels.
    assert largest_difference(found, wanted, rim=4) < 1e-5
    assert largest_difference(found, wanted, rim=2) < 1e-4


@pytest.mark.parametrize(("scale", "roll"), [(0.599489, 0.0192), (0.600758, -0.3), (0.6, 12.0)])
def test_binned_frames_agree_with_aiapy(scale: float, roll: float) -> None:
    header = level1_header((512, 512), CDELT1=scale * 8, CDELT2=scale * 8, CROTA2=roll)
    image = frame(sun(header), header)
    assert largest_difference(registered(image), aiapy_registered(image), rim=4) < 1e-5


def test_a_roll_given_as_a_matrix_is_the_same_roll() -> None:
    by_angle = small(CROTA2=10.0)
    turn = np.deg2rad(10.0)
    matrix = {"PC1_1": np.cos(turn), "PC1_2": -np.sin(turn), "PC2_1": np.sin(turn), "PC2_2": np.cos(turn)}
    wanted = registered(by_angle).data
    np.testing.assert_allclose(registered(small(CROTA2=None, **matrix)).data, wanted, rtol=1e-4)
    np.testing.assert_allclose(registered(small(CROTA2=10.0, **matrix)).data, wanted, rtol=1e-4)
    scale = by_angle.header["CDELT1"]
    cd = {name.replace("PC", "CD"): value * scale for name, value in matrix.items()}
    np.testing.assert_allclose(registered(small(CROTA2=None, **cd)).data, wanted, rtol=1e-4)


def test_the_header_says_what_the_image_became() -> None:
    header = registered(small(PC1_1=1.0, XCEN=3.0, PC1_2=-0.000338821, PC2_1=0.000338821)).header
    assert header["LVL_NUM"] == 1.5
    assert (header["CRPIX1"], header["CRPIX2"]) == (64.5, 64.5)
    assert header["CDELT1"] == header["CDELT2"] == pytest.approx(19.2)
    assert (header["CRVAL1"], header["CRVAL2"], header["CROTA2"]) == (0, 0, 0)
    assert header["R_SUN"] == pytest.approx(header["RSUN_OBS"] / 19.2)
    assert header["BUNIT"] == "DN"
    assert not {"PC1_1", "PC1_2", "PC2_1", "XCEN", "PIXLUNIT"} & set(header)


def test_the_suns_centre_lands_on_the_images_centre() -> None:
    header = level1_header((256, 256), CROTA2=30.0, CRVAL1=12.0, CRVAL2=-20.0)
    # The reference pixel shows the point (12″, −20″); a spot is put where (0, 0) is.
    at = WCS(header).world_to_pixel_values(0.0, 0.0)
    y, x = np.mgrid[:256, :256]
    spot = 1000 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 2.0**2))
    found = registered(frame(spot, header)).data
    assert ndimage.center_of_mass(np.nan_to_num(found)) == pytest.approx((127.5, 127.5), abs=0.01)


@pytest.mark.parametrize("side", [128, 1024])
def test_a_binned_full_disk_frame_keeps_its_shape(side: int) -> None:
    image = frame(np.ones((side, side)), level1_header((side, side)))
    found = registered(image)
    assert found.data.shape == (side, side)
    assert found.header["CDELT1"] == pytest.approx(0.6 * 4096 / side)


def test_the_binning_of_level_1_is_told_by_its_scale() -> None:
    for side in (128, 64):
        header = registered(frame(np.ones((side, side)), level1_header((side, side)))).header
        assert [header[name] for name in ("NBIN1", "NBIN2")] == [4096 // side] * 2
    odd = frame(np.ones((128, 128)), level1_header((128, 128), CDELT1=1.5, CDELT2=1.5, RSUN_OBS=60.0))
    assert "NBIN1" not in registered(odd, scale_arcsec=19.2).header


@pytest.mark.parametrize(("scale", "side"), [(19.2, 128), (2.4, 1024), (4.8, 512)])
def test_a_scale_asked_for_gives_the_full_disk_at_that_scale(scale: float, side: int) -> None:
    image = frame(np.ones((512, 512)), level1_header((512, 512)))
    found = registered(image, scale_arcsec=scale)
    assert found.data.shape == (side, side)
    assert found.header["CDELT1"] == scale
    assert found.header["CRPIX1"] == (side + 1) / 2
    assert any("finer" in sentence for sentence in found.caveats) == (scale == 2.4)


def test_the_shape_is_known_before_the_header_is() -> None:
    entry = find_step("sdo_aia", "register")
    assert entry.shape_after(RegisterParams(), (705, 769)) == (705, 769)
    assert entry.shape_after(RegisterParams(scale_arcsec=0.6), (4096, 4096)) == (4096, 4096)
    assert entry.shape_after(RegisterParams(scale_arcsec=2.4), (4096, 4096)) == (1024, 1024)


def test_one_missing_pixel_does_not_become_forty_eight() -> None:
    image = small()
    image.data[60, 70] = np.nan
    ours, theirs = registered(image), aiapy_registered(image)
    assert np.count_nonzero(np.isnan(theirs.data)) >= 36
    missing = (ours.quality & Quality.MISSING) != 0
    assert np.count_nonzero(missing) == 1
    assert np.isnan(ours.data[missing]).all()


def test_the_real_full_disk_frame_is_centred_and_the_limb_is_round(real_data: Path) -> None:
    found = registered(real_frame(real_data, "aia_171_level1_128.fits"))
    on_disk = np.nan_to_num(found.data) > 60
    y, x = ndimage.center_of_mass(ndimage.binary_fill_holes(on_disk))
    assert (x, y) == pytest.approx((63.5, 63.5), abs=1.0)


# Cut-outs


def test_a_real_cutout_lands_on_the_full_disk_lattice_of_its_scale(real_data: Path) -> None:
    image = real_cutout(real_data)
    found = registered(image)
    assert found.data.shape == image.data.shape
    assert found.header["CDELT1"] == pytest.approx(0.6)
    # Pixel centres of a 4096-pixel grid lie at odd multiples of 0.3″.
    assert found.header["CRPIX1"] % 1 == 0.5
    assert found.header["CRPIX2"] % 1 == 0.5
    assert not found.caveats


def test_a_real_cutouts_coordinates_are_right_to_a_hundredth_of_a_pixel(real_data: Path) -> None:
    image = real_cutout(real_data)
    found = registered(image)
    before, after = sunpy.map.Map(image.data, image.header), sunpy.map.Map(found.data, found.header)
    x, y = np.meshgrid(np.arange(20, 740, 9), np.arange(20, 690, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        column, row = before.wcs.world_to_pixel(after.wcs.pixel_to_world(x, y))
    exact = ndimage.map_coordinates(image.data.astype(float), [row, column], order=3, mode="mirror")
    # A hundredth of a pixel times the steepest gradient of this image.
    assert np.abs(found.data[y, x] - exact).max() < 0.01 * np.abs(np.gradient(image.data)).max()


@given(
    corner=st.tuples(st.integers(0, 3900), st.integers(0, 3900)),
    shape=st.tuples(st.integers(60, 150), st.integers(60, 150)),
    roll=st.floats(-3, 3),
)
@settings(max_examples=15, deadline=None)
def test_a_cutout_shows_what_the_full_frame_would_show_there(
    corner: tuple[int, int], shape: tuple[int, int], roll: float
) -> None:
    header = cutout_header(shape, corner, CROTA2=roll)
    sky = WCS(header)
    x, y = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    lon, lat = (
        ((angle * 3600 + 180 * 3600) % (360 * 3600)) - 180 * 3600 for angle in sky.wcs_pix2world(x, y, 0)
    )
    scene = 100 + 40 * np.sin(lon / 4.0) + 30 * np.cos(lat / 5.0 + lon / 9.0)
    # Not clipped: crests of this scene lie between the pixels and above all of them.
    found = registered(frame(scene, header), clip=False)
    lon, lat = (
        ((angle * 3600 + 180 * 3600) % (360 * 3600)) - 180 * 3600
        for angle in WCS(found.header).wcs_pix2world(x, y, 0)
    )
    wanted = 100 + 40 * np.sin(lon / 4.0) + 30 * np.cos(lat / 5.0 + lon / 9.0)
    inside = ndimage.binary_erosion(np.isfinite(found.data), np.ones((3, 3)), iterations=8)
    assert inside.any()
    # A thousandth of a pixel (0.0006″) moves this scene by at most 0.01.
    assert np.abs(found.data - wanted)[inside].max() < 0.01
    assert found.header["CRPIX1"] % 1 == pytest.approx(0.5)


def test_a_cutout_with_its_own_tangent_point_is_brought_to_the_suns() -> None:
    header = cutout_header((200, 240), (2900, 2500))
    centre = WCS(header).wcs_pix2world([[119.5, 99.5]], 0)[0] * 3600
    header["CRPIX1"], header["CRPIX2"] = 120.5, 100.5
    header["CRVAL1"], header["CRVAL2"] = centre
    found = registered(frame(np.random.default_rng(0).random((200, 240)), header))
    before, after = WCS(header), WCS(found.header)
    at = before.all_world2pix(after.all_pix2world([[10, 12], [230, 190], [120, 100]], 0), 0)
    assert found.header["CRVAL1"] == 0
    values = ndimage.map_coordinates(
        np.random.default_rng(0).random((200, 240)), [at[:, 1], at[:, 0]], order=3, mode="mirror"
    )
    np.testing.assert_allclose(found.data[[12, 190, 100], [10, 230, 120]], values, atol=0.01)


def test_a_cutout_and_a_scale_for_the_full_disk_do_not_go_together(real_data: Path) -> None:
    with pytest.raises(BadInput, match="does not contain the full disk") as caught:
        registered(real_cutout(real_data), scale_arcsec=0.6)
    assert "scale_arcsec" in caught.value.advice


def test_an_off_pointed_full_frame_is_registered_like_a_cutout_and_says_so() -> None:
    header = level1_header((4096, 4096), CRPIX1=300.0)
    data = np.broadcast_to(np.float32(1), (4096, 4096))
    found = registered(frame(data, header))
    assert "off-pointing" in found.caveats[0]
    assert found.header["CRPIX1"] == pytest.approx(300.0, abs=3)


# Refusals


@pytest.mark.parametrize(
    "keyword", ["CRPIX1", "CRPIX2", "CDELT1", "CDELT2", "CROTA2", "RSUN_OBS", "CTYPE1", "LVL_NUM"]
)
def test_a_missing_keyword_is_named(keyword: str) -> None:
    with pytest.raises(BadInput) as caught:
        registered(small(**{keyword: None}))
    assert caught.value.keyword == keyword
    assert caught.value.file == "aia.lev1.fits"
    assert caught.value.advice


@pytest.mark.parametrize(
    ("cards", "keyword"),
    [
        ({"CRPIX1": "nowhere"}, "CRPIX1"),
        ({"CDELT1": 0.0}, "CDELT1"),
        ({"CDELT2": -0.6}, "CDELT2"),
        ({"CDELT1": 0.75, "CDELT2": 0.75}, "CDELT1, CDELT2"),
        ({"CTYPE1": "RA---TAN"}, "CTYPE1"),
        ({"CTYPE2": "HPLT-ARC"}, "CTYPE2"),
        ({"CUNIT1": "deg"}, "CUNIT1"),
        ({"PC1_1": 0.0, "PC1_2": -1.0, "PC2_1": 1.0, "PC2_2": 0.0}, "CROTA2, PC1_1, PC1_2, PC2_1, PC2_2"),
        ({"CROTA2": None, "PC1_1": -1.0}, "PC1_1"),
        ({"CRVAL1": 9000.0}, "CRVAL1, CRVAL2"),
    ],
)
def test_a_header_that_points_nowhere_sensible_is_refused(cards: dict[str, Any], keyword: str) -> None:
    with pytest.raises(BadInput) as caught:
        registered(small(**cards))
    assert caught.value.keyword == keyword
    assert caught.value.reason
    assert caught.value.advice


@pytest.mark.parametrize("keyword", ["CRPIX1", "CDELT1", "CROTA2"])
def test_a_keyword_without_a_value_is_named(keyword: str) -> None:
    image = small()
    image.header[keyword] = fits.card.Undefined()
    with pytest.raises(BadInput, match=f"no {keyword}"):
        registered(image)


def test_a_registered_image_is_not_registered_again(real_data: Path) -> None:
    image = real_frame(real_data, "AIA20110319_105400_0171.fits")
    with pytest.raises(BadInput, match=r"level 1\.5 already") as caught:
        registered(image)
    assert caught.value.keyword == "LVL_NUM"


@pytest.mark.parametrize("kind", ["DARK", "dark", "CAL"])
def test_a_calibration_exposure_is_not_registered_as_an_image_of_the_sun(kind: str) -> None:
    image = frame(np.ones((16, 16)), level1_header((16, 16), IMG_TYPE=kind))
    with pytest.raises(BadInput, match="calibration exposure"):
        registered(image)


@pytest.mark.parametrize(
    ("word", "marked"),
    [(0, False), ("0x00000000", False), (None, False), (-(2**31), True), ("0x40000000", True)],
)
def test_what_the_archive_says_of_an_image_goes_with_it(word: int | str | None, marked: bool) -> None:
    image = frame(np.ones((16, 16)), level1_header((16, 16), QUALITY=word))
    assert any("QUALITY" in caveat for caveat in registered(image).caveats) is marked


@pytest.mark.parametrize("shape", [(1, 16), (1, 1)])
def test_a_line_of_pixels_is_refused(shape: tuple[int, int]) -> None:
    image = frame(np.ones(shape), cutout_header(shape, (2000, 2000)))
    with pytest.raises(BadInput, match="single line"):
        registered(image)
