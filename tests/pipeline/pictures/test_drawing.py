"""Pictures of a frame in three sizes, and what is told beside them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pipeline.kernels.shrink import means, unions
from pipeline.pictures.drawing import axes_told, draw, rule_digest
from pipeline.pictures.flags import COLOURS
from pipeline.pictures.sky import sky_told
from pipeline.preview import PreviewRule
from pipeline.quality import Quality
from pipeline.scale import Scale
from tests.conftest import FUZZ

ALL = (0.0, 100.0)
RULE = PreviewRule(percentiles=ALL)


def seen(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def frame(ny: int, nx: int) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    image = np.linspace(0, 1, ny * nx, dtype=np.float32).reshape(ny, nx)
    return image, np.zeros((ny, nx), np.uint16)


def test_three_sizes_that_show_the_same_and_never_more_than_there_is() -> None:
    image, quality = frame(1500, 2000)
    drawn = draw(image, quality, RULE, {})
    shapes = {name: seen(data).shape[:2] for name, data in drawn.pictures.items()}
    assert shapes == {
        "small.png": (125, 167),
        "medium.png": (375, 500),
        "large.webp": (750, 1000),
        "quality.png": (375, 500),
    }
    corners = [seen(drawn.pictures[name])[0, -1, 0] for name in ("small.png", "medium.png", "large.webp")]
    assert min(corners) > 250  # the last row is above
    little = draw(*frame(10, 20), RULE, {})
    assert seen(little.pictures["large.webp"]).shape == (10, 20, 3)


def test_the_scene_draws_any_part_as_the_pictures_are_drawn() -> None:
    image, quality = frame(40, 50)
    rule = PreviewRule(stretch="asinh", percentiles=(1, 99), colours="viridis")
    drawn = draw(image, quality, rule, {})
    colours = np.frombuffer(base64.b64decode(drawn.scene["colours"]), np.uint8).reshape(256, 3)
    scale = Scale(np.array(drawn.scene["edges"]), colours)
    np.testing.assert_array_equal(colours[scale.numbers(image)[::-1]], seen(drawn.pictures["medium.png"]))
    known = scale.values()[scale.numbers(image[10:30])]
    assert np.abs(known - image[10:30]).max() < 0.02


def test_flags_are_seen_however_small_the_picture_and_the_gravest_counts() -> None:
    image, quality = frame(2000, 2000)
    quality[1999, 0] = Quality.COSMIC_RAY | Quality.MISSING
    quality[0, 1999] = Quality.LOW_CONFIDENCE
    drawn = draw(image, quality, RULE, {})
    picture = Image.open(io.BytesIO(drawn.pictures["quality.png"])).convert("RGBA")
    shown = np.asarray(picture)
    assert "#" + bytes(shown[0, 0, :3]).hex() == dict(COLOURS)[Quality.MISSING]
    assert np.count_nonzero(shown[..., 3]) == 2
    pixels = {one["name"]: one["pixels"] for one in drawn.scene["flags"]}
    assert (pixels["missing"], pixels["cosmic ray"], pixels["hot"]) == (1, 1, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -3e38], ids=["nan", "inf", "zero", "huge"])
def test_an_image_without_anything_in_it_is_drawn_all_the_same(value: float) -> None:
    image, quality = np.full((30, 40), value, np.float32), np.zeros((30, 40), np.uint16)
    drawn = draw(image, quality, PreviewRule(stretch="log"), {})
    picture = seen(drawn.pictures["medium.png"])
    assert (picture == picture[0, 0]).all()
    assert np.isfinite(drawn.scene["edges"]).all()
    if not np.isfinite(value):
        assert tuple(picture[0, 0]) == (58, 64, 80)


def test_a_spectrum_is_a_curve_and_a_slit_no_line() -> None:
    spectrum = np.sin(np.linspace(0, 6, 900)).astype(np.float32)
    drawn = draw(spectrum, None, RULE, {})
    assert seen(drawn.pictures["large.png"]).shape == (512, 900, 3)
    assert "edges" not in drawn.scene
    for rows in (1, 30):
        slit = draw(*frame(rows, 4000), RULE, {})
        height, width = seen(slit.pictures["small.png"]).shape[:2]
        assert height * 12 >= width


def test_a_cube_shows_its_plane_with_the_flags_of_all_wavelengths() -> None:
    cube = np.zeros((4, 6, 20, 30), np.float32)
    cube[0, 2] = frame(20, 30)[0]
    flags = np.zeros((20, 30), np.uint16)
    flags[19, 29] = Quality.MISSING
    drawn = draw(cube, flags, PreviewRule(percentiles=ALL, plane=(0, 2)), {})
    assert drawn.scene["plane"] == [0, 2]
    picture = seen(drawn.pictures["medium.png"])
    assert tuple(picture[0, 29]) == (58, 64, 80)
    assert picture[0, 28, 0] > 250


def test_a_plane_that_holds_nothing_gives_way_to_one_that_does() -> None:
    cube = np.full((4, 300, 20, 30), np.nan, np.float32)
    cube[1, 40:60] = frame(20, 30)[0]
    drawn = draw(cube, np.zeros((20, 30), np.uint16), PreviewRule(percentiles=ALL), {})
    place = drawn.scene["plane"]
    assert place[0] == 1
    assert 40 <= place[1] < 60
    assert seen(drawn.pictures["medium.png"]).max() > 250


def test_other_rules_and_other_channels_are_other_pictures() -> None:
    rule = PreviewRule(colours="sdoaia{wavelength}")
    digests = {
        rule_digest(rule, {"wavelength": 171}),
        rule_digest(rule, {"wavelength": 304}),
        rule_digest(PreviewRule(), {"wavelength": 171}),
    }
    assert len(digests) == 3
    assert rule_digest(rule, {"wavelength": 171, "target": "x"}) in digests


def test_axes_tell_their_values() -> None:
    header = fits.Header()
    cards = {
        1: ("HPLN-TAN", "arcsec", 10.0, 0.5), 2: ("HPLT-TAN", "arcsec", 0.0, 0.5),
        3: ("AWAV", "Angstrom", 6300.0, 0.02), 4: ("STOKES", "", 1.0, 1.0),
    }  # fmt: skip
    for axis, (kind, unit, value, step) in cards.items():
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = kind, unit
        header[f"CRPIX{axis}"], header[f"CRVAL{axis}"], header[f"CDELT{axis}"] = 1.0, value, step
    stokes, wavelength, y, _ = axes_told(header, ("stokes", "wavelength", "y", "x"), (4, 3, 20, 30))
    assert stokes["values"] == ["I", "Q", "U", "V"]
    scale = 1e10 if wavelength["unit"] == "m" else 1.0
    np.testing.assert_allclose(np.array(wavelength["values"]) * scale, [6300.0, 6300.02, 6300.04])
    assert y == {"name": "y", "length": 20}


SYSTEMS: dict[str, dict[str, Any]] = {
    "TAN": {"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CROTA2": 12.0},
    "CD": {
        "CTYPE1": "HPLN-TAN",
        "CTYPE2": "HPLT-TAN",
        "CD1_1": 0.5,
        "CD1_2": 0.1,
        "CD2_1": -0.1,
        "CD2_2": 0.5,
    },
    "AZP": {"CTYPE1": "HPLN-AZP", "CTYPE2": "HPLT-AZP", "PV2_1": 0.83, "CDELT1": 130.0, "CDELT2": 130.0},
    "linear": {"CTYPE1": "SOLAR-X", "CTYPE2": "SOLAR-Y"},
}


def header_of(kind: str) -> fits.Header:
    plain = {
        "CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRPIX1": 11.0, "CRPIX2": 9.5, "CRVAL1": 400.0,
        "CRVAL2": -100.0, "CDELT1": 0.6, "CDELT2": 0.6,
    }  # fmt: skip
    return fits.Header(list((plain | SYSTEMS[kind]).items()))


@pytest.mark.parametrize("kind", sorted(SYSTEMS))
def test_where_it_lies_is_told_with_all_defaults(kind: str) -> None:
    told = sky_told(header_of(kind))
    assert told is not None
    assert told["projection"] == {"CD": "TAN", "linear": ""}.get(kind, kind)
    whole = WCS(header_of(kind))
    offset = np.array([30.0, 40.0]) - whole.wcs.crpix
    np.testing.assert_allclose(
        np.array(told["matrix"]) @ offset, whole.pixel_scale_matrix @ offset, rtol=1e-12
    )


@pytest.mark.parametrize(
    "more",
    [
        {"CTYPE1": "HPLN-ZPN", "CTYPE2": "HPLT-ZPN"},
        {"CTYPE1": "HPLT-TAN", "CTYPE2": "HPLN-TAN"},
        {"CRPIX1": None},
        {"CTYPE1": "HPLN-CAR"},
        {"CDELT1": 0.0},
    ],
)
def test_what_pages_cannot_tell_exactly_is_not_told(more: dict[str, Any]) -> None:
    header = header_of("TAN")
    for name, value in more.items():
        if value is None:
            del header[name]
        else:
            header[name] = value
    assert sky_told(header) is None


@settings(max_examples=30 * FUZZ, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1)
)
def test_shrinking_agrees_with_numpy(ny: int, nx: int, rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plane = rng.normal(size=(ny, nx)).astype(np.float32)
    plane[rng.random((ny, nx)) < 0.3] = np.nan
    flags = rng.integers(0, 8, (ny, nx)).astype(np.uint16)
    small, all_flags = means(plane, flags, 2, rows, columns), unions(flags, rows, columns)
    for row in range(-(-ny // rows)):
        for column in range(-(-nx // columns)):
            place = np.s_[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns]
            good = plane[place][np.isfinite(plane[place]) & (flags[place] & 2 == 0)]
            expected = good.astype(np.float64).mean() if good.size else np.nan
            np.testing.assert_allclose(small[row, column], expected, rtol=1e-6, atol=1e-7)
            assert all_flags[row, column] == np.bitwise_or.reduce(flags[place], axis=None)
