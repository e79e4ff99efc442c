"""Factor, vignetting and stray light, for every way of adding pixels up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.quality import Quality
from pipeline.testing import assert_flags
from tests.pipeline.instruments.soho_lasco.frames import C3, image_file, in_unit, raw, run_step

#: A pattern that means of 2 by 2 tell from single pixels and from a transposed one.
FULL = (1.0 + np.arange(1024)[None, :] / 100 + np.arange(1024)[:, None] / 10).astype(np.float32)


def test_the_factor_of_the_published_image() -> None:
    made = run_step("calibration_factor", in_unit(raw(1.0), "DN/s"))
    assert f"{made.header['CALFAC']:.5e}" == "6.26831e-12"
    np.testing.assert_allclose(made.data, 6.26831e-12, rtol=1e-6)
    assert made.header["BUNIT"] == "MSB"


@pytest.mark.parametrize(
    "cards", [{"LEBXSUM": 2, "LEBYSUM": 2}, {"SUMCOL": 2, "SUMROW": 2}], ids=["on board", "on the chip"]
)
def test_pixels_that_were_added_up_share_the_factor(cards: dict[str, int]) -> None:
    made = run_step("calibration_factor", in_unit(raw(4.0, **cards), "DN/s"))
    np.testing.assert_allclose(made.data, 6.26831e-12, rtol=1e-6)


def test_a_filter_without_a_factor_is_refused() -> None:
    with pytest.raises(BadInput, match="no calibration factor") as refusal:
        run_step("calibration_factor", in_unit(raw(POLAR="ND", **C3), "DN/s"))
    assert refusal.value.found == "Clear, ND"


def test_the_vignetting_is_cut_out_like_the_image(tmp_path: Path) -> None:
    vignetting = image_file(tmp_path, "vignetting", FULL)
    frame = in_unit(raw(2.0, R1COL=20 + 100, R1ROW=1 + 300), "MSB")
    made = run_step("vignetting", frame, vignetting)
    # c2_calibrate.pro keeps it below 100.
    np.testing.assert_allclose(made.data, 2.0 * np.minimum(FULL[300:428, 100:228], 100.0))


def test_the_vignetting_of_summed_images_is_the_mean_of_their_pixels(tmp_path: Path) -> None:
    vignetting = image_file(tmp_path, "vignetting", FULL / 10)
    made = run_step("vignetting", in_unit(raw(1.0, LEBXSUM=2, LEBYSUM=2), "MSB"), vignetting)
    wanted = (FULL[:256, :256] / 10).reshape(128, 2, 128, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(made.data, wanted, rtol=1e-6)
    both = in_unit(raw(1.0, SUMCOL=2, SUMROW=2, LEBXSUM=2, LEBYSUM=2), "MSB")
    wanted = (FULL[:512, :512] / 10).reshape(128, 4, 128, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(run_step("vignetting", both, vignetting).data, wanted, rtol=1e-6)


def test_the_vignetting_of_c3_is_not_cut_off_at_100(tmp_path: Path) -> None:
    vignetting = image_file(tmp_path, "vignetting", np.full((1024, 1024), 250.0))
    np.testing.assert_array_equal(
        run_step("vignetting", in_unit(raw(1.0, **C3), "MSB"), vignetting).data, 250.0
    )


def test_where_nothing_is_let_through_nothing_is_brought_back(tmp_path: Path) -> None:
    blind = np.ones((1024, 1024), np.float32)
    blind[:10, :20] = 0
    blind[10, 0] = -5.0
    made = run_step("vignetting", in_unit(raw(1.0), "MSB"), image_file(tmp_path, "vignetting", blind))
    assert_flags(made, Quality.OUTSIDE_FIELD, blind[:128, :128] <= 0)
    assert np.isnan(made.data).sum() == 201


def test_a_vignetting_that_does_not_cover_the_image_is_refused(tmp_path: Path) -> None:
    from astropy.io import fits

    from pipeline.testing import reference

    fits.PrimaryHDU(np.ones((512, 512), np.float32)).writeto(tmp_path / "small.fts")
    frame = in_unit(raw(1.0, R1COL=620), "MSB")
    with pytest.raises(BadInput, match="does not cover"):
        run_step("vignetting", frame, reference("vignetting", tmp_path / "small.fts"))


def test_the_ramp_is_taken_off_c3_clear_alone_and_not_vignetted(tmp_path: Path) -> None:
    ramp = image_file(tmp_path, "ramp", FULL * 1e-12)
    made = run_step("stray_light", in_unit(raw(1e-9, **C3), "MSB"), ramp)
    np.testing.assert_allclose(made.data, 1e-9 - FULL[:128, :128] * 1e-12, rtol=1e-5)
    for cards in ({**C3, "FILTER": "Orange"}, {}, {**C3, "POLAR": "PB"}):
        np.testing.assert_array_equal(
            run_step("stray_light", in_unit(raw(1e-9, **cards), "MSB"), ramp).data, np.float32(1e-9)
        )
    bare = run_step("stray_light", in_unit(raw(1e-9, **C3), "MSB"))
    assert any("stray light of C3 is still" in caveat for caveat in bare.caveats)


def test_simulated_calibration_is_said_in_the_product_and_which_it_was(tmp_path: Path) -> None:
    frame = in_unit(raw(1.0, **C3), "MSB")
    first = run_step("vignetting", frame, image_file(tmp_path, "vignetting", 1.0, simulated=True))
    both = run_step("stray_light", first, image_file(tmp_path, "ramp", 0.0, simulated=True))
    assert both.header["SIMCAL"] is True
    assert both.header["SIMCALS"] == "vignetting, ramp"
    real = run_step("vignetting", frame, image_file(tmp_path, "vignetting", 1.0))
    assert "SIMCAL" not in real.header
