"""How large a file and its images may be: the last byte and pixel that are taken, and who says so."""

from __future__ import annotations

import gzip
import io
import mmap
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lake.errors import BadInput, Reason
from lake.fits.check import Limits, check_bytes, opened, read_bytes, read_checked
from tests.lake.fits.made import as_bytes

SMALL = np.ones((10, 20), np.int16)
LARGE = np.ones((10, 21), np.int16)


def code_of(path: Path, limits: Limits) -> Reason | None:
    try:
        read_checked(path, lambda *_: limits).close()
    except BadInput as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize("kind", ["primary", "extension", "compressed"])
@pytest.mark.parametrize(("pixels", "code"), [(200, None), (201, None), (199, Reason.TOO_LARGE)])
def test_the_limit_is_the_last_pixel_that_is_taken(
    tmp_path: Path, kind: str, pixels: int, code: Reason | None
) -> None:
    hdus = {
        "primary": [fits.PrimaryHDU(SMALL)],
        "extension": [fits.PrimaryHDU(), fits.ImageHDU(SMALL)],
        "compressed": [fits.PrimaryHDU(), fits.CompImageHDU(SMALL)],
    }[kind]
    path = tmp_path / "a.fits"
    path.write_bytes(as_bytes(*hdus))
    assert code_of(path, Limits(pixels=pixels)) is code


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("spare", "code"), [(0, None), (-1, Reason.TOO_LARGE)])
def test_the_limit_is_the_last_byte_that_is_taken(
    tmp_path: Path, packed: bool, spare: int, code: Reason | None
) -> None:
    whole = as_bytes(fits.PrimaryHDU(SMALL))
    path = tmp_path / "a.fits"
    path.write_bytes(gzip.compress(whole) if packed else whole)
    assert code_of(path, Limits(bytes=len(whole) + spare)) is code


def test_each_image_is_held_to_the_limits_that_its_own_header_asks_for(tmp_path: Path) -> None:
    """The instrument is often told by the extension that holds the image, else by the primary header."""
    asked: list[tuple[object, object]] = []

    def limits_of(header: fits.Header, primary: fits.Header) -> Limits:
        asked.append((header.get("CAMERA"), primary.get("STATION")))
        return Limits(pixels=210 if header.get("CAMERA") == "wide" else 200)

    primary = fits.PrimaryHDU(header=fits.Header([("STATION", "here")]))
    for camera, code in (("wide", None), ("narrow", Reason.TOO_LARGE)):
        asked.clear()
        path = tmp_path / f"{camera}.fits"
        path.write_bytes(as_bytes(primary, fits.ImageHDU(LARGE, fits.Header([("CAMERA", camera)]))))
        try:
            read_checked(path, limits_of).close()
            found = None
        except BadInput as refusal:
            found = refusal.code
        assert found is code
        assert asked == [(None, "here"), (camera, "here")]


def test_tables_are_no_images_and_ask_for_no_limits_of_their_own(tmp_path: Path) -> None:
    asked: list[str] = []

    def limits_of(header: fits.Header, _: fits.Header) -> Limits:
        asked.append(str(header.get("EXTNAME", "primary")))
        return Limits()

    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])], name="TABLE")
    images = [
        fits.ImageHDU(np.ones(shape, np.int16), name=name)
        for name, shape in (("SPECTRUM", (9,)), ("POINT", (1, 1)))
    ]
    path = tmp_path / "a.fits"
    path.write_bytes(as_bytes(fits.PrimaryHDU(SMALL), table, *images, fits.ImageHDU(name="EMPTY")))
    read_checked(path, limits_of).close()
    assert asked == ["primary", "SPECTRUM", "POINT"]


@pytest.mark.parametrize("form", ["I5", "E12.5"])
def test_a_text_table_keeps_its_sums_also_where_its_last_padding_is_missing(form: str) -> None:
    """Its padding is blanks, not zeros: taken for zeros the sum would be wrong."""
    values = {"I5": [1, 2, 3], "E12.5": [1.5, 2.5, 3.5]}[form]
    table = fits.TableHDU.from_columns([fits.Column("c", form, array=values)])
    data = as_bytes(fits.PrimaryHDU(SMALL), table, checksum=True)
    for content in (data, data.rstrip(b" ")):
        checked = check_bytes(content, "f.fits")
        assert checked.sums[1] == {"DATASUM": "valid", "CHECKSUM": "valid"}


