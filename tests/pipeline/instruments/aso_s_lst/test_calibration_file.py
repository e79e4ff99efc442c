"""Calibration that cannot be what it says it is: refused in words, before a value is wrong by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.aso_s_lst.calibration_file import read_calibration
from pipeline.outcome import Outcome
from pipeline.quality import Quality
from pipeline.step import ReferenceFile
from pipeline.testing import reference, run_recipe
from tests.pipeline.instruments.aso_s_lst import simulated as lst

SMALL = lst.WST.model_copy(update={"size": 128})
Change = Callable[[NDArray[Any]], NDArray[Any]]


def edited(folder: Path, name: str, plane: str, change: Change) -> ReferenceFile:
    path = folder / f"{name}.fits"
    with fits.open(next(one.path for one in lst.references(SMALL) if one.name == name)) as hdus:
        hdus[plane].data = change(hdus[plane].data)
        hdus.writeto(path)
    return reference(name, path)


def outcome_with(changed: ReferenceFile) -> Outcome:
    kept = [one for one in lst.references(SMALL) if one.name != changed.name]
    (ran,) = run_recipe("aso_s_lst-l1", lst.frames(SMALL), references=[*kept, changed])
    return ran.outcome


@pytest.mark.parametrize(
    ("name", "plane", "change", "found"),
    [
        ("flat", "FLAT", lambda values: values * 20000, "a quarter of it is above 2"),
        ("flat", "FLAT", lambda values: -values, "a quarter of it is above -0"),
        ("flat", "FLAT", lambda values: values * np.nan, "0.0% of its pixels have a value"),
        ("dark", "BIASSING", lambda values: values * np.nan, "0.0% of its pixels have a value"),
        ("dark", "BIASSING", lambda values: values * 100, "its median is 119"),
        ("bad_pixels", "BAD", lambda values: (values > 0).astype(np.uint16), "1 at 2 pixels; hot ones are 8"),
    ],
)
def test_planes_that_cannot_be_are_refused_by_name(
    tmp_path: Path, name: str, plane: str, change: Change, found: str
) -> None:
    outcome = outcome_with(edited(tmp_path, name, plane, change))
    assert f"{name} references:{name}.fits cannot be right" in outcome.reason
    assert plane in outcome.keyword
    assert found in outcome.found
    assert "add it to the context" in outcome.advice


@pytest.mark.parametrize(("card", "value"), [("EPDNSING", 0.0), ("TOPSING", -4.0), ("READSING", -1.0)])
def test_a_camera_file_of_no_camera_is_refused(tmp_path: Path, card: str, value: float) -> None:
    path = tmp_path / "camera.fits"
    with fits.open(next(one.path for one in lst.references(SMALL) if one.name == "camera")) as hdus:
        hdus[0].header[card] = value
        hdus.writeto(path)
    outcome = outcome_with(reference("camera", path))
    assert "the camera references:camera.fits cannot be right" in outcome.reason
    assert f"{card} = {value}" in outcome.found


def test_whole_numbers_are_read_as_what_they_are(tmp_path: Path) -> None:
    scaled = fits.ImageHDU(np.full((4, 6), 0.97, np.float32), name="FLAT")
    scaled.scale("int16", bscale=1e-4, bzero=0.0)
    signed = fits.ImageHDU(np.full((4, 6), -3, np.int16), name="RATE")
    bits = fits.ImageHDU(np.full((4, 6), int(Quality.HOT), np.uint16), name="BAD")
    fits.HDUList([fits.PrimaryHDU(), scaled, signed, bits]).writeto(tmp_path / "planes.fits")
    planes = read_calibration(str(tmp_path / "planes.fits")).planes
    np.testing.assert_allclose(planes["FLAT"], 0.97, atol=1e-4)
    assert (planes["RATE"] == -3).all()
    assert planes["BAD"].dtype == np.uint16
