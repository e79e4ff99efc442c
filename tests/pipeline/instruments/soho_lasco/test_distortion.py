"""The distortion, and what the optics hide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco import optics, tables
from pipeline.instruments.soho_lasco.centres import read_optical_centres
from pipeline.quality import Quality
from pipeline.testing import assert_flags
from tests.pipeline.instruments.soho_lasco.frames import C3, image_file, in_unit, raw, run_step, text_file

#: A scene as smooth as a wide polynomial, so that interpolation errs less than the distortion moves.
WIDTH = 60.0


def scene(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
    return (10 + np.sin(x / WIDTH) * np.cos(y / (1.3 * WIDTH)) + 1e-3 * x).astype(np.float32)


def undistorted(detector: tables.Detector, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float32]:
    """What pixels of the corrected image show of a scene on the distorted one, by the polynomial itself."""
    xc, yc = tables.OPTICAL_CENTRE[detector]
    distance = np.hypot(x - xc, y - yc)
    moved = np.vectorize(lambda r: tables.displacement(detector, r))(distance)
    growth = 1 + moved / np.maximum(distance, 1e-9)
    return scene(xc + growth * (x - xc), yc + growth * (y - yc))


@pytest.mark.parametrize("cards", [{}, C3], ids=["C2", "C3"])
def test_the_pixel_of_the_result_is_that_which_the_polynomial_names(cards: dict[str, Any]) -> None:
    detector: tables.Detector = "C3" if cards else "C2"
    rows, columns = np.indices((1024, 1024), dtype=float)
    made = run_step("distortion", in_unit(raw(scene(columns, rows), (1024, 1024), **cards), "MSB"))
    wanted = undistorted(detector, columns, rows)
    seen = np.isfinite(made.data)
    assert seen.mean() > 0.95
    # Linear between control points, and between pixels.
    assert np.abs(made.data - wanted)[seen].max() < 3e-3
    # Not correcting at all would err by far more.
    assert np.abs(scene(columns, rows) - wanted)[seen].max() > 0.1
    assert_flags(made, Quality.OUTSIDE_FIELD, ~seen)


def test_a_summed_image_is_moved_by_half_as_many_of_its_pixels() -> None:
    rows, columns = np.indices((512, 512), dtype=float)
    image = scene(2 * columns, 2 * rows)
    made = run_step("distortion", in_unit(raw(image, (512, 512), LEBXSUM=2, LEBYSUM=2), "MSB"))
    seen = np.isfinite(made.data)
    assert np.abs(made.data - undistorted("C2", 2 * columns, 2 * rows))[seen].max() < 5e-3


def test_a_part_of_the_ccd_is_moved_as_in_the_whole_image() -> None:
    rows, columns = np.indices((1024, 1024), dtype=float)
    whole = run_step("distortion", in_unit(raw(scene(columns, rows), (1024, 1024)), "MSB"))
    cut = np.s_[600:800, 250:500]
    part = raw(scene(columns, rows)[cut], (200, 250), R1COL=20 + 250, R1ROW=1 + 600)
    made = run_step("distortion", in_unit(part, "MSB"))
    inner = np.s_[12:-12, 12:-12]
    np.testing.assert_allclose(made.data[inner], whole.data[cut][inner], atol=1e-5)


CENTRES = """ xcen    ycen    date       camera, filter
512.634 505.293 1995/12/02 C2 Orange

511.000 506.000 1998/07/01 C2 Orange

513.000 507.000 1996/01/01 C2 Blue

"""
CENTRES_C3 = """Centres of the occulter of C3
date x y
1996/08/10 516.514 529.717
2000/02/20 516.408 531.160
"""


def test_the_centre_of_c2_is_the_latest_begun_of_its_filter(tmp_path: Path) -> None:
    given = text_file(tmp_path, "optical_centre", "occulter_center.dat", CENTRES)
    made = run_step("distortion", in_unit(raw(), "MSB"), given)
    assert (made.header["OCCXCEN"], made.header["OCCYCEN"]) == (511.0, 506.0)
    old = {"DATE-OBS": "1997/02/28"}
    assert run_step("distortion", in_unit(raw(**old), "MSB"), given).header["OCCXCEN"] == 512.634
    blue = run_step("distortion", in_unit(raw(FILTER="Blue"), "MSB"), given)
    assert blue.header["OCCXCEN"] == 513.0


def test_the_centre_of_c3_is_the_nearest_in_time(tmp_path: Path) -> None:
    given = text_file(tmp_path, "optical_centre", "c3_occltr_cntr.dat", CENTRES_C3)
    for date, x in (("1998/01/01", 516.514), ("1999/01/01", 516.408), ("2009/01/01", 516.408)):
        made = run_step("distortion", in_unit(raw(**C3, **{"DATE-OBS": date}), "MSB"), given)
        assert made.header["OCCXCEN"] == x


def test_without_a_list_or_without_an_entry_the_programs_default_is_taken(tmp_path: Path) -> None:
    given = text_file(tmp_path, "optical_centre", "occulter_center.dat", CENTRES)
    for references in ((), (given,)):
        made = run_step("distortion", in_unit(raw(FILTER="DeepRd"), "MSB"), *references)
        assert (made.header["OCCXCEN"], made.header["OCCYCEN"]) == (512.634, 505.293)
    assert len(read_optical_centres(given.path).entries) == 3


def test_what_is_hidden_has_no_value_and_is_flagged(tmp_path: Path) -> None:
    seen = np.ones((1024, 1024), np.float32)
    seen[40:60, 30:90] = 0
    mask = image_file(tmp_path, "mask", seen)
    made = run_step("mask", in_unit(raw(1e-9, **C3), "MSB"), mask)
    hidden = seen[:128, :128] == 0
    np.testing.assert_array_equal(np.isnan(made.data), hidden)
    assert_flags(made, Quality.OUTSIDE_FIELD, hidden)
    zero = run_step("mask", in_unit(raw(1e-9, **C3), "MSB"), mask, hidden=0.0)
    np.testing.assert_array_equal(zero.data == 0, hidden)


def test_a_pixel_of_a_summed_image_that_is_hidden_in_part_goes_as_well(tmp_path: Path) -> None:
    seen = np.ones((1024, 1024), np.float32)
    seen[41, 31] = 0
    frame = in_unit(raw(1e-9, **C3, LEBXSUM=2, LEBYSUM=2), "MSB")
    made = run_step("mask", frame, image_file(tmp_path, "mask", seen))
    assert np.argwhere(np.isnan(made.data)).tolist() == [[20, 15]]


def test_c3_without_a_mask_says_so_and_c2_needs_none() -> None:
    bare = run_step("mask", in_unit(raw(1e-9, **C3), "MSB"))
    assert any("no mask" in caveat for caveat in bare.caveats)
    assert not run_step("mask", in_unit(raw(1e-9), "MSB")).caveats


def test_places_are_found_once_for_images_read_out_alike_and_not_for_ever() -> None:
    frame = in_unit(raw(), "MSB")
    run_step("distortion", frame)
    before = optics.places.cache_info()
    run_step("distortion", frame)
    run_step("distortion", frame)
    after = optics.places.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (2, 0)
    assert after.maxsize is not None
    assert after.maxsize < 10
