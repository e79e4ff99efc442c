"""Exposure normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline import Frame
from pipeline.errors import BadInput
from pipeline.steps.normalise_exposure import NormaliseExposureParams, normalise_exposure
from tests.toy import toy_frame


def normalised(frame: Frame, **params: str) -> Frame:
    return normalise_exposure(frame, NormaliseExposureParams(**params), {})


def test_counts_become_counts_per_second() -> None:
    result = normalised(toy_frame(6.0, EXPTIME=2.0))
    np.testing.assert_array_equal(result.data, 3.0)
    assert result.data.dtype == np.float32
    assert result.header["XPOSURE"] == 2.0


def test_missing_pixels_stay_missing() -> None:
    frame = toy_frame(6.0, EXPTIME=2.0)
    frame.data[0, 0] = np.nan
    assert np.isnan(normalised(frame).data[0, 0])


def test_the_keyword_can_be_another_one() -> None:
    np.testing.assert_array_equal(normalised(toy_frame(6.0, XPOSURE=3.0), keyword="XPOSURE").data, 2.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, "long"])
def test_an_exposure_that_is_none_is_refused_by_name(seconds: object) -> None:
    with pytest.raises(BadInput) as caught:
        normalised(toy_frame(6.0, EXPTIME=seconds, FILENAME="dark.fits"))
    assert caught.value.keyword == "EXPTIME"
    assert caught.value.file == "dark.fits"


def test_a_missing_exposure_time_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="no EXPTIME"):
        normalised(toy_frame(6.0))


def test_an_image_is_never_divided_twice() -> None:
    with pytest.raises(BadInput, match="already"):
        normalised(toy_frame(6.0, EXPTIME=2.0, BUNIT="DN/s"))
