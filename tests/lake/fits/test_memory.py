"""What a file claims never decides how much memory it takes: hostile files are read under a real limit."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lake.fits.check import read_checked
from tests.conftest import HOUSE

MIB = 1 << 20
#: Far less than any of the files below would take if it were believed, held or unpacked whole.
ALLOWED = 160 * MIB

_UNDER_A_LIMIT = f"""
import json, resource, sys
from pathlib import Path
from lake.errors import BadInput
from lake.fits.check import read_checked

read_checked(sys.argv[1]).close()  # what is imported and kept for good counts for nothing
taken = next(line for line in open("/proc/self/status") if line.startswith("VmSize"))
limit = int(taken.split()[1]) * 1024 + {ALLOWED}
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
found = {{}}
for path in sys.argv[2:]:
    try:
        checked = read_checked(path, folder=Path(path).parent)
        found[Path(path).name] = list(checked.shape)
        checked.close()
    except BadInput as error:
        found[Path(path).name] = str(error.code)
    except MemoryError:
        found[Path(path).name] = "MemoryError"
print(json.dumps(found))
"""


def header(**cards: object) -> bytes:
    """A primary header, or an extension's where XTENSION stands first."""
    first = {} if "XTENSION" in cards else {"SIMPLE": True}
    text: str = fits.Header([*first.items(), *cards.items()]).tostring()
    return text.encode("ascii")


def zeros(size: int) -> bytes:
    """A gzipped part of `size` zeros, made of equal members."""
    member = 16 * MIB
    rest = gzip.compress(bytes(size % member), 1)
    return gzip.compress(bytes(member), 1) * (size // member) + rest


def image(width: int, height: int) -> bytes:
    """A gzipped image of bytes that are all zero but one."""
    size = width * height
    head = header(BITPIX=8, NAXIS=2, NAXIS1=width, NAXIS2=height) + b"\1"
    return gzip.compress(head, 1) + zeros(size - 1 + -size % 2880)


def bomb_of_tiles() -> bytes:
    """A compressed image with one tile of few bytes that unpack to very many."""
    data = np.random.default_rng(1).integers(0, 9, (64, 64), dtype=np.int16)
    buffer = io.BytesIO()
    hdu = fits.CompImageHDU(data, compression_type="GZIP_1", tile_shape=(64, 64))
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    whole = buffer.getvalue()
    packer = zlib.compressobj(9, wbits=31)
    stream = b"".join([*(packer.compress(bytes(16 * MIB)) for _ in range(20)), packer.flush()])
    with fits.open(io.BytesIO(whole), disable_image_compression=True) as hdus:
        table = hdus[1].header.copy()
    table["PCOUNT"] = len(stream)
    # A heap so long is more than so few pixels need: more of them, in more tiles of which the rest is empty.
    table["ZNAXIS2"], table["NAXIS2"] = 64 * 64, 64
    rows = np.zeros((64, 2), ">i4")
    rows[0] = len(stream), 0
    table["TFORM1"] = f"1PB({len(stream)})"
    content: bytes = whole[:2880] + table.tostring().encode("ascii") + rows.tobytes() + stream
    return content.ljust(-(-len(content) // 2880) * 2880, b"\0")


def heap_of_many_rows() -> bytes:
    """A table whose million rows all point at the same megabyte, beside a good image."""
    rows = np.tile(np.array([MIB, 0], ">i4"), (500_000, 1))
    table = header(
        XTENSION="BINTABLE",
        BITPIX=8,
        NAXIS=2,
        NAXIS1=8,
        NAXIS2=len(rows),
        PCOUNT=MIB,
        GCOUNT=1,
        TFIELDS=1,
        TTYPE1="A",
        TFORM1="1PB(1048576)",
    )
    first = header(BITPIX=8, NAXIS=2, NAXIS1=2, NAXIS2=2, EXTEND=True) + b"\1".ljust(2880, b"\0")
    data = rows.tobytes() + bytes(MIB)
    return first + table + data.ljust(-(-len(data) // 2880) * 2880, b"\0")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="This system has no /proc to ask.")
def test_no_claim_of_a_file_takes_more_memory_than_a_few_windows(tmp_path: Path) -> None:
    small = tmp_path / "small.fits"
    fits.writeto(small, np.arange(20000, dtype=np.float32).reshape(100, 200))
    with fits.open(small) as hdus:
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(hdus[0].data)]).writeto(tmp_path / "tiles.fits")
    claim = header(BITPIX=8, NAXIS=2, NAXIS1=50_000, NAXIS2=60_000)
    empty = header(XTENSION="IMAGE", BITPIX=8, NAXIS=0, PCOUNT=0, GCOUNT=1)
    wanted = {
        "zeros.fits.gz": (zeros(4096 * MIB), "not-fits"),
        "claim.fits.gz": (gzip.compress(claim) + zeros(3000 * MIB), "too-large"),
        "large.fits.gz": (image(12_000, 20_000), [20_000, 12_000]),
        "header.fits.gz": (gzip.compress(claim[:800]) + gzip.compress(b" " * 16 * MIB) * 64, "too-large"),
        "hdus.fits.gz": (
            gzip.compress(header(BITPIX=8, NAXIS=0)) + gzip.compress(empty * 1000) * 1000,
            "too-large",
        ),
        "tiles.fits": (bomb_of_tiles(), "corrupted-data"),
        "rows.fits": (heap_of_many_rows(), [2, 2]),
        "sparse.fits": (claim, "too-large"),
    }
    for name, (content, _) in wanted.items():
        (tmp_path / name).write_bytes(content)
    os.truncate(tmp_path / "sparse.fits", 5 << 30)
    command = [sys.executable, "-c", _UNDER_A_LIMIT, str(small), *(str(tmp_path / name) for name in wanted)]
    done = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {name: outcome for name, (_, outcome) in wanted.items()}


def test_a_file_larger_than_what_is_held_is_read_where_it_lies(tmp_path: Path) -> None:
    data = np.zeros((3000, 4096), np.float32)
    data[-1, -1] = 1
    fits.writeto(tmp_path / "large.fits", data, checksum=True)
    content = (tmp_path / "large.fits").read_bytes()
    checked = read_checked(tmp_path / "large.fits")
    assert checked.sums == ({"DATASUM": "valid", "CHECKSUM": "valid"},)
    assert b"".join(checked.windows()) == content
    checked.close()
    packed = tmp_path / "large.fits.gz"
    packed.write_bytes(gzip.compress(content, 1))
    unpacked = read_checked(packed, folder=tmp_path)
    assert unpacked.content_sha256 == checked.checksums.sha256 != unpacked.checksums.sha256
    unpacked.close()
    assert {path.name for path in tmp_path.iterdir()} == {"large.fits", "large.fits.gz"}
