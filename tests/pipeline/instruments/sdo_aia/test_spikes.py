"""Respiking and its reverse."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import aiapy.calibrate
import numpy as np
import pytest
import sunpy.map
from astropy import units as u
from sunpy.map.mapbase import PixelPair

from pipeline import Frame
from pipeline.errors import BadInput
from pipeline.instruments.sdo_aia.steps.spikes import SpikesParams, despike, respike
from pipeline.quality import Quality
from tests.pipeline.instruments.sdo_aia.frames import cutout_header, frame, small, sun
from tests.pipeline.instruments.sdo_aia.references import reference, spikes_file

CORNER = (1900, 1200)
SHAPE = (80, 120)
#: Spikes inside the cut-out, in its own pixels (x, y), and one outside it.
INSIDE = np.array([(0, 0), (119, 79), (5, 9), (60, 41)])


def cutout(**cards: Any) -> Frame:
    header = cutout_header(SHAPE, CORNER, NSPIKES=5, **cards)
    return frame(sun(header), header)


def file(folder: Path, image: Frame, rows: int = 3) -> Any:
    index = [(y + CORNER[1]) * 4096 + x + CORNER[0] for x, y in INSIDE] + [17]
    original = [901, 902, 903, 904, 905]
    replaced = [*image.data[INSIDE[:, 1], INSIDE[:, 0]].round(), 1]
    return spikes_file(folder, np.array([index, original, replaced][:rows], dtype=float))


def test_agrees_with_aiapy(tmp_path: Path) -> None:
    image = cutout()
    found = respike(image, SpikesParams(), file(tmp_path, image))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = PixelPair(INSIDE[:, 0] * u.pix, INSIDE[:, 1] * u.pix)
        wanted = aiapy.calibrate.respike(
            sunpy.map.Map(image.data, image.header), spikes=(pixels, np.array([901, 902, 903, 904]))
        )
    np.testing.assert_array_equal(found.data, wanted.data)
    assert found.header["LVL_NUM"] == wanted.meta["lvl_num"] == 0.5
    assert found.header["NSPIKES"] == wanted.meta["nspikes"] == 0


def test_pixels_with_spikes_are_flagged_and_the_others_are_not(tmp_path: Path) -> None:
    image = cutout()
    found = respike(image, SpikesParams(), file(tmp_path, image))
    assert (found.quality[INSIDE[:, 1], INSIDE[:, 0]] == Quality.COSMIC_RAY).all()
    assert np.count_nonzero(found.quality) == 4
    assert found.header["NRESPIKE"] == 4
    assert not np.may_share_memory(found.data, image.data)


def test_despiking_is_the_reverse(tmp_path: Path) -> None:
    image = cutout()
    image = image.replace(data=image.data.round())
    spikes = file(tmp_path, image)
    back = despike(respike(image, SpikesParams(), spikes), SpikesParams(), spikes)
    np.testing.assert_array_equal(back.data, image.data)
    np.testing.assert_array_equal(back.quality, image.quality)
    assert back.header["LVL_NUM"] == 1.0
    assert "NRESPIKE" not in back.header


def test_without_the_old_values_despiking_fills_from_neighbours_and_says_so(tmp_path: Path) -> None:
    image = cutout()
    spikes = file(tmp_path, image, rows=2)
    back = despike(respike(image, SpikesParams(), spikes), SpikesParams(), spikes)
    assert (back.quality[INSIDE[:, 1], INSIDE[:, 0]] == Quality.INTERPOLATED).all()
    around = image.data[40:43, 59:62]
    assert around.min() <= back.data[41, 60] <= around.max()


def test_an_image_without_spikes_needs_no_file() -> None:
    image = cutout()
    image.header["NSPIKES"] = 0
    found = respike(image, SpikesParams(), {})
    assert found.data is image.data
    assert found.header["LVL_NUM"] == 0.5
    assert despike(found, SpikesParams(), {}).header["LVL_NUM"] == 1.0


@pytest.mark.parametrize("level", [0.5, 1.5])
def test_only_level_one_is_respiked(level: float) -> None:
    with pytest.raises(BadInput, match="level 1 only") as caught:
        respike(cutout(LVL_NUM=level), SpikesParams(), {})
    assert caught.value.keyword == "LVL_NUM"


def test_only_respiked_images_are_despiked() -> None:
    with pytest.raises(BadInput, match=r"level 0\.5 only"):
        despike(cutout(), SpikesParams(), {})


def test_spikes_without_a_file_refuse_the_frame_or_leave_a_caveat() -> None:
    with pytest.raises(BadInput, match="5 spikes and no spikes file") as caught:
        respike(cutout(), SpikesParams(), {})
    assert "JSOC" in caught.value.advice
    kept = respike(cutout(), SpikesParams(on_missing="keep"), {})
    assert kept.header["LVL_NUM"] == 1.0
    assert "5 spikes" in kept.caveats[0]


def test_a_missing_count_is_named() -> None:
    image = cutout()
    image.header.remove("NSPIKES")
    with pytest.raises(BadInput, match="no NSPIKES"):
        respike(image, SpikesParams(), {})


def test_a_binned_image_has_no_pixels_to_put_spikes_into(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="binned or resampled"):
        respike(small(), SpikesParams(), file(tmp_path, cutout()))


@pytest.mark.parametrize(
    "rows", [np.zeros((4, 3)), np.array([[4096.0**2], [1.0]]), np.array([[-1.0], [1.0]])]
)
def test_a_file_that_is_no_list_of_spikes_says_so(rows: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no list of spikes"):
        respike(cutout(), SpikesParams(), spikes_file(tmp_path, rows))


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "spikes.fits"
    path.write_text("no FITS")
    with pytest.raises(BadInput, match="cannot be read") as caught:
        respike(cutout(), SpikesParams(), {"spikes": reference("spikes", path)})
    assert caught.value.file == str(path)
