"""What of a file is taken, as what, and what is odd about it: the image, its cards, scaling and sums."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from lake.errors import BadInput, Reason
from lake.fits.check import UNVERIFIED, check_bytes
from tests.lake.fits.made import (
    COUNTS,
    PLAIN,
    as_bytes,
    code_of,
    compressed,
    refusal_of,
)


def test_blank_bytes_after_the_last_hdu_are_a_caveat() -> None:
    checked = check_bytes(PLAIN + b"\0" * 2880, "f")
    assert any("2880 blank bytes" in caveat for caveat in checked.caveats)


@pytest.mark.parametrize("rest", [b"\n", b"appended by hand", b"\xff" * 2879])
def test_fewer_bytes_than_an_hdu_has_after_the_last_one_are_a_caveat(rest: bytes) -> None:
    checked = check_bytes(PLAIN + rest, "f")
    assert any(f"{len(rest)} bytes that are no HDU" in caveat for caveat in checked.caveats)
    assert code_of(PLAIN + rest.ljust(2880, b"x")) is Reason.CORRUPTED_HEADER


@pytest.mark.parametrize("kind", ["plain", "RICE_1", "GZIP_1"])
@pytest.mark.parametrize(
    ("pixels", "cards", "says"),
    [
        (np.full((40, 64), 7, np.uint16), {}, "all pixels of the raw image have the value 7"),
        (np.full((40, 64), 7, np.int16), {"BSCALE": 0.5, "BZERO": 1.0}, "have the value 4.5"),
        (np.full((1, 1), 7, np.int16), {}, "have the value 7"),
        (np.full((40, 64), np.nan, np.float32), {}, "no pixel of the raw image is a number"),
    ],
)
def test_an_image_of_one_value_or_none_is_told_as_it_is_scaled(
    kind: str, pixels: np.ndarray, cards: dict[str, float], says: str
) -> None:
    image = fits.ImageHDU(pixels) if kind == "plain" else fits.CompImageHDU(pixels, compression_type=kind)
    for keyword, value in cards.items():
        image.header[keyword] = value
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(buffer)
    caveats = check_bytes(buffer.getvalue(), "f").caveats
    assert any(says in caveat for caveat in caveats), caveats


def test_images_beside_the_one_that_is_taken_are_named() -> None:
    data = as_bytes(
        fits.PrimaryHDU(), fits.ImageHDU(COUNTS), fits.ImageHDU(COUNTS[:3]), fits.ImageHDU(COUNTS)
    )
    checked = check_bytes(data, "f")
    assert checked.image_hdu == 1
    assert (
        "the image of HDU 1 was taken; the file holds more images: HDU 2 (64 x 3), HDU 3 (64 x 40)"
        in checked.caveats
    )


@pytest.mark.parametrize("name", ["QUALITY", "DQ", "mask", "UNCERT", "THUMBNAIL"])
def test_flags_errors_and_thumbnails_before_an_image_are_not_taken_for_it(name: str) -> None:
    image = fits.ImageHDU(COUNTS, fits.Header({"TELESCOP": "MINE"}))
    flags = fits.ImageHDU(COUNTS[:3] * 0, name=name)
    checked = check_bytes(as_bytes(fits.PrimaryHDU(), flags, image), "f")
    assert (checked.image_hdu, checked.shape, checked.header["TELESCOP"]) == (2, COUNTS.shape, "MINE")
    alone = check_bytes(as_bytes(fits.PrimaryHDU(), flags), "f")
    assert (alone.image_hdu, alone.shape) == (1, (3, COUNTS.shape[1]))


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"#ASDF 1.0.0\n", "ASDF"),
        (b"\xcd\xf3\x00\x01", "CDF"),
        (b"SR\x00\x04", "IDL save"),
        (b"x.fits".ljust(257, b"\0") + b"ustar", "tar archive"),
    ],
)
def test_what_goes_by_the_name_of_fits_is_told_by_what_it_is(start: bytes, kind: str) -> None:
    with pytest.raises(BadInput, match=f"not a FITS file but an? {kind}") as caught:
        check_bytes(start.ljust(3000, b"\0"), "f.fits")
    assert "convert" in caught.value.advice


def test_the_flags_of_a_product_are_no_further_image() -> None:
    flags = fits.CompImageHDU(COUNTS.astype(np.uint16), name="QUALITY")
    data = as_bytes(fits.PrimaryHDU(COUNTS), flags, checksum=True)
    assert check_bytes(data, "f").caveats == ()


@pytest.mark.parametrize("lost", [(), ("CHECKSUM",), ("CHECKSUM", "DATASUM")])
@pytest.mark.parametrize("kind", ["plain", "compressed"])
def test_an_image_without_any_checksum_of_its_own_is_called_so(kind: str, lost: tuple[str, ...]) -> None:
    plain = as_bytes(fits.PrimaryHDU(COUNTS), checksum=True)
    data = plain if kind == "plain" else compressed(checksum=True)
    for keyword in lost:
        data = data.replace(f"{keyword:8}=".encode(), f"WAS{keyword[0]}    =".encode())
    assert (UNVERIFIED in check_bytes(data, "f").caveats) is (len(lost) == 2)


@pytest.mark.parametrize("keyword", ["BSCALE", "BZERO"])
@pytest.mark.parametrize("value", [b"nan", b"inf", b"'NaN'", b"'none'", b""])
def test_a_scaling_that_is_no_number_is_named_and_not_applied(keyword: str, value: bytes) -> None:
    data = as_bytes(fits.PrimaryHDU(COUNTS, fits.Header([("SCALING", 7)])))
    card = f"{keyword:8}= ".encode() + value.rjust(20)
    refusal = refusal_of(data.replace(b"SCALING =                    7", card))
    assert refusal is not None
    assert (refusal.code, refusal.keyword) == (Reason.BAD_KEYWORD, keyword)


def test_a_scale_of_zero_is_refused_and_an_offset_of_zero_is_not() -> None:
    data = as_bytes(fits.PrimaryHDU(COUNTS, fits.Header([("SCALING", 0)])))
    assert code_of(data.replace(b"SCALING =", b"BSCALE  =")) is Reason.BAD_KEYWORD
    assert code_of(data.replace(b"SCALING =", b"BZERO   =")) is None


@pytest.mark.parametrize("text", [b"'a\tb'  / c\td", b"'a\0b'  / null"])
def test_a_control_character_costs_its_card_and_not_the_file(text: bytes) -> None:
    data = as_bytes(fits.PrimaryHDU(COUNTS, fits.Header([("NOTE", "x" * 20), ("OTHER", 2)])))
    checked = check_bytes(data.replace(b"'" + b"x" * 20 + b"'", text.ljust(22)), "f")
    assert checked.header["NOTE"] is None
    assert checked.header["OTHER"] == 2
    assert any("NOTE" in caveat for caveat in checked.caveats)


@pytest.mark.parametrize(
    "keyword", [b"NO\0TE   ", b"ESC\x1b[31m", "ÄÖÜ     ".encode("latin-1"), b"\0NOTE   "]
)
def test_a_keyword_that_cannot_be_written_down_is_named_by_its_place(keyword: bytes) -> None:
    data = as_bytes(fits.PrimaryHDU(COUNTS, fits.Header([("NOTE", 1.5)])))
    checked = check_bytes(
        data.replace(b"NOTE    =                  1.5", keyword + b"=                  nan"), "f"
    )
    (caveat,) = (sentence for sentence in checked.caveats if sentence != UNVERIFIED)
    assert caveat.isascii()
    assert caveat.isprintable()


def test_a_file_that_says_it_is_not_standard_is_believed() -> None:
    data = PLAIN.replace(b"SIMPLE  =                    T", b"SIMPLE  =                    F")
    assert code_of(data) is Reason.NOT_FITS


def test_a_keyword_value_that_fits_does_not_know_stays_as_undefined_with_a_caveat() -> None:
    header = fits.Header([("CROTA", 1.5, "[deg] roll"), ("OTHER", 2)])
    data = as_bytes(fits.PrimaryHDU(COUNTS, header)).replace(
        b"=                  1.5 / [deg]", b"=                  nan / [deg]"
    )
    checked = check_bytes(data, "f")
    assert "CROTA" in checked.header
    assert checked.header["CROTA"] is None
    assert checked.header.comments["CROTA"] == "[deg] roll"
    assert any("CROTA" in caveat for caveat in checked.caveats)


def test_a_table_without_image_has_no_image() -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    assert code_of(as_bytes(fits.PrimaryHDU(), table)) is Reason.NO_IMAGE


def test_a_spectrum_is_taken_where_there_is_no_image() -> None:
    line, image = np.arange(100, dtype=np.float32), np.arange(12, dtype=np.float32).reshape(3, 4)
    alone = check_bytes(as_bytes(fits.PrimaryHDU(line), fits.ImageHDU(line)), "x.fits")
    assert (alone.image_hdu, alone.shape) == (0, (100,))
    both = check_bytes(as_bytes(fits.PrimaryHDU(line), fits.ImageHDU(image)), "x.fits")
    assert (both.image_hdu, both.shape) == (1, (3, 4))


TABLE = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])


@pytest.mark.parametrize(
    ("hdus", "found"),
    [
        ([fits.PrimaryHDU()], "primary without axes"),
        ([fits.PrimaryHDU(), TABLE], "HDU 1: bintable of 4 x 2"),
        (
            [fits.PrimaryHDU(), *[TABLE] * 7],
            ", ".join(f"HDU {number}: bintable of 4 x 2" for number in range(1, 6)) + " and 2 more",
        ),
    ],
)
def test_a_file_without_an_image_is_told_what_it_holds(hdus: list[Any], found: str) -> None:
    refusal = refusal_of(as_bytes(*hdus))
    assert refusal is not None
    assert (refusal.code, refusal.keyword, refusal.found) == (Reason.NO_IMAGE, "NAXIS", found)
