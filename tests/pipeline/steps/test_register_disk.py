"""The generic registration of disks, against disks drawn where they should come to lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.kernels.limb import find_limb
from pipeline.quality import Quality, flagged
from pipeline.testing import run_step, toy_frame

SIDE, SCALE = 200, 12.0
CENTRE = (104.3, 92.6)
ANGLE = 23.0


def drawn(west: NDArray[Any], north: NDArray[Any]) -> NDArray[np.float32]:
    """A smooth disk with three spots, in arcseconds."""
    image = 100.0 / (1.0 + np.exp((np.hypot(west, north) - 950.0) / 15.0))
    for x, y, depth in ((400.0, 300.0, 40.0), (-500.0, 100.0, 25.0), (100.0, -600.0, 30.0)):
        image = image - depth * np.exp(-0.5 * ((west - x) ** 2 + (north - y) ** 2) / 60.0**2)
    return np.asarray(image, dtype=np.float32)


def raw(**cards: Any) -> Frame:
    j, i = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    turn = np.radians(ANGLE)
    dx, dy = (j - CENTRE[0]) * SCALE, (i - CENTRE[1]) * SCALE
    west = np.cos(turn) * dx - np.sin(turn) * dy
    north = np.sin(turn) * dx + np.cos(turn) * dy
    known = {"CUNIT1": "arcsec", "CDELT1": SCALE, "CDELT2": SCALE, "R_SUN": 950.0 / SCALE, "CRVAL1": 0.0}
    known |= {"CRPIX1": CENTRE[0] + 1, "CRPIX2": CENTRE[1] + 1, "CROTA2": ANGLE, "CRVAL2": 0.0}
    return toy_frame(drawn(west, north), (SIDE, SIDE), **{**known, **cards})


def registered(frame: Frame, **params: Any) -> Frame:
    return run_step("register_disk", frame, instrument="trace", **params)


def truth(side: int, scale: float) -> NDArray[np.float32]:
    j, i = np.meshgrid(np.arange(side), np.arange(side))
    middle = (side - 1) / 2
    return drawn((j - middle) * scale, (i - middle) * scale)


@pytest.mark.parametrize(
    ("params", "side", "scale"), [({}, SIDE, SCALE), ({"scale_arcsec": 10.0, "size": 220}, 220, 10.0)]
)
def test_spots_come_to_lie_where_the_coordinates_say(params: dict[str, Any], side: int, scale: float) -> None:
    made = registered(raw(), **params)
    inside = made.quality == 0
    np.testing.assert_allclose(made.data[inside], truth(side, scale)[inside], atol=0.3)
    assert made.header["CRPIX1"] == (side + 1) / 2
    assert made.header["CDELT1"] == pytest.approx(scale)
    assert (made.header["PC1_1"], made.header["PC1_2"]) == (1.0, 0.0)
    assert "CROTA2" not in made.header
    assert made.header["R_SUN"] == pytest.approx(950.0 / scale)


def test_a_matrix_says_the_same_as_an_angle() -> None:
    turn = np.radians(ANGLE)
    cards = {"PC1_1": np.cos(turn), "PC1_2": -np.sin(turn), "PC2_1": np.sin(turn), "PC2_2": np.cos(turn)}
    np.testing.assert_allclose(
        registered(raw(**cards)).data, registered(raw()).data, atol=1e-3, equal_nan=True
    )


def test_what_the_frame_did_not_see_is_flagged() -> None:
    made = registered(raw())
    outside = flagged(made.quality, Quality.OUTSIDE_FIELD)
    assert outside.any()
    assert np.isnan(made.data[outside]).all()


def test_what_lies_behind_an_occulter_is_not_said_to_be_approximated() -> None:
    frame = raw()
    data, quality = frame.data.copy(), frame.quality.copy()
    data[80:140, 80:140] = np.nan
    quality[80:140, 80:140] = int(Quality.OUTSIDE_FIELD)
    made = registered(frame.replace(data=data, quality=quality))
    hidden = flagged(made.quality, Quality.OUTSIDE_FIELD) & np.isnan(made.data)
    assert hidden[100:120, 100:120].all()
    assert not flagged(made.quality, Quality.INTERPOLATED)[hidden].any()


def test_every_image_of_a_cube_is_registered() -> None:
    frame = raw()
    cube = Frame.of(
        np.stack([frame.data, 2 * frame.data]), frame.header, "cube.fits", dims=("wavelength", "y", "x")
    )
    made = registered(cube)
    single = registered(frame)
    np.testing.assert_allclose(made.data[0], single.data, equal_nan=True)
    np.testing.assert_allclose(made.data[1], 2 * single.data, rtol=1e-5, equal_nan=True)
    assert made.quality.shape == made.data.shape


def test_the_limb_of_a_registered_disk_lies_round_the_middle() -> None:
    limb = find_limb(np.nan_to_num(registered(raw()).data))
    assert limb is not None
    assert (limb.circle.x, limb.circle.y) == pytest.approx(((SIDE - 1) / 2,) * 2, abs=0.05)


def test_a_header_without_a_scale_is_put_aside() -> None:
    frame = raw(CDELT1=0.0)
    with pytest.raises(BadInput, match="plate scale"):
        registered(frame)
