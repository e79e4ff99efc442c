"""Calibration files that are none: refused in words, and never used for numbers that look like some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_gris.steps.detector import FlatParams, gain
from pipeline.quality import Quality, flagged
from pipeline.step import ReferenceFile
from pipeline.testing import reference, run_step
from tests.pipeline.instruments.kis_gris import raw

Values = NDArray[np.float64]


def changed(name: str, change: Callable[[Values], Values], folder: Path, **cards: Any) -> ReferenceFile:
    """A calibration file of the scan with other values."""
    (given,) = (one for one in raw.references() if one.name == name)
    with fits.open(given.path) as units:
        header, values = units[0].header.copy(), np.asarray(units[0].data, np.float64)
    header.update(cards)
    path = folder / f"{name}.fits"
    fits.PrimaryHDU(change(values), header).writeto(path)
    return reference(name, path)


@pytest.mark.parametrize("factor", [0.0, np.nan, -1.0])
def test_a_flat_without_light_is_refused(factor: float, tmp_path: Path) -> None:
    flat = changed("flat", lambda values: values * factor, tmp_path)
    with pytest.raises(BadInput, match="no light above its dark"):
        gain(flat, None, FlatParams())


def test_lost_pixels_of_a_flat_are_bad_ones(tmp_path: Path) -> None:
    def holed(values: Values) -> Values:
        values[5, 3] = np.nan
        return values

    found = gain(changed("flat", holed, tmp_path), None, FlatParams())
    assert np.isnan(found.gain[5, 3])
    assert np.isfinite(found.gain).mean() > 0.97


@pytest.mark.parametrize("value", [1.0, np.nan])
def test_a_modulation_that_tells_no_parameters_apart_is_refused(value: float, tmp_path: Path) -> None:
    # With all states alike intensities came out four times too small, without a word.
    wrong = changed("modulation", lambda values: np.full_like(values, value), tmp_path)
    with pytest.raises(BadInput, match="does not tell the four Stokes parameters apart"):
        run_step(
            "demodulate",
            raw.frames_of(raw.scan())[0],
            instrument="kis_gris",
            references=[wrong],
            assume=("ADU",),
        )


@pytest.mark.parametrize("images", [0, -3, "many", 1e300])
def test_the_number_of_images_is_one(images: object, tmp_path: Path) -> None:
    flat = changed("flat", lambda values: values, tmp_path, ACCUMULA=images)
    with pytest.raises(BadInput, match="of how many images"):
        gain(flat, None, FlatParams())


def dark_subtracted(folder: Path, saturated: float | None = None, **cards: Any) -> Frame:
    """A raw file of which a pixel of one state is full, behind the first step."""
    given = raw.frames_of(raw.scan())[0]
    data = given.data.copy()
    data[2, 30, 7] = 65535.0 * given.header["ACCUMULA"]
    return run_step(
        "subtract_dark",
        given.replace(data=data),
        instrument="kis_gris",
        references=[changed("dark", lambda values: values, folder, **cards)],
        saturated=saturated,
    )


@pytest.mark.parametrize(
    ("given", "cards"), [({"saturated": 65000.0}, {}), ({}, {"SATLEVEL": 65000.0})], ids=["step", "dark"]
)
def test_what_is_full_is_flagged_where_the_camera_s_level_is_known(
    given: dict[str, float], cards: dict[str, float], tmp_path: Path
) -> None:
    made = dark_subtracted(tmp_path, **given, **cards)
    full = flagged(np.broadcast_to(made.quality, made.data.shape), Quality.SATURATED)
    assert full[2, 30, 7]
    assert full.any(axis=0).sum() == 1
    assert made.header["SATLEVEL"] == 65000.0


def test_without_a_level_saturation_is_not_looked_for(tmp_path: Path) -> None:
    made = dark_subtracted(tmp_path)
    assert not flagged(made.quality, Quality.SATURATED).any()
    assert "SATLEVEL" not in made.header
    assert any("saturation was not looked for" in caveat for caveat in made.caveats)
