"""The generic step that finds the Sun's centre."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.testing import assert_provenance, run_step, toy_frame
from tests.pipeline.kernels.test_limb import CENTRE, RADIUS, disk


def sun(image: Any = None, **cards: Any) -> Frame:
    shown = disk() if image is None else image
    known = {"RSUN_OBS": 960.0, "CDELT1": 6.0, "CDELT2": 6.0, "CRPIX1": 250.0, "CRPIX2": 250.0, "BUNIT": "DN"}
    return toy_frame(shown, shown.shape, **{**known, **cards})


def fitted(frame: Frame, **params: Any) -> Frame:
    return run_step("limb_fit", frame, instrument="trace", **params)


def test_centre_radius_and_scale_stand_in_the_header() -> None:
    header = fitted(sun()).header
    assert (header["CRPIX1"], header["CRPIX2"]) == pytest.approx((CENTRE[0] + 1, CENTRE[1] + 1), abs=0.02)
    assert header["R_SUN"] == pytest.approx(RADIUS - 0.33, abs=0.03)
    assert header["CDELT1"] == pytest.approx(960.0 / header["R_SUN"])
    assert header["LIMBERR"] < 0.01
    assert header["LIMBSHAR"] > 0.95
    assert header["CTYPE1"] == "HPLN-TAN"


def test_the_image_stays_as_it_is_and_the_step_is_recorded() -> None:
    frame = sun()
    made = fitted(frame)
    np.testing.assert_array_equal(made.data, frame.data)
    assert_provenance(made, "SPATIAL-COORDINATE-CORRECTION")


def test_the_scale_may_stay_and_a_higher_limb_makes_it_larger() -> None:
    assert fitted(sun(), scale="as it is").header["CDELT1"] == 6.0
    high = fitted(sun(), height_arcsec=5.0).header
    assert high["CDELT1"] == pytest.approx(965.0 / high["R_SUN"])


def test_a_limb_that_is_cut_off_for_the_most_part_is_told() -> None:
    made = fitted(sun(disk(centre=(450.2, 100.3))))
    assert any("of the limb" in one for one in made.caveats)
    assert made.header["CRPIX1"] == pytest.approx(451.2, abs=0.05)


@pytest.mark.parametrize(
    ("frame", "keyword"),
    [
        (sun(np.zeros((256, 256), np.float32)), "no circle"),
        (sun(CDELT1=4.0), "radius of about 240.0 pixels"),
    ],
    ids=["no disk", "another size"],
)
def test_what_is_no_disk_of_that_size_is_put_aside_with_the_reason(frame: Frame, keyword: str) -> None:
    with pytest.raises(BadInput, match="limb of the Sun was not found") as refusal:
        fitted(frame)
    assert keyword in str(refusal.value)
