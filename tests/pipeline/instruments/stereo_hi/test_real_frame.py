"""The real HI-2 beacon image of 2011-09-10 through the whole chain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from pipeline.frame import Frame
from pipeline.instrument import recognise
from pipeline.quality import Quality, flagged
from tests.pipeline.instruments.stereo_hi.frames import level_1

# astropy remarks on CROTA and on dates of every HI header.
pytestmark = pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")

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
    assert any("uncertain by a factor" in caveat for caveat in outcome.caveats)


def test_it_is_a_sum_of_99_exposures(beacon: Frame) -> None:
    header = level_1(beacon)[0].header
    assert header["N_IMAGES"] == 99
    assert header["EXPTIME"] == pytest.approx(99 * 49.9989)
    assert header["DATE-OBS"] == "2011-09-10T10:09:21.003"
    assert "BLANK" not in header
    assert header["BUNIT"] == "DN/s"


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
