"""Images in Rice's code give the numbers that astropy gives, or nothing where astropy has to say why."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lake.fits.io import read_image
from lake.fits.product import build_product
from lake.fits.rice import rice_image
from lake.fits.structure import walk
from lake.fits.windows import Held


def coded(image: NDArray[Any], *, kind: str = "RICE_1", **options: object) -> bytes:
    file = io.BytesIO()
    hdu = fits.CompImageHDU(image, compression_type=kind, **options)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file)
    return file.getvalue()


def decoded(content: bytes) -> Any:
    held = Held(content)
    return rice_image(held, walk(held, "f").spans[1])


def by_astropy(content: bytes) -> NDArray[Any]:
    with fits.open(io.BytesIO(content), do_not_scale_image_data=True) as hdus:
        return np.asarray(hdus[1].data)


@given(
    st.sampled_from(["i2", "i4"]),
    st.tuples(st.integers(1, 40), st.integers(1, 70)),
    st.integers(1, 40),
    st.sampled_from([0, 1, 30, 3_000, 1 << 20, 1 << 34]),
    st.integers(0, 2**32 - 1),
)
def test_any_image_of_whole_numbers_is_decoded_as_astropy_does(
    kind: str, shape: tuple[int, int], rows: int, scatter: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    limits = np.iinfo(kind)
    values = random.integers(-scatter, scatter, shape, endpoint=True)
    values[random.random(shape) < 0.5] = 0
    image = np.clip(values, limits.min, limits.max).astype(kind)
    content = coded(image, tile_shape=(min(rows, shape[0]), shape[1]))
    found = decoded(content)
    assert found is not None
    assert found.dtype == image.dtype
    assert np.array_equal(found, image)
    assert np.array_equal(found, by_astropy(content))


def test_a_cube_is_decoded_plane_by_plane() -> None:
    cube = np.arange(3 * 7 * 11, dtype=np.int16).reshape(3, 7, 11)
    assert np.array_equal(decoded(coded(cube, tile_shape=(1, 3, 11))), cube)


@pytest.mark.parametrize(
    "content",
    [
        coded(np.ones((8, 8), np.int16), kind="GZIP_1"),
        coded(np.ones((8, 8), np.int16), tile_shape=(4, 4)),
        coded(np.ones((8, 8), np.uint8)),
        coded(np.random.default_rng(1).normal(size=(32, 32)).astype(np.float32)),
    ],
    ids=["gzip", "tiles that cut rows", "bytes", "numbers with a fraction"],
)
def test_what_is_coded_otherwise_is_left_to_astropy(content: bytes) -> None:
    assert decoded(content) is None


IMAGE = np.random.default_rng(2).poisson(300.0, (16, 64)).astype(np.int16)
CONTENT = coded(IMAGE)
SPAN = walk(Held(CONTENT), "f").spans[1]


@given(st.integers(SPAN.data_start + 16 * 8, SPAN.data_start + SPAN.data_size - 1), st.integers(1, 255))
def test_a_damaged_stream_gives_nothing_or_what_astropy_gives(position: int, flip: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[position] ^= flip
    found = decoded(bytes(damaged))
    if found is not None:
        assert np.array_equal(found, by_astropy(bytes(damaged)))


@given(st.integers(SPAN.data_start, SPAN.data_start + 16 * 8 - 1), st.integers(1, 255))
def test_tiles_that_lie_elsewhere_are_never_read_outside_the_file(position: int, flip: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[position] ^= flip
    found = decoded(bytes(damaged))
    assert found is None or found.shape == IMAGE.shape


def test_a_real_image_is_read_as_astropy_reads_it(real_data: Path) -> None:
    content = (real_data / "aia" / "aia_171_cutout_20130310.fits").read_bytes()
    assert np.array_equal(decoded(content), by_astropy(content))


def test_a_part_of_an_image_is_a_part_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "coded.fits"
    path.write_bytes(CONTENT)
    assert np.array_equal(read_image(str(path), 1).data, IMAGE)
    assert np.array_equal(read_image(str(path), 1, slice(3, 9)).data, IMAGE[3:9])


@given(
    st.sampled_from([(7,), (5, 9), (64, 31), (131, 70), (3, 65, 33)]),
    st.sampled_from([1, 4, 300, 65_535]),
    st.floats(0.0, 1.0),
    st.integers(0, 2**32 - 1),
)
def test_flags_are_coded_to_the_very_bytes_that_astropy_writes(
    shape: tuple[int, ...], most: int, share: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    flags = random.integers(0, most, shape, endpoint=True).astype(np.uint16)
    flags[random.random(shape) > share] = 0
    cards = fits.Header([("EXTNAME", "QUALITY", "name of this HDU"), ("CTYPE1", "HPLN-TAN"), ("BUNIT", "")])
    rows = min(64, shape[-2]) if len(shape) > 1 else shape[-1]
    tile = (*(1,) * (len(shape) - 2), rows, shape[-1]) if len(shape) > 1 else shape
    expected = coded(flags, header=cards, tile_shape=tile, uint=True)
    product = bytes(build_product(np.zeros(shape, np.float32), flags, fits.Header(), quality_header=cards))
    (ours, cards_here), (theirs, cards_there) = _second(product), _second(expected)
    assert ours == theirs
    assert [card for card in cards_here if not card.startswith(("CHECKSUM", "DATASUM"))] == cards_there
    with fits.open(io.BytesIO(product)) as hdus:
        assert np.array_equal(hdus[1].data, flags)


def _second(content: bytes) -> tuple[bytes, list[str]]:
    """Data and cards of the second HDU, to the last byte."""
    span = walk(Held(content), "f").spans[1]
    text = content[span.header_start : span.data_start].split(b"END" + b" " * 77, 1)[0].decode("ascii")
    return content[span.data_start : span.end], [text[n : n + 80] for n in range(0, len(text), 80)]
