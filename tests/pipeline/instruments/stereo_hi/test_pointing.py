"""Coordinates: star fits where there are any, else the mounting of the camera."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.instruments.stereo_hi import attitude, tables
from tests.pipeline.instruments.stereo_hi.frames import (
    apply_step,
    as_frame,
    frame_of,
    level_1,
    reference,
    simulated,
)

#: Mounting at launch, on which the coordinates in level-0 headers rest (their INS_X0 etc.).
LAUNCH = {
    "HI1": tables.Mounting(0.0, -13.98, 0.0, 0.16677, 20.2663),
    "HI2": tables.Mounting(0.0, -53.68, 0.0, 0.83329, 70.8002),
}


def solution(**changes: Any) -> fits.ImageHDU:
    """One star fit, for the first simulated HI-1 A frame."""
    header = frame_of().header
    cards: dict[str, Any] = {
        name: header[name] + 0.001
        for name in ("CRVAL1", "CRVAL2", "PC1_1", "PC1_2", "PC2_1", "PC2_2", "PV2_1", "XCEN", "YCEN", "CROTA")
    }
    cards |= {name + "A": header[name + "A"] - 0.002 for name in ("CRVAL1", "CRVAL2", "PC1_1", "PC1_2")}
    cards |= {name + "A": header[name + "A"] - 0.002 for name in ("PC2_1", "PC2_2", "PV2_1")}
    cards |= {"CDELT1": header["CDELT1"] / 2, "CDELT2": header["CDELT2"] / 2}
    cards |= {"CDELT1A": header["CDELT1A"] / 2, "CDELT2A": header["CDELT2A"] / 2}
    cards |= {"INS_X0": 14.0, "INS_Y0": 0.1, "INS_R0": -1.0, "NST1": 120, "RAVG": 0.4}
    hdu = fits.ImageHDU(name=str(header["DATE-AVG"]))
    for name, value in {**cards, **changes}.items():
        hdu.header[name] = value
    return hdu


def fit_file(folder: Path, *solutions: fits.ImageHDU) -> Path:
    path = folder / "pnt_HI1A_2009-04-01_fix_mu_fov.fts"
    fits.HDUList([fits.PrimaryHDU(), *solutions]).writeto(path)
    return path


def test_the_star_fit_of_this_exposure_is_taken_and_scaled_to_the_image(tmp_path: Path) -> None:
    frame = frame_of()
    other = solution(CRVAL1=99.0)
    other.header["EXTNAME"] = "2009-04-01T12:00:00.000"
    result = apply_step("pointing", frame, reference("pointing", fit_file(tmp_path, other, solution())))
    assert result.header["CRVAL1"] == pytest.approx(frame.header["CRVAL1"] + 0.001)
    assert result.header["CRVAL1A"] == pytest.approx(frame.header["CRVAL1A"] - 0.002)
    assert result.header["CDELT1"] == pytest.approx(frame.header["CDELT1"])
    assert result.header["RAVG"] == 0.4
    assert result.header["POINTSRC"] == "star fit"
    assert result.caveats == ()


@pytest.mark.parametrize(
    ("changes", "ravg"),
    [
        ({"NST1": 19}, -894.0),
        ({"RAVG": 5.1}, -883.0),
        ({"RAVG": -1.0}, -883.0),
        ({"EXTNAME": "2009-04-01T09:00:00.000"}, -882.0),
    ],
    ids=["few stars", "poor fit", "failed fit", "other exposure"],
)
def test_an_unusable_fit_gives_nominal_coordinates_and_its_reason(
    tmp_path: Path, changes: dict[str, Any], ravg: float
) -> None:
    path = fit_file(tmp_path, solution(**changes))
    result = apply_step("pointing", frame_of(), reference("pointing", path))
    assert result.header["RAVG"] == ravg
    assert result.header["POINTSRC"] == "nominal"
    assert len(result.caveats) == 1


def test_an_incomplete_fit_is_refused(tmp_path: Path) -> None:
    broken = solution()
    del broken.header["PC1_1"]
    with pytest.raises(BadInput, match="not complete") as refusal:
        apply_step("pointing", frame_of(), reference("pointing", fit_file(tmp_path, broken)))
    assert refusal.value.keyword == "PC1_1"


def test_without_any_fit_the_header_can_be_kept() -> None:
    frame = frame_of()
    result = apply_step("pointing", frame, fallback="header")
    assert result.header["RAVG"] == -881.0
    assert result.header["CRVAL1"] == frame.header["CRVAL1"]
    assert result.header["POINTSRC"] == "header"
    assert len(result.caveats) == 1


def test_without_an_attitude_the_header_is_kept() -> None:
    result = apply_step("pointing", as_frame(simulated(), SC_ROLLA=None))
    assert result.header["POINTSRC"] == "header"
    assert "SC_ROLLA" in result.caveats[0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"spacecraft": "B"},
        {"detector": "HI2"},
        {"start": datetime(2018, 4, 1, tzinfo=UTC)},
    ],
    ids=["A", "B", "HI-2", "rolled A"],
)
def test_nominal_coordinates_keep_north_up_and_the_sun_on_its_side(settings: dict[str, Any]) -> None:
    frame = frame_of(**settings)
    header = apply_step("pointing", frame).header
    sunward_left = settings.get("spacecraft") == "B" or "start" in settings
    assert (header["CRVAL1"] > 0) == sunward_left
    assert header["PC1_1"] > 0.9
    assert header["PC2_2"] > 0.9
    determinant = header["PC1_1"] * header["PC2_2"] - header["PC1_2"] * header["PC2_1"]
    assert determinant == pytest.approx(1.0)


@pytest.mark.parametrize("spacecraft", ["A", "B"])
@pytest.mark.parametrize("detector", ["HI1", "HI2"])
def test_a_part_of_the_field_has_the_plate_scale_of_the_whole(detector: str, spacecraft: str) -> None:
    optics = tables.OPTICS[(detector, spacecraft)]  # type: ignore[index]  # a parametrised literal
    for size in (128, 192):
        header = apply_step("pointing", frame_of(detector=detector, spacecraft=spacecraft, size=size)).header
        assert header["CDELT1"] * 3600 == pytest.approx(2 * optics.arcsec_per_pixel, rel=1e-4)
        assert header["CDELT1A"] == -header["CDELT1"]


@pytest.mark.parametrize("settings", [{}, {"spacecraft": "B"}, {"start": datetime(2018, 4, 1, tzinfo=UTC)}])
def test_an_image_as_read_out_gets_the_coordinates_of_its_turned_self(settings: dict[str, Any]) -> None:
    stored = apply_step("pointing", frame_of(**settings)).header
    raw = apply_step("pointing", frame_of(rectified=False, **settings)).header
    sign = -1.0 if settings else 1.0
    for suffix in ("", "A"):
        assert raw[f"CRVAL1{suffix}"] == pytest.approx(stored[f"CRVAL1{suffix}"])
        for name in ("PC1_1", "PC1_2", "PC2_1", "PC2_2"):
            assert raw[name + suffix] == pytest.approx(sign * stored[name + suffix])


@pytest.mark.parametrize(
    ("file", "detector"),
    [
        ("stereo_hi/20250622_000831_s4h1A.header", "HI1"),
        ("stereo_hi/20250622_000851_s4h2A.header", "HI2"),
        ("headers/real/hi_20110910_114721_s7h2A.header", "HI2"),
    ],
)
def test_the_mission_s_own_coordinates_follow_from_its_attitude(
    real_data: Path, file: str, detector: str
) -> None:
    text = (real_data / file).read_text()
    header = fits.Header.fromstring("\n".join(line.ljust(80) for line in text.splitlines()), sep="\n")
    sun = attitude.pointing(
        LAUNCH[detector], header["SC_YAW"], header["SC_PITCH"], -header["SC_ROLL"], turned=False
    )
    stars = attitude.pointing(
        LAUNCH[detector], header["SC_YAWA"], header["SC_PITA"], header["SC_ROLLA"], turned=False
    )
    assert (-sun.longitude, sun.latitude) == pytest.approx((header["CRVAL1"], header["CRVAL2"]), abs=1e-5)
    assert (stars.longitude, stars.latitude) == pytest.approx(
        (header["CRVAL1A"], header["CRVAL2A"]), abs=1e-5
    )
    names = ("PC1_1", "PC1_2", "PC2_1", "PC2_2")
    assert sun.rotation() == pytest.approx([header[name] for name in names], abs=1e-6)
    assert stars.rotation() == pytest.approx([header[name + "A"] for name in names], abs=1e-6)


def test_plate_scales_agree_with_the_star_fits() -> None:
    # §1 gives both: the field of view of a mounting, and arcseconds per pixel of the optics.
    for camera, mounting in tables.MOUNTINGS.items():
        scale = mounting.degrees_per_pixel(2048) * 3600
        assert scale == pytest.approx(tables.OPTICS[camera].arcsec_per_pixel, rel=1e-4)


def test_a_camera_looking_at_the_sun_without_attitude_looks_along_the_origin() -> None:
    found = attitude.pointing(tables.Mounting(0.0, 0.0, 0.0, 0.1, 20.0), 0.0, 0.0, 0.0, turned=False)
    assert (found.longitude, found.latitude, found.roll) == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
    turned = attitude.pointing(tables.Mounting(0.0, 0.0, 0.0, 0.1, 20.0), 0.0, 0.0, 180.0, turned=True)
    np.testing.assert_allclose(turned.rotation(), (1.0, 0.0, 0.0, 1.0), atol=1e-12)


@pytest.mark.parametrize("letter", ["", "A"])
@pytest.mark.parametrize(
    "names", [("CTYPE", "CRPIX", "CRVAL"), ("CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT")]
)
def test_what_a_raw_header_lacks_of_its_coordinates_follows_from_the_mounting(
    names: tuple[str, ...], letter: str
) -> None:
    cards = {f"{name}{axis}{letter}": None for name in names for axis in (1, 2)}
    simulation = simulated(kind="s7", size=256)
    found, _ = level_1(as_frame(simulation, **cards))
    wanted, _ = level_1(as_frame(simulation))
    for card in cards:
        assert found.header[card] == wanted.header[card], card


def test_a_frame_whose_coordinates_cannot_be_completed_has_none() -> None:
    # A part of the CCD: where its axis lies is not guessed.
    product, outcome = level_1(as_frame(simulated(size=64), CRPIX1=None))
    assert not [name for name in product.header if name in ("CTYPE1", "CRVAL1", "CDELT1", "PC1_1", "PV2_1")]
    assert product.header["CTYPE1A"] == "RA---AZP"
    assert any("taken out" in caveat and "CRPIX1" in caveat for caveat in outcome.caveats)
