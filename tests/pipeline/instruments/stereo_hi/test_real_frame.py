"""The real HI-2 beacon image of 2011-09-10 through the whole chain."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
import sunpy.map
from astropy.io import fits
from astropy.wcs import WCS
from sunpy.util.exceptions import SunpyMetadataWarning

from lake.fits.product import build_product
from pipeline import provenance, solarnet
from pipeline.frame import Frame
from pipeline.quality import NOT_MEASURED, Quality, flagged, legend
from pipeline.registry import instrument, recognise
from tests.pipeline.instruments.stereo_hi.frames import apply_step, level_1

# astropy remarks on CROTA and on dates of every HI header.
pytestmark = pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")

#: What the lake writes into a product besides.
WRITTEN: dict[str, Any] = {
    "EXTNAME": "IMAGE",
    "FILENAME": "a.l1.v0001.fits",
    "DATE": "2026-01-02T03:04:05.678",
    "VERSION": 1,
    "PARENTXT": "stereo_hi:a.fits",
}

#: Column of the saturated planet.
PLANET = 176


@pytest.fixture
def beacon(real_data: Path) -> Frame:
    path = real_data / "stereo_hi" / "hi_20110910_114721_s7h2A.fts"
    with fits.open(path, do_not_scale_image_data=True) as hdus:
        return Frame.of(hdus[0].data, hdus[0].header, path.name)


def test_it_is_recognised_for_what_it_is(beacon: Frame) -> None:
    found = recognise(beacon.header).describe(beacon.header)
    assert (found.level, found.observation) == ("0", "hi2a_s7_20110910")
    assert found.meta["type"] == "s7"


def test_its_unsent_half_is_missing_and_its_planet_saturated(beacon: Frame) -> None:
    product, outcome = level_1(beacon)
    missing = flagged(product.quality, Quality.MISSING)
    assert missing[:, :128].all()
    assert not missing[:, 128:].any()
    saturated = flagged(product.quality, Quality.SATURATED).all(axis=0)
    assert np.flatnonzero(saturated).tolist() == [PLANET]
    assert np.isnan(product.data[missing | flagged(product.quality, Quality.SATURATED)]).all()
    assert np.isfinite(np.delete(product.data[:, 128:], PLANET - 128, axis=1)).all()
    assert any("never sent" in caveat for caveat in outcome.caveats)
    assert any("rests on one HI-2 image" in caveat for caveat in outcome.caveats)
    assert any("a rate 99 times smaller" in caveat for caveat in outcome.caveats)
    assert any("1 of 256 columns" in caveat for caveat in outcome.caveats)
    assert any("only 49.6 % of the pixels have a value" in caveat for caveat in outcome.caveats)


def test_it_is_a_sum_of_99_exposures(beacon: Frame) -> None:
    header = level_1(beacon)[0].header
    assert header["N_IMAGES"] == 99
    assert header["EXPTIME"] == pytest.approx(99 * 49.9989)
    assert header["DATE-OBS"] == "2011-09-10T10:09:21.003"
    assert "BLANK" not in header
    assert header["BUNIT"] == "DN/s"


def test_its_brightness_is_that_of_a_science_sum_of_the_same_camera(beacon: Frame, real_data: Path) -> None:
    # The half towards the Sun, which alone was sent, holds the brighter half of a whole image, so that its
    # p-th percentile is the (50 + p/2)-th of a whole one. The F-corona changes little in 14 years.
    text = (real_data / "stereo_hi" / "20250622_000851_s4h2A.header").read_text()
    science = fits.Header.fromstring(text, sep="\n")
    assert (science["N_IMAGES"], science["IPSUM"]) == (99, 2.0)
    gain = apply_step("undo_onboard_processing", beacon).header["SEBFACT"]
    for of_half, of_whole in (("DATAP50", "DATAP75"), ("DATAP90", "DATAP95"), ("DATAP98", "DATAP99")):
        summed = beacon.header[of_half] * gain / 8**2
        assert summed == pytest.approx(science[of_whole] / 2**2, rel=0.1)


def test_the_product_conforms_to_solarnet_and_makes_a_map_with_a_mask(beacon: Frame, tmp_path: Path) -> None:
    product, _ = level_1(beacon)
    hi = instrument("stereo_hi")
    header = solarnet.complete(product.header, hi, hi.describe(product.header), axes=2)
    header.update(WRITTEN)
    solarnet.settle(header, product.data.shape)
    assert header["SOLARNET"] == 1.0
    path = tmp_path / "product.fits"
    flags_header = provenance.quality_header(header, legend())
    path.write_bytes(build_product(product.data, product.quality, header, quality_header=flags_header))
    with warnings.catch_warnings():
        warnings.simplefilter("error", SunpyMetadataWarning)
        # The README's line.
        image, flags = sunpy.map.Map(path)
        image.mask = flags.data & 83 > 0
        assert image.unit == u.DN / u.s
        assert sunpy.map.Map(path, hdus=0).unit == u.DN / u.s
    np.testing.assert_array_equal(image.mask, flagged(product.quality, NOT_MEASURED))
    assert int(NOT_MEASURED) == 83
    assert np.isfinite(image.data[~image.mask]).all()


def test_without_half_of_its_coordinates_the_other_half_is_completed(beacon: Frame) -> None:
    header = beacon.header.copy()
    for name in ("CTYPE", "CRPIX", "CRVAL"):
        for axis in (1, 2):
            del header[f"{name}{axis}"]
    found, wanted = level_1(beacon.replace(header=header))[0].header, level_1(beacon)[0].header
    for name in ("CTYPE1", "CTYPE2", "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "PC1_2", "PV2_1"):
        assert found[name] == wanted[name], name


def test_the_planet_s_trail_shows_which_direction_is_right(beacon: Frame) -> None:
    # The image is not turned; what smears more strongly is the readout, 2.35 ms a line against 0.124 ms.
    around = np.r_[PLANET - 4, PLANET - 3, PLANET + 3, PLANET + 4]

    def trail(frame: Frame) -> tuple[float, float]:
        excess = frame.data[:, PLANET] - np.median(frame.data[:, around], axis=1)
        return float(np.median(excess[160:250])), float(np.median(excess[:90]))

    above, below = trail(beacon)
    assert above > 20 * abs(below)
    normal = level_1(beacon, desmear__direction="normal", saturated_columns__enabled=False)[0]
    inverted = level_1(beacon, desmear__direction="inverted", saturated_columns__enabled=False)[0]
    assert trail(normal)[0] < trail(inverted)[0]
    assert abs(trail(normal)[1]) < abs(trail(inverted)[1]) / 4
    assert level_1(beacon)[0].header["SMEARDIR"] == "normal"


def test_stars_stand_where_the_nominal_coordinates_put_them(beacon: Frame) -> None:
    # ζ, θ and ψ Capricorni and β Delphini (ICRS, degrees), neither faint nor at the rim.
    product, _ = level_1(beacon)
    stars = np.array([(321.667, -22.411), (316.487, -17.233), (311.524, -25.271), (309.387, 14.595)])
    x, y = WCS(product.header, key="A").all_world2pix(stars[:, 0], stars[:, 1], 0)
    offsets = []
    for column, row in zip(np.round(x).astype(int), np.round(y).astype(int), strict=True):
        around = product.data[row - 3 : row + 4, column - 3 : column + 4]
        peak = np.unravel_index(np.nanargmax(around), around.shape)
        offsets.append(np.hypot(peak[0] - 3, peak[1] - 3))
    assert np.median(offsets) < 1.5
