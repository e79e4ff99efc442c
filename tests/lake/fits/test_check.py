"""A file that opens is not a file that reads: each kind of damage is found and told from the others."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.checksums import checksums
from lake.errors import BadInput, Reason
from lake.fits.check import CheckedFits, Limits, check_bytes, read_checked
from lake.fits.structure import walk
from lake.fits.windows import Held
from tests.lake.fits.made import (
    COMPRESSIONS,
    COUNTS,
    PLAIN,
    RICE,
    TABLES,
    as_bytes,
    code_of,
    compressed,
    refusal_of,
)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("aia_truncated_rice.fits", Reason.TRUNCATED),
        ("na120701.091058.fits", Reason.TRUNCATED),
        ("not_actually_fits.fit_", Reason.NOT_FITS),
        ("astropy_checksum_false.fits", Reason.WRONG_CHECKSUM),
        ("astropy_zerowidth.fits", Reason.NO_IMAGE),
    ],
)
def test_each_broken_real_file_is_refused_for_its_own_reason(
    real_data: Path, name: str, code: Reason
) -> None:
    with pytest.raises(BadInput) as refusal:
        read_checked(real_data / "broken" / name)
    assert refusal.value.code is code
    assert refusal.value.file.endswith(name)
    assert refusal.value.advice


def test_a_file_that_lacks_only_its_padding_is_taken_with_a_caveat(real_data: Path) -> None:
    checked = read_checked(real_data / "broken" / "HinodeXRT_no_block_padding.fits")
    assert checked.shape == (512, 512)
    assert any("padding" in caveat for caveat in checked.caveats)


def test_every_other_real_file_reads(real_data: Path) -> None:
    files = [
        path
        for path in sorted(real_data.rglob("*"))
        if path.suffix in (".fits", ".fts") and path.parent.name != "broken"
    ]
    assert len(files) > 15
    for path in files:
        checked = read_checked(path)
        assert checked.checksums == checksums(path.read_bytes())
        assert len(checked.shape) >= 2


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_compressed_images_read_and_their_header_is_the_images(kind: str) -> None:
    checked = check_bytes(compressed(kind), "test.fits")
    assert (checked.image_hdu, checked.shape) == (1, (40, 64))
    assert checked.header["BITPIX"] == 16


@pytest.mark.parametrize("pixels", [COUNTS, COUNTS[0]], ids=["image", "spectrum"])
@pytest.mark.parametrize("hdu", [0, 1, 2])
def test_the_primary_header_is_given_whichever_hdu_has_the_image(hdu: int, pixels: np.ndarray) -> None:
    cards = fits.Header([("TELESCOP", "MINE"), ("ODD", "kept")])
    empty = [fits.ImageHDU() for _ in range(hdu - 1)]
    image = [fits.ImageHDU(pixels, fits.Header([("EXPTIME", 3.0)]))] if hdu else []
    data = as_bytes(fits.PrimaryHDU(None if hdu else pixels, cards), *empty, *image)
    checked = check_bytes(data.replace(b"'kept    '", b"nan       "), "f")
    assert checked.image_hdu == hdu
    assert checked.primary_header["TELESCOP"] == "MINE"
    assert checked.primary_header["ODD"] is None, "what FITS does not know has no value"
    assert ("EXPTIME" in checked.header) is (hdu > 0)
    assert "EXPTIME" not in checked.primary_header


def test_a_checksum_that_is_absent_does_not_count_as_valid() -> None:
    assert check_bytes(PLAIN, "f").sums == ({"DATASUM": "absent", "CHECKSUM": "absent"},)
    summed = check_bytes(as_bytes(fits.PrimaryHDU(COUNTS), checksum=True), "f")
    assert summed.sums == ({"DATASUM": "valid", "CHECKSUM": "valid"},)


def test_a_changed_header_is_found_by_its_checksum() -> None:
    data = as_bytes(fits.PrimaryHDU(COUNTS, fits.Header([("OBSERVER", "ada")])), checksum=True)
    assert code_of(data.replace(b"'ada     '", b"'bob     '")) is Reason.WRONG_CHECKSUM


@pytest.mark.parametrize(
    "length",
    [1, 79, 80, 2879, 2880, 2881, 2880 + COUNTS.nbytes // 2, 2880 + COUNTS.nbytes - 1],
)
def test_a_plain_file_cut_before_its_last_data_byte_is_truncated(length: int) -> None:
    assert code_of(PLAIN[:length]) in (Reason.TRUNCATED, Reason.NOT_FITS)
    assert (code_of(PLAIN[:length]) is Reason.NOT_FITS) == (length < 9)


@given(st.integers(0, len(PLAIN) - 2880 - COUNTS.nbytes))
def test_a_file_cut_within_its_padding_is_whole(cut: int) -> None:
    assert code_of(PLAIN[: len(PLAIN) - cut]) is None


@given(st.integers(2881, len(RICE) - 2880))
@settings(deadline=None, max_examples=60)
def test_a_compressed_file_cut_anywhere_is_truncated(length: int) -> None:
    assert code_of(RICE[:length]) is Reason.TRUNCATED


def test_a_file_cut_between_its_hdus_has_no_image() -> None:
    assert code_of(RICE[:2880]) is Reason.NO_IMAGE


@given(
    st.sampled_from([RICE, PLAIN, TABLES, *(compressed(kind) for kind in COMPRESSIONS)]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
)
@settings(deadline=None, max_examples=150)
def test_no_damage_escapes_as_anything_but_a_reason(data: bytes, flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for position, value in flips:
        damaged[position % len(damaged)] = value
    code_of(bytes(damaged))


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(deadline=None, max_examples=60)
def test_a_flipped_byte_in_a_summed_rice_stream_is_found(position: int, flip: int) -> None:
    data = bytearray(compressed(checksum=True))
    span = walk(Held(bytes(data)), "f").spans[1]
    data[span.data_start + position % span.data_size] ^= flip
    assert code_of(bytes(data)) in (Reason.CORRUPTED_DATA, Reason.WRONG_CHECKSUM, Reason.CORRUPTED_HEADER)


def test_a_rice_stream_of_noise_is_corrupted_and_not_truncated() -> None:
    span = walk(Held(RICE), "f").spans[1]
    middle = span.data_start + span.data_size // 2
    damaged = (
        RICE[:middle]
        + b"\xff" * (span.data_start + span.data_size - middle)
        + RICE[span.data_start + span.data_size :]
    )
    assert code_of(damaged) is Reason.CORRUPTED_DATA


def test_an_hcompress_stream_that_lies_about_its_size_is_not_decoded() -> None:
    data = bytearray(compressed("HCOMPRESS_1"))
    start = data.index(b"\xdd\x99")
    data[start + 2 : start + 10] = (20000).to_bytes(4, "big") * 2
    assert code_of(bytes(data)) is Reason.CORRUPTED_DATA


@pytest.mark.parametrize("axis", [10**6, 10**12, 10**18])
def test_an_absurd_axis_is_refused_without_asking_for_memory(axis: int) -> None:
    card = f"NAXIS1  = {axis:>20}".encode()
    expected = Reason.TRUNCATED if axis < 10**7 else Reason.TOO_LARGE
    assert code_of(PLAIN.replace(b"NAXIS1  =                   64", card)) is expected


@pytest.mark.parametrize("axis", [100_000, 10**9])
def test_an_absurd_axis_of_a_compressed_image_is_refused_without_asking_for_memory(axis: int) -> None:
    card = f"ZNAXIS1 = {axis:>20}".encode()
    assert code_of(RICE.replace(b"ZNAXIS1 =                   64", card)) in (
        Reason.CORRUPTED_HEADER,
        Reason.TOO_LARGE,
    )


@pytest.mark.parametrize("value", [b"  -1", b" 1.5", b"   T", b" 'a'"])
def test_an_axis_that_is_no_count_is_a_damaged_header(value: bytes) -> None:
    assert code_of(PLAIN.replace(b"NAXIS1  =                   64", b"NAXIS1  = " + value.rjust(20))) is (
        Reason.CORRUPTED_HEADER
    )


def test_an_extension_whose_header_is_garbage_is_a_damaged_header() -> None:
    assert code_of(PLAIN + b"\xa5\x01" * 1440) is Reason.CORRUPTED_HEADER
    assert code_of(PLAIN + b"XTENSION" + b"\xa5\x01" * 1436) is Reason.CORRUPTED_HEADER


def test_a_gzipped_file_reads_and_is_summed_as_it_lies_on_disk() -> None:
    packed = gzip.compress(PLAIN)
    checked = check_bytes(packed, "f.fits.gz")
    assert checked.shape == (40, 64)
    assert checked.checksums == checksums(packed)


@pytest.mark.parametrize("cut", [5, 100, 1])
def test_a_gzipped_file_cut_short_is_truncated(cut: int) -> None:
    assert code_of(gzip.compress(PLAIN)[:-cut]) is Reason.TRUNCATED


def test_a_gzipped_file_with_a_wrong_sum_is_corrupted() -> None:
    packed = bytearray(gzip.compress(PLAIN))
    packed[-6] ^= 1
    assert code_of(bytes(packed)) is Reason.CORRUPTED_DATA


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"<html>error 404</html>",
        b"\x1f\x9d" + b"x" * 99,
        b"PK\x03\x04",
        b"\x89HDF\r\n",
        b"\0" * 2880,
    ],
)
def test_what_is_not_fits_is_called_that(data: bytes) -> None:
    assert code_of(data) is Reason.NOT_FITS


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_file_that_is_written_to_while_it_is_read_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(PLAIN)

    def meanwhile(*_: fits.Header) -> Limits:
        status = path.stat()
        if change == "size":
            with path.open("ab") as writer:
                writer.write(b"more")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + (change == "time")))
        return Limits()

    with pytest.raises(BadInput, match="changed while it was read") as refusal:
        read_checked(path, meanwhile)
    assert refusal.value.code is Reason.UNREADABLE
    read_checked(path)


def test_each_kind_of_sum_that_is_wrong_is_named() -> None:
    data = as_bytes(fits.PrimaryHDU(COUNTS, fits.Header([("OBSERVER", "ada")])), checksum=True)
    header = refusal_of(data.replace(b"'ada     '", b"'bob     '"))
    assert header is not None
    assert header.keyword == "CHECKSUM"
    both = bytearray(data)
    both[2881] ^= 1
    damaged = refusal_of(bytes(both))
    assert damaged is not None
    assert (damaged.code, damaged.keyword) == (Reason.WRONG_CHECKSUM, "DATASUM and CHECKSUM")


def test_a_damaged_table_beside_a_good_image_is_found() -> None:
    span = walk(Held(TABLES), "f").spans[1]
    data = bytearray(TABLES)
    data[span.data_start : span.data_start + 8] = b"\x7f" * 8  # the array descriptor of the first row
    assert code_of(bytes(data)) is Reason.CORRUPTED_DATA


def test_an_empty_file_a_missing_one_and_a_folder_each_have_their_reason(tmp_path: Path) -> None:
    empty = tmp_path / "empty.fits"
    empty.touch()
    for path, code in (
        (empty, Reason.EMPTY),
        (tmp_path / "absent.fits", Reason.MISSING_FILE),
        (tmp_path, Reason.UNREADABLE),
    ):
        with pytest.raises(BadInput) as refusal:
            read_checked(path)
        assert refusal.value.code is code


def test_a_file_that_the_system_will_not_read_is_unreadable() -> None:
    unreadable = Path("/proc/self/mem")  # opens, and then gives an I/O error, also to root
    if not unreadable.exists():
        pytest.skip("This system has no /proc.")
    with pytest.raises(BadInput) as refusal:
        read_checked(unreadable)
    assert refusal.value.code is Reason.UNREADABLE
    assert refusal.value.found == os.strerror(errno.EIO)


def test_what_needs_no_decoding_is_not_read_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "open", lambda *_, **__: pytest.fail("opened again"))
    assert check_bytes(PLAIN, "f").shape == (40, 64)


@pytest.mark.parametrize("window", [4, 1440, 2880, 4096])
def test_a_file_is_seen_alike_however_little_is_looked_at_at_once(
    monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    """Sums of text whose last padding is missing, and pixels that end before their last block does."""
    text = fits.TableHDU.from_columns([fits.Column("c", "I5", array=list(range(700)))])
    alike = fits.ImageHDU(np.full((20, 36), 7, np.int16))
    data = as_bytes(fits.PrimaryHDU(COUNTS), alike, text, checksum=True)
    monkeypatch.setattr("lake.fits.windows.WINDOW", window)
    for content in (data, data.rstrip(b" ")):
        assert {tuple(sums.values()) for sums in check_bytes(content, "f").sums} == {("valid", "valid")}
    seen = check_bytes(as_bytes(fits.PrimaryHDU(), alike, checksum=True)[:-1], "f")
    assert any("have the value 7" in caveat for caveat in seen.caveats)
    assert set(seen.sums[1].values()) == {"valid"}


def test_the_bytes_given_back_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(PLAIN)
    checked = read_checked(path)
    assert isinstance(checked, CheckedFits)
    assert b"".join(checked.windows()) == PLAIN
