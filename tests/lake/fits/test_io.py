"""Images are read as float32 without inventing gaps; products are the same bytes for the same input."""

from __future__ import annotations

import errno
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lake.errors import BadInput, Reason, Retriable
from lake.fits.check import check_bytes
from lake.fits.io import find_hdu, read_header, read_image
from lake.fits.product import Uncertainty, build_product

HEADER = fits.Header([("DATE", "2026-01-01T00:00:00"), ("INSTRUME", "TEST"), ("BUNIT", "DN/s")])
FINITE = st.floats(-(2.0**99), 2.0**99, width=32)


def write(path: Path, data: object, **cards: object) -> str:
    """A file with one image, and the stored (unscaled) values as given."""
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(cards)
    hdu.writeto(path)
    return str(path)


def test_zeros_stay_data_where_blank_is_zero(tmp_path: Path) -> None:
    raw = np.array([[0, 1], [2, 0]], np.int16)
    read = read_image(write(tmp_path / "a.fits", raw, BLANK=0), 0)
    assert read.data.tolist() == raw.tolist()
    assert read.blank is not None
    assert read.blank.tolist() == [[True, False], [False, True]]


def test_blank_becomes_nan_only_when_asked_for(tmp_path: Path) -> None:
    url = write(tmp_path / "a.fits", np.array([[-32768, 1]], np.int16), BLANK=-32768)
    assert np.isnan(read_image(url, 0, blank_is_missing=True).data).tolist() == [[True, False]]
    assert np.isfinite(read_image(url, 0).data).all()


def test_blank_may_be_written_with_a_decimal_point(tmp_path: Path) -> None:
    url = write(tmp_path / "a.fits", np.array([[-32768, 1]], np.int16), ABLANK=-32768)
    path = Path(url)
    path.write_bytes(
        path.read_bytes().replace(b"ABLANK  =               -32768", b"BLANK   =             -32768.0")
    )
    assert np.isnan(read_image(url, 0, blank_is_missing=True).data).tolist() == [[True, False]]


def test_blank_on_float_data_means_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy does not like to write it
        url = write(tmp_path / "a.fits", np.array([[0.0, 1.0]], np.float32), BLANK=0)
    read = read_image(url, 0, blank_is_missing=True)
    assert read.blank is None
    assert read.data.tolist() == [[0.0, 1.0]]


def test_values_are_scaled_and_the_scaling_leaves_the_header(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(np.array([[0, 60000]], np.uint16))
    hdu.writeto(tmp_path / "a.fits")
    read = read_image((tmp_path / "a.fits").as_uri(), 0)
    assert read.data.dtype == np.float32
    assert read.data.tolist() == [[0.0, 60000.0]]
    assert not {"BZERO", "BSCALE", "BLANK"} & set(read.header)


def test_large_unsigned_values_do_not_lose_their_small_differences(tmp_path: Path) -> None:
    raw = np.array([[2**31, 2**31 + 256, 5]], np.uint32)
    fits.PrimaryHDU(raw).writeto(tmp_path / "a.fits")
    assert read_image(str(tmp_path / "a.fits"), 0).data.tolist() == raw.astype(np.float32).tolist()


@pytest.mark.parametrize("compress", [False, True])
def test_some_rows_are_those_rows_of_the_whole(tmp_path: Path, compress: bool) -> None:
    data = np.arange(600, dtype=np.int16).reshape(30, 20)
    hdu = fits.CompImageHDU(data) if compress else fits.ImageHDU(data)
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    assert read_image(str(path), 1, slice(7, 12)).data.tolist() == data[7:12].tolist()


def test_an_image_behind_axes_of_length_one_is_read(tmp_path: Path) -> None:
    data = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    assert read_image(write(tmp_path / "a.fits", data), 0).data.tolist() == data[0].tolist()


def test_a_cube_is_refused(tmp_path: Path) -> None:
    url = write(tmp_path / "a.fits", np.zeros((2, 3, 4), np.float32))
    with pytest.raises(BadInput) as refusal:
        read_image(url, 0)
    assert refusal.value.code is Reason.NO_IMAGE
    assert refusal.value.found == "4 x 3 x 2"


def test_an_absent_or_damaged_stored_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_image(str(tmp_path / "absent.fits"), 0)
    (tmp_path / "bad.fits").write_bytes(b"nothing like FITS" * 300)
    with pytest.raises(BadInput, match="cannot be decoded"):
        read_image(str(tmp_path / "bad.fits"), 0)


@pytest.mark.parametrize("read", [lambda url: read_image(url, 0), lambda url: read_header(url, 0)])
def test_a_storage_that_fails_is_not_the_files_fault(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], object]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fits, "open", fails)
    with pytest.raises(Retriable, match="Input/output"):
        read("frame.fits")


