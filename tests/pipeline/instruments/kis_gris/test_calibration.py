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
from pipeline.instruments.kis_gris.steps.detector import FlatParams, gain
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
