"""Flat field, units, and the geometry of the optics."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
import sunpy.map
from astropy.io import fits
from sunpy.util.exceptions import SunpyMetadataWarning

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import tables
from pipeline.instruments.stereo_hi.steps.calibrate import diffuse_correction, read_flat
from pipeline.outcome import Outcome, Status
from pipeline.quality import Quality, flagged
from pipeline.recipe import recipes_of
from pipeline.registry import instrument
from pipeline.running import run_chain
from pipeline.step import ReferenceFile
from tests.pipeline.instruments.stereo_hi.frames import (
    LEVEL_1,
    MSB,
    apply_step,
    as_frame,
    frame_of,
    level_1,
    reference,
    simulated,
)


def flat_file(folder: Path, values: np.ndarray, **cards: Any) -> Path:
    path = folder / "flat.fts"
    header = fits.Header({"P1COL": 51, "OBSRVTRY": "STEREO_A", "RECTIFY": True, **cards})
    fits.PrimaryHDU(values.astype(np.float32), header).writeto(path, overwrite=True)
    return path


def test_the_flat_multiplies_and_is_binned_to_the_image(tmp_path: Path) -> None:
    flat = np.random.default_rng(0).uniform(0.9, 1.1, (256, 256))
    frame = frame_of()
    result = apply_step("flat_field", frame, reference("flat", flat_file(tmp_path, flat)))
    binned = flat.reshape(128, 2, 128, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(result.data, frame.data * binned, rtol=1e-5)


@pytest.mark.parametrize(
    ("spacecraft", "rectified", "turned"),
    [("B", False, True), ("B", True, False), ("B", "T ", False), ("B", "F", True), ("A", True, False)],
)
def test_the_flat_is_turned_like_the_image(
    tmp_path: Path, spacecraft: str, rectified: bool | str, turned: bool
) -> None:
    flat = np.random.default_rng(1).uniform(0.9, 1.1, (128, 128))
    path = flat_file(tmp_path, flat, OBSRVTRY=f"STEREO_{spacecraft}", RECTIFY=rectified)
    frame = frame_of(spacecraft=spacecraft)
    result = apply_step("flat_field", frame, reference("flat", path))
    np.testing.assert_allclose(result.data, frame.data * (flat[::-1, ::-1] if turned else flat), rtol=1e-5)


def test_a_flat_that_says_nothing_of_itself_is_trimmed_and_lies_as_read_out(tmp_path: Path) -> None:
    flat = np.random.default_rng(2).uniform(0.9, 1.1, (128, 128)).astype(np.float32)
    fits.PrimaryHDU(flat).writeto(tmp_path / "bare.fts")
    frame = frame_of()
    result = apply_step("flat_field", frame, reference("flat", tmp_path / "bare.fts"))
    np.testing.assert_allclose(result.data, frame.data * flat, rtol=1e-5)


@pytest.mark.parametrize(("shape", "left"), [((1024, 1088), 25), ((2056, 2176), 50)])
def test_the_underscan_of_an_untrimmed_flat_is_left_out(
    tmp_path: Path, shape: tuple[int, int], left: int
) -> None:
    flat = np.tile(np.arange(shape[1], dtype=np.float32), (shape[0], 1)) + 1
    frame = frame_of(kind="n4", size=1024) if shape[0] == 1024 else frame_of(size=1024)
    result = apply_step("flat_field", frame, reference("flat", flat_file(tmp_path, flat, P1COL=1)))
    step = shape[0] // 1024
    first = flat[0, left : left + step].mean()
    np.testing.assert_allclose(result.data[:, 0], frame.data[:, 0] * first, rtol=1e-6)


@pytest.mark.parametrize(("column", "trimmed"), [(0, False), (1, False), (2, True), (51, True)])
def test_a_flat_that_begins_behind_the_first_column_is_trimmed(
    tmp_path: Path, column: int, trimmed: bool
) -> None:
    assert read_flat(str(flat_file(tmp_path, np.ones((4, 4)), P1COL=column))).trimmed is trimmed


def test_a_flat_of_another_size_is_refused(tmp_path: Path) -> None:
    for size in (200, 64, 127, 1):
        with pytest.raises(BadInput, match="does not fit the image") as refusal:
            apply_step(
                "flat_field", frame_of(), reference("flat", flat_file(tmp_path, np.ones((size, size))))
            )
        assert refusal.value.keyword == "NAXIS1, NAXIS2"
        assert refusal.value.found == f"image 128 × 128, flat {size} × {size}, both without underscan"


def test_a_flat_is_binned_in_each_direction_by_itself(tmp_path: Path) -> None:
    flat = np.random.default_rng(3).uniform(0.9, 1.1, (128, 512))
    frame = frame_of()
    result = apply_step("flat_field", frame, reference("flat", flat_file(tmp_path, flat)))
    binned = flat.reshape(128, 1, 128, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(result.data, frame.data * binned, rtol=1e-5)


def test_pixels_without_a_flat_are_dead(tmp_path: Path) -> None:
    flat = np.ones((128, 128))
    flat[3, 4], flat[5, 6] = 0.0, np.nan
    result = apply_step("flat_field", frame_of(), reference("flat", flat_file(tmp_path, flat)))
    assert np.argwhere(flagged(result.quality, Quality.DEAD)).tolist() == [[3, 4], [5, 6]]
    assert np.isnan(result.data[3, 4])


def test_an_assumed_flat_is_said_in_header_and_caveat() -> None:
    product, outcome = level_1(frame_of())
    assert "flat" in str(product.header["ASSUME1"])
    assert any("unity was assumed" in caveat for caveat in outcome.caveats)


# science.md §1, "Photometric calibration": values at their reference dates, and their slopes.
@pytest.mark.parametrize(
    ("camera", "unit", "date", "wanted"),
    [
        (("HI1", "A"), "MSB", datetime(2011, 6, 27, tzinfo=UTC), 3.453e-13),
        (("HI1", "A"), "MSB", datetime(2008, 1, 1, tzinfo=UTC), 3.453e-13),  # not before the reference date
        (("HI1", "A"), "S10", datetime(2011, 6, 27, tzinfo=UTC), 763.2),
        (("HI1", "B"), "MSB", datetime(2007, 1, 1, tzinfo=UTC), 3.55e-13),
        (("HI1", "B"), "S10", datetime(2007, 1, 1, tzinfo=UTC), 3.55e-13 * 2.223e15),
        (("HI2", "A"), "MSB", datetime(2015, 1, 1, tzinfo=UTC), 4.512e-14),
        (("HI2", "A"), "S10", datetime(2015, 1, 1, tzinfo=UTC), 100.3),
        (("HI2", "B"), "MSB", datetime(2000, 12, 31, tzinfo=UTC), 4.293e-14),
        (("HI2", "B"), "S10", datetime(2000, 12, 31, tzinfo=UTC), 95.424),
        (("HI1", "A"), "DN/s", datetime(2011, 6, 27, tzinfo=UTC), 1.0),
    ],
)
def test_published_factors(camera: tables.Camera, unit: tables.Unit, date: datetime, wanted: float) -> None:
    assert tables.brightness_per_rate(camera, unit, date) == pytest.approx(wanted, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("camera", "unit", "years", "wanted"),
    [
        (("HI1", "A"), "MSB", 10.0, 3.453e-13 + 10 * 5.914e-16),
        (("HI1", "A"), "S10", 10.0, 763.2 + 10 * 1.315),
        (("HI1", "B"), "MSB", 5.0, 3.55e-13 / (1 - 5 * 0.001503)),
        (("HI2", "A"), "MSB", -5.0, 4.476e-14 - 5 * 5.511e-17),
        (("HI2", "A"), "S10", -5.0, 99.5 - 5 * 0.1225),
        (("HI2", "A"), "MSB", 5.0, 4.512e-14 + 5 * 7.107e-17),
        (("HI2", "A"), "S10", 5.0, 100.3 + 5 * 0.158),
        (("HI2", "B"), "MSB", 10.0, 4.293e-14 + 10 * 3.014e-17),
        (("HI2", "B"), "S10", 10.0, 95.424 + 10 * 0.067),
    ],
)
def test_sensitivity_changes_with_the_years(
    camera: tables.Camera, unit: tables.Unit, years: float, wanted: float
) -> None:
    reference_date = {
        ("HI1", "A"): datetime(2011, 6, 27, tzinfo=UTC),
        ("HI1", "B"): datetime(2007, 1, 1, tzinfo=UTC),
        ("HI2", "A"): datetime(2015, 1, 1, tzinfo=UTC),
        ("HI2", "B"): datetime(2000, 12, 31, tzinfo=UTC),
    }[camera]
    date = reference_date + timedelta(days=365.25 * years)
    assert tables.brightness_per_rate(camera, unit, date) == pytest.approx(wanted, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("unit", "written", "wanted"),
    [
        ("DN/s", "DN/s", u.DN / u.s),
        ("MSB", "", u.dimensionless_unscaled),
        ("S10", "deg-2", u.deg**-2),  # written as S10 it would be read as siemens to the tenth power
    ],
)
def test_the_unit_asked_for_is_given_per_ccd_pixel_in_words_that_readers_know(
    unit: str, written: str, wanted: u.Unit
) -> None:
    product, _ = level_1(
        frame_of(), photometric_calibration__units=unit, photometric_calibration__without_flat=True
    )
    assert product.header["BUNIT"] == written
    with warnings.catch_warnings():
        warnings.simplefilter("error", SunpyMetadataWarning)
        assert sunpy.map.Map(product.data, product.header).unit == wanted
    assert unit in product.header["BNAME"]
    assert product.header["BTYPE"].startswith("phot.")
    assert product.header["IPSUM"] == 1
    assert product.header["IPSUMORI"] == 2
    assert [product.header[name] for name in ("NBIN1", "NBIN2", "NBIN")] == [2, 2, 4]


def test_msb_is_the_rate_times_factor_and_diffuse_correction() -> None:
    frame = frame_of()
    rate, _ = level_1(frame)
    plain, _ = level_1(frame, **MSB, photometric_calibration__diffuse=False)
    full, _ = level_1(frame, **MSB)
    np.testing.assert_allclose(plain.data, rate.data * np.float32(plain.header["CALFAC"]), rtol=1e-5)
    ratio = full.data / plain.data
    assert ratio[64, 64] == pytest.approx(1.0, abs=1e-4)
    assert ratio[0, 0] > ratio[30, 30] > ratio[64, 64]
    assert (full.header["DIFFCORR"], plain.header["DIFFCORR"]) == (True, False)


def finished_as(frame: Frame, flat: Mapping[str, ReferenceFile], **settings: Any) -> Outcome:
    recipe = recipes_of(instrument("stereo_hi"))[LEVEL_1]
    changed = recipe.with_settings({key.replace("__", "."): value for key, value in settings.items()})
    return run_chain(frame, changed.bind(), dict(flat), level="1")[1]


@pytest.mark.parametrize("unit", ["MSB", "S10"])
def test_physical_units_without_a_flat_must_be_asked_for(tmp_path: Path, unit: str) -> None:
    frame, flat = frame_of(), reference("flat", flat_file(tmp_path, np.ones((128, 128))))
    refused = finished_as(frame, {}, photometric_calibration__units=unit)
    assert (refused.status, refused.step) == (Status.QUARANTINED, "flat_field")
    assert f"photometric_calibration.without_flat to true for {unit}" in refused.advice
    assert "assume" not in refused.advice
    assert finished_as(frame, flat, photometric_calibration__units=unit).status is Status.DONE
    asked = finished_as(frame, {}, **MSB | {"photometric_calibration__units": unit})
    assert asked.status is Status.DONE
    assert any("unity was assumed" in caveat for caveat in asked.caveats)


def test_physical_units_of_a_beacon_image_must_be_asked_for() -> None:
    frame = frame_of(kind="s7", size=64)
    refused = finished_as(frame, {}, **MSB)
    assert (refused.status, refused.step) == (Status.QUARANTINED, "photometric_calibration")
    assert "photometric_calibration.beacon to true" in refused.advice
    asked = finished_as(frame, {}, **MSB, photometric_calibration__beacon=True)
    assert asked.status is Status.DONE
    assert any("rests on one HI-2 image" in caveat for caveat in asked.caveats)
    assert finished_as(frame, {}).status is Status.DONE


def test_a_trimmed_flat_belongs_to_the_part_of_an_untrimmed_image_that_saw_light(tmp_path: Path) -> None:
    flat = np.random.default_rng(2).uniform(0.9, 1.1, (128, 128)).astype(np.float32)
    header = frame_of().header
    header.update({"DSTART1": 21, "DSTOP1": 148, "DSTART2": 9, "DSTOP2": 136})
    frame = Frame.of(np.ones((140, 160), np.float32), header, "untrimmed.fts")
    result = apply_step("flat_field", frame, reference("flat", flat_file(tmp_path, flat)))
    np.testing.assert_array_equal(result.data[8:136, 20:148], flat)
    assert not flagged(result.quality, Quality.DEAD).any()
    with pytest.raises(BadInput, match="does not fit the image") as refusal:
        apply_step("flat_field", frame, reference("flat", flat_file(tmp_path, flat[:120])))
    assert refusal.value.found == "image 128 × 128, flat 128 × 120, both without underscan"
    assert refusal.value.keyword == "DSTART1, DSTOP1, DSTART2, DSTOP2"


def test_total_brightness_from_one_polarised_exposure_is_doubled() -> None:
    frame = as_frame(simulated(), BUNIT="DN/s")
    double = as_frame(simulated(), BUNIT="DN/s", POLAR=1001.0)
    one = apply_step("photometric_calibration", frame, units="MSB")
    two = apply_step("photometric_calibration", double, units="MSB")
    np.testing.assert_allclose(two.data, 2 * one.data, rtol=1e-6)


def test_units_that_change_with_time_need_a_date() -> None:
    frame = as_frame(simulated(), BUNIT="DN/s", DATE_AVG="yesterday")
    with pytest.raises(BadInput, match="sensitivity depends on the date"):
        apply_step("photometric_calibration", frame, units="S10")
    apply_step("photometric_calibration", frame, units="DN/s")


@pytest.mark.parametrize("detector", ["HI1", "HI2"])
def test_the_diffuse_correction_is_the_published_formula(detector: str) -> None:
    frame = as_frame(simulated(detector=detector), RAVG=-881.0)
    optics = tables.OPTICS[(detector, "A")]  # type: ignore[index]  # a parametrised literal
    summing, mu = 2, optics.mu
    pixel = 0.0135 * summing
    focal = pixel / np.radians(optics.arcsec_per_pixel * summing / 3600)
    offset = np.arange(128) + 1 - frame.header["CRPIX1"]
    radius = np.hypot(*np.meshgrid(offset, offset)) * pixel
    gamma = focal * (mu + 1) / radius
    cosine = (-mu + gamma * np.sqrt(1 - mu**2 + gamma**2)) / (1 + gamma**2)
    wanted = (mu + 1) ** 2 * (mu * cosine + 1) / (mu + cosine) ** 3
    np.testing.assert_allclose(diffuse_correction(frame), wanted, rtol=2e-6)


def test_fitted_optics_are_preferred_to_nominal_ones() -> None:
    nominal = diffuse_correction(as_frame(simulated(), RAVG=-881.0))
    fitted = diffuse_correction(as_frame(simulated(), RAVG=0.3, PV2_1=0.9, CDELT1=0.02))
    in_arcsec = diffuse_correction(as_frame(simulated(), RAVG=0.3, PV2_1=0.9, CDELT1=72.0, CUNIT1="arcsec"))
    assert np.abs(fitted - nominal).max() > 1e-4
    np.testing.assert_allclose(fitted, in_arcsec, rtol=1e-6)


def test_an_underscan_does_not_move_the_axis_of_the_optics() -> None:
    # CRPIX counts from the image's first pixel; where the light begins in it does not matter.
    plain = diffuse_correction(as_frame(simulated(), RAVG=-881.0))
    shifted = diffuse_correction(as_frame(simulated(), RAVG=-881.0, DSTART1=26, DSTART2=3))
    np.testing.assert_array_equal(shifted, plain)


@pytest.mark.parametrize(
    ("cards", "factor"),
    [
        ({"POLAR": 1001.0, "SEB_PROG": "DOUBLE"}, 1),
        ({"POLAR": 1001.0, "SEB_PROG": "SERIES"}, 2),
        ({"POLAR": 1000.0}, 1),
        ({"POLAR": 1002.0}, 1),
        ({"POLAR": None}, 1),
    ],
)
def test_only_one_exposure_of_two_is_doubled(cards: dict[str, Any], factor: float) -> None:
    plain = as_frame(simulated(), BUNIT="DN/s", POLAR=1000.0)
    one = apply_step("photometric_calibration", plain, units="MSB")
    found = apply_step("photometric_calibration", as_frame(simulated(), BUNIT="DN/s", **cards), units="MSB")
    np.testing.assert_allclose(found.data, factor * one.data, rtol=1e-6)


@pytest.mark.parametrize(("summed", "side"), [(1.0, 1), (2.0, 2), (3.0, 4), (4.0, 8)])
def test_the_size_of_a_pixel_is_told_by_side_and_by_area(summed: float, side: int) -> None:
    frame = as_frame(simulated(), BUNIT="DN/s", SUMMED=summed, IPSUM=summed)
    result = apply_step("photometric_calibration", frame)
    assert [result.header[name] for name in ("NBIN1", "NBIN2", "NBIN")] == [side, side, side**2]
    np.testing.assert_allclose(result.data, frame.data / side**2, rtol=1e-6)


@pytest.mark.parametrize("ravg", [-894.0, -0.1])
def test_optics_of_a_fit_that_failed_are_not_used(ravg: float) -> None:
    nominal = diffuse_correction(as_frame(simulated()))
    failed = diffuse_correction(as_frame(simulated(), RAVG=ravg, PV2_1=0.9, CDELT1=0.02))
    perfect = diffuse_correction(as_frame(simulated(), RAVG=0.0, PV2_1=0.9, CDELT1=0.02))
    np.testing.assert_array_equal(failed, nominal)
    assert np.abs(perfect - nominal).max() > 1e-4


def test_each_spacecraft_has_its_own_factor() -> None:
    found = {
        spacecraft: apply_step(
            "photometric_calibration", as_frame(simulated(spacecraft=spacecraft), BUNIT="DN/s"), units="MSB"
        ).header["CALFAC"]
        for spacecraft in ("A", "B")
    }
    middle = datetime.fromisoformat(simulated().header["DATE-AVG"]).replace(tzinfo=UTC)
    for spacecraft, factor in found.items():
        camera: tables.Camera = ("HI1", "A") if spacecraft == "A" else ("HI1", "B")
        assert factor == pytest.approx(tables.brightness_per_rate(camera, "MSB", middle), rel=1e-6)
    assert found["B"] / found["A"] != pytest.approx(1.0, rel=1e-2)
