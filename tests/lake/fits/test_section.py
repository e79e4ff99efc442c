"""Any part of a stored image is what reading all of it gives there, however the file is packed."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lake.errors import BadInput
from lake.fits.io import read_image
from lake.fits.section import extension, section, stored
from lake.storage.cache import FOLDER
from lake.storage.posix import PosixStore
from lake.storage.store import Ref
from tests.conftest import FUZZ

RNG = np.random.default_rng(5)
SHAPES = {"image": (37, 53), "cube": (3, 4, 9, 11), "spectrum": (200,), "broad": (5, 20_000)}
KINDS = ("float32", "int16", "uint16", "blank", "rice", "packed", "packed rice")


def written(path: Path, shape: tuple[int, ...], kind: str) -> None:
    """A file whose second HDU may be the compressed one."""
    plain: NDArray[Any] = RNG.integers(0, 4000, shape)
    if kind == "float32":
        hdus = [fits.PrimaryHDU(plain.astype(np.float32) / 7)]
    elif kind in ("int16", "uint16", "packed"):
        hdus = [fits.PrimaryHDU(plain.astype(np.uint16 if kind == "uint16" else np.int16))]
    elif kind == "blank":
        hdus = [fits.PrimaryHDU(plain.astype(np.int16))]
        hdus[0].header["BLANK"] = int(plain.flat[3])
        hdus[0].header["BUNIT"] = "DN"
    else:
        hdus = [fits.PrimaryHDU(), fits.CompImageHDU(plain.astype(np.int32), name="QUALITY")]
    stream = io.BytesIO()
    fits.HDUList(hdus).writeto(stream)
    data = stream.getvalue()
    path.write_bytes(gzip.compress(data) if kind.startswith("packed") else data)


def ref_of(path: Path) -> Ref:
    """A file as the lake knows it."""
    return Ref(PosixStore(path.parent).url, path.name, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where files are unpacked."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv(FOLDER, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    folder = tmp_path_factory.mktemp("sections")
    made = {}
    for name, shape in SHAPES.items():
        for kind in KINDS:
            if name == "spectrum" and "rice" in kind:
                continue
            made[name, kind] = folder / f"{name}_{kind.replace(' ', '_')}.fits"
            written(made[name, kind], shape, kind)
    return made


@settings(max_examples=150 * FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_part_is_that_of_the_whole(files: dict[tuple[str, str], Path], data: st.DataObject) -> None:
    name, kind = data.draw(st.sampled_from(sorted(files)))
    path, shape, hdu = files[name, kind], SHAPES[name], 1 if "rice" in kind else 0
    wanted = []
    for length in shape:
        start = data.draw(st.integers(0, length - 1))
        stop = data.draw(st.integers(start + 1, length))
        wanted.append(slice(start, stop, data.draw(st.integers(1, 5))))
    ref = ref_of(path)
    blank = data.draw(st.booleans())
    whole = read_image(str(path), hdu, blank_is_missing=blank, axes=len(shape)).data
    found = section(ref, stored(ref, hdu), wanted, blank_is_missing=blank)
    np.testing.assert_array_equal(found, whole[tuple(wanted)])


@pytest.mark.parametrize("kind", ["rice", "packed", "packed rice"])
def test_damaged_bytes_never_reach_a_decoder(tmp_path: Path, kind: str) -> None:
    path, hdu = tmp_path / "a.fits", 1 if "rice" in kind else 0
    written(path, (37, 53), kind)
    ref, part = ref_of(path), [slice(0, 5), slice(3, 9)]
    found = stored(ref, hdu)
    section(ref, found, part, blank_is_missing=False)
    data = path.read_bytes()
    path.write_bytes(data[:-100] + bytes([data[-100] ^ 1]) + data[-99:])
    os.utime(path, (1, 1))
    with pytest.raises(BadInput, match="other bytes than were registered"):
        section(ref, found, part, blank_is_missing=False)


def test_a_gzipped_file_is_unpacked_once_and_read_where_it_lies(
    files: dict[tuple[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = ref_of(files["cube", "packed"])
    found = stored(ref, 0)
    assert (found.packed, found.start) == (True, 2880)
    monkeypatch.setattr("lake.fits.plain._unpacked", None)  # is not needed any more
    assert section(ref, found, [slice(0, 1)] * 4, blank_is_missing=False).shape == (1, 1, 1, 1)


def test_extensions_are_found_by_name(files: dict[tuple[str, str], Path]) -> None:
    path = files["image", "rice"]
    ref = ref_of(path)
    found = extension(ref, "QUALITY")
    assert found is not None
    assert found.shape == SHAPES["image"]
    assert extension(ref, "OTHER") is None


def test_what_is_no_image_is_refused(files: dict[tuple[str, str], Path]) -> None:
    path = files["image", "rice"]
    ref = ref_of(path)
    for hdu in (0, 7):
        with pytest.raises(BadInput, match="no image"):
            stored(ref, hdu)