def test_reading_a_real_frame_keeps_its_values(real_data: Path) -> None:
    path = real_data / "stereo_hi" / "hi_20110910_114721_s7h2A.fts"
    read = read_image(str(path), 0)
    assert read.data.shape == (256, 256)
    assert np.isfinite(read.data).all()
    with fits.open(path, do_not_scale_image_data=True) as hdus:
        raw, zero, scale = hdus[0].data, hdus[0].header.get("BZERO", 0), hdus[0].header.get("BSCALE", 1)
    assert np.array_equal(read.data, (raw * scale + zero).astype(np.float32))
    assert (read.data == 0).any()


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=FINITE))
@settings(deadline=None, max_examples=30)
def test_a_product_gives_back_the_image_and_flags_it_was_made_of(data: np.ndarray) -> None:
    quality = np.random.default_rng(data.size).integers(0, 2**16, data.shape).astype(np.uint16)
    content = build_product(data, quality, HEADER)
    with fits.open(io.BytesIO(content)) as hdus:
        assert np.array_equal(hdus[0].data, data)
        assert np.array_equal(hdus["QUALITY"].data, quality)
        assert hdus["QUALITY"].data.dtype == np.uint16


def test_a_product_passes_our_own_check_and_astropys_with_all_sums() -> None:
    data = np.full((50, 60), np.nan, np.float32)
    content = bytes(build_product(data, np.ones(data.shape, np.uint16), HEADER))
    assert [set(state.values()) for state in check_bytes(content, "p").sums] == [{"valid"}, {"valid"}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(io.BytesIO(content), checksum=True) as hdus:
            hdus.verify("exception")
            assert [hdu.data is not None for hdu in hdus] == [True, True]


def test_the_same_product_is_the_same_bytes() -> None:
    data, quality = np.ones((20, 30), np.float32), np.zeros((20, 30), np.uint16)
    assert build_product(data, quality, HEADER.copy()) == build_product(
        data.copy(), quality.copy(), HEADER.copy()
    )


def test_what_described_the_raw_array_does_not_reach_the_product() -> None:
    header = HEADER.copy()
    header.update(
        {
            "BLANK": 0,
            "BZERO": 32768,
            "BSCALE": 2.0,
            "ZIMAGE": True,
            "NAXIS3": 4,
            "EXTNAME": "COMPRESSED_IMAGE",
        }
    )
    header["HISTORY"] = "made by hand"
    header["COMMENT"] = "one"
    header["COMMENT"] = "two"
    content = build_product(np.ones((2, 3), np.float32), np.zeros((2, 3), np.uint16), header, extname="SCI")
    with fits.open(io.BytesIO(content)) as hdus:
        made = hdus[0].header
    assert not {"BLANK", "BZERO", "BSCALE", "ZIMAGE", "NAXIS3"} & set(made)
    assert (made["EXTNAME"], made["BUNIT"], made["NAXIS1"], made["NAXIS2"]) == ("SCI", "DN/s", 3, 2)
    assert list(made["COMMENT"]) == ["one", "two"]


def test_cards_for_the_quality_extension_are_the_callers() -> None:
    extra = fits.Header([("QBIT0", 1, "missing")])
    content = build_product(
        np.ones((2, 3), np.float32), np.zeros((2, 3), np.uint16), HEADER, quality_header=extra
    )
    with fits.open(io.BytesIO(content)) as hdus:
        assert hdus["QUALITY"].header.comments["QBIT0"] == "missing"


def test_comments_come_behind_the_other_cards_and_blank_ones_nowhere() -> None:
    header = fits.Header(
        [("A", 1), ("COMMENT", "one"), ("B", 2), ("HISTORY", "two"), ("", "three"), ("C", 3)]
    )
    for _ in range(50):
        header.append()  # room that its writer left
    before = header.tostring()
    shape = (2, 3)
    content = bytes(
        build_product(np.ones(shape, np.float32), np.zeros(shape, np.uint16), header, quality_header=header)
    )
    assert header.tostring() == before
    assert [set(state.values()) for state in check_bytes(content, "p").sums] == [{"valid"}, {"valid"}]
    with fits.open(io.BytesIO(content), disable_image_compression=True) as hdus:
        for hdu in hdus:
            *_, first, second, third = hdu.header.cards
            assert [card.keyword for card in (first, second, third)] == ["COMMENT", "HISTORY", ""]
            assert (hdu.header["A"], hdu.header["B"], hdu.header["C"]) == (1, 2, 3)


def test_image_and_flags_of_different_shape_are_refused() -> None:
    for shape in ((3, 2), (2,), (1, 2, 3), ()):
        with pytest.raises(BadInput, match="shape of the data or of their last axes"):
            build_product(np.ones((2, 3), np.float32), np.zeros(shape, np.uint16), HEADER)


@pytest.mark.parametrize("shape", [(7,), (3, 5, 6), (4, 3, 70, 6), (2, 1, 3, 4, 5)])
@pytest.mark.parametrize("flagged", [1, 2, 5])
def test_spectra_and_cubes_come_back_as_they_were_with_flags_of_all_or_of_the_last_axes(
    tmp_path: Path, shape: tuple[int, ...], flagged: int
) -> None:
    random = np.random.default_rng(1)
    data = random.normal(size=shape).astype(np.float32)
    quality = random.integers(0, 9, shape[-flagged:]).astype(np.uint16)
    sigma = Uncertainty(np.abs(data), fits.Header())
    content = build_product(data, quality, HEADER, uncertainty=sigma)
    assert set(check_bytes(bytes(content), "x.fits").sums[0].values()) == {"valid"}
    (tmp_path / "a.fits").write_bytes(content)
    url, axes = str(tmp_path / "a.fits"), len(shape)
    np.testing.assert_array_equal(read_image(url, 0, axes=axes).data, data)
    np.testing.assert_array_equal(read_image(url, 0, slice(1, 2), axes=axes).data, data[1:2])
    np.testing.assert_array_equal(read_image(url, 1, axes=quality.ndim).data, quality)
    np.testing.assert_array_equal(read_image(url, 2, axes=axes).data, np.abs(data))
    with pytest.raises(BadInput, match=r"does not have . axes|not a single image"):
        read_image(url, 0, axes=axes + 1)


def with_uncertainty(path: Path, unit: str = "DN") -> tuple[np.ndarray, np.ndarray]:
    """A product with the uncertainty of its pixels; the image and that."""
    data = np.arange(24, dtype=np.float32).reshape(4, 6)
    sigma = np.sqrt(data)
    sigma[1, 1] = np.nan
    cards = [("BUNIT", unit), ("UTYPE", "StdDevUncertainty"), ("PRUNC1", "starts: photon noise")]
    product = build_product(
        data,
        np.zeros(data.shape, np.uint16),
        fits.Header([("BUNIT", unit)]),
        uncertainty=Uncertainty(sigma, fits.Header(cards)),
    )
    path.write_bytes(product)
    return data, sigma


def test_the_uncertainty_is_an_extension_with_its_own_sums(tmp_path: Path) -> None:
    path = tmp_path / "product.fits"
    data, sigma = with_uncertainty(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True) as hdus:
            assert [hdu.name for hdu in hdus] == ["IMAGE", "QUALITY", "UNCERT"]
            np.testing.assert_array_equal(hdus["IMAGE"].data, data)
            np.testing.assert_array_equal(hdus["UNCERT"].data, sigma)
            assert hdus["UNCERT"].header["PRUNC1"] == "starts: photon noise"
            hdus.verify("exception")
    assert find_hdu(str(path), "UNCERT") == 2
    assert find_hdu(str(path), "ABSENT") is None
    checked = check_bytes(path.read_bytes(), "product.fits")
    assert not any("more images" in caveat for caveat in checked.caveats)
    assert all(set(state.values()) == {"valid"} for state in checked.sums)


def test_astropys_reader_of_images_with_uncertainty_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "product.fits"
    data, sigma = with_uncertainty(path, unit="ct")
    found = CCDData.read(path)
    np.testing.assert_array_equal(found.data, data)
    assert isinstance(found.uncertainty, StdDevUncertainty)
    np.testing.assert_array_equal(found.uncertainty.array, sigma)


def test_an_uncertainty_of_another_shape_is_refused() -> None:
    image = np.ones((4, 6), np.float32)
    with pytest.raises(BadInput, match="one shape"):
        build_product(
            image,
            np.zeros(image.shape, np.uint16),
            fits.Header(),
            uncertainty=Uncertainty(image[:2], fits.Header()),
        )


def test_a_large_product_holds_its_values_and_right_sums() -> None:
    data = np.random.default_rng(6).normal(0.0, 1e3, (1100, 1000)).astype(np.float32)
    data[3, 4:9] = np.nan
    for image in (data, data[::-1]):
        content = bytes(build_product(image, np.zeros(image.shape, np.uint16), HEADER))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what astropy has to say of a wrong sum
            with fits.open(io.BytesIO(content), checksum=True) as hdus:
                np.testing.assert_array_equal(hdus[0].data, image)