def test_a_text_table_of_garbage_is_damaged() -> None:
    table = fits.TableHDU.from_columns([fits.Column("c", "I5", array=[12345, 2, 3])])
    data = as_bytes(fits.PrimaryHDU(SMALL), table)
    with pytest.raises(BadInput) as refusal:
        check_bytes(data.replace(b"12345", b"1x?45"), "f.fits")
    assert refusal.value.code is Reason.CORRUPTED_DATA


def test_files_without_an_image_are_told_apart(tmp_path: Path) -> None:
    """A header alone, and data that are no image: different advice."""
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    said = {}
    for name, hdus in {"header": [fits.PrimaryHDU()], "table": [fits.PrimaryHDU(), table]}.items():
        with pytest.raises(BadInput) as refusal:
            check_bytes(as_bytes(*hdus), f"{name}.fits")
        assert refusal.value.code is Reason.NO_IMAGE
        said[name] = str(refusal.value)
    assert "a header and no data" in said["header"]
    assert "a header and no data" not in said["table"]


@pytest.mark.parametrize("size", [1, 2880, 1 << 20])
def test_the_whole_of_a_file_is_given(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    assert read_bytes(path) == path.read_bytes()


def test_where_no_instrument_says_otherwise_files_may_have_4_gib_and_images_16384_pixels_a_side() -> None:
    assert Limits() == Limits(pixels=16384 * 16384, bytes=4 * 1024**3)


def test_a_file_larger_than_any_may_be_is_refused_before_it_is_read_and_not_left_open(tmp_path: Path) -> None:
    path = tmp_path / "a"
    before = len(list(Path("/proc/self/fd").iterdir()))
    for size, taken in ((4 * 1024**3 + 1, False), (41 << 20, True)):
        with path.open("wb") as file:
            file.truncate(size)  # takes no room on the disk
        if taken:
            assert read_bytes(path) == bytes(size)
        else:
            with pytest.raises(BadInput, match="larger than it may be") as refusal:
                read_bytes(path)
            assert refusal.value.found == f"{size} bytes"
            assert refusal.value.code is Reason.TOO_LARGE
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("size", "grown", "taken"), [(9, 10, True), (9, 11, False), (10, 10, True), (9, 5, True)]
)
def test_a_file_that_grows_while_it_is_read_is_read_as_far_as_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, grown: int, taken: bool
) -> None:
    """A file of the size it had when it was opened; the kernel gives it five bytes at a time."""
    monkeypatch.setattr("lake.fits.check.HELD", 10)
    path = tmp_path / "a"
    path.write_bytes(b"x" * size)

    class Slow(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            os.truncate(path, grown)
            return super().read(min(5, size or 0))

    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Slow(path))
    if taken:
        assert read_bytes(path) == (b"x" * size + b"\0" * 9)[:grown]
    else:
        with pytest.raises(BadInput, match="changed while it was read"):
            read_bytes(path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_large_file_is_open_once_while_it_is_needed_and_never_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """A mapped file that shrinks would end the process."""
    for module in ("check", "windows"):
        monkeypatch.setattr(f"lake.fits.{module}.HELD", 10)
    monkeypatch.setattr(mmap, "mmap", lambda *_, **__: pytest.fail("mapped"))
    whole = as_bytes(fits.PrimaryHDU(), fits.CompImageHDU(SMALL))
    path = tmp_path / "a.fits"
    path.write_bytes(gzip.compress(whole) if packed else whole)

    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = files()
    checked = read_checked(path, folder=tmp_path)
    assert (checked.shape, files()) == ((10, 20), before + 1)
    checked.close()
    assert files() == before
    with opened(path) as raw:
        assert bytes(raw.read(0, 2)) == path.read_bytes()[:2]
    assert code_of(path, Limits(pixels=1)) is Reason.TOO_LARGE
    assert files() == before
