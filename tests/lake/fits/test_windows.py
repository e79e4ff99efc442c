"""A gzipped file unpacked: all its parts, no more than its limit."""

from __future__ import annotations

import gzip
import hashlib
import os

import pytest

from lake.errors import BadInput, Reason
from lake.fits.windows import HELD, WINDOW, Held, Unpacked


def unpacked(packed: bytes, limit: int = 1 << 30) -> bytes:
    content = Unpacked(Held(packed), "f.gz", limit)
    size = content.reach(1 << 40)
    try:
        assert content.sha256 == hashlib.sha256(bytes(content.read(0, size))).hexdigest()
        return bytes(content.read(0, size))
    finally:
        content.close()


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 5000])
def test_parts_that_were_packed_one_by_one_are_one_file(parts: int, padding: int) -> None:
    """``cat a.gz b.gz``, and tapes that fill up with zeros."""
    wholes = [os.urandom(1000 + 7 * number) for number in range(parts)]
    packed = b"".join(gzip.compress(one) for one in wholes) + b"\0" * padding
    assert unpacked(packed) == b"".join(wholes)


def test_a_second_part_that_is_cut_off_is_missed() -> None:
    packed = gzip.compress(b"first") + gzip.compress(os.urandom(1000))[:-9]
    with pytest.raises(BadInput) as refusal:
        unpacked(packed)
    assert refusal.value.code is Reason.TRUNCATED


def test_what_follows_a_part_and_is_none_is_damage() -> None:
    with pytest.raises(BadInput) as refusal:
        unpacked(gzip.compress(b"first") + b"no gzip at all")
    assert refusal.value.code is Reason.CORRUPTED_DATA


@pytest.mark.parametrize(("size", "taken"), [(9_999, True), (10_000, True), (10_001, False)])
@pytest.mark.parametrize("parts", [1, 2])
def test_the_limit_is_the_last_byte_that_is_taken(size: int, taken: bool, parts: int) -> None:
    content = b"x" * size
    cut = size // parts
    packed = gzip.compress(content[:cut]) + (gzip.compress(content[cut:]) if parts == 2 else b"")
    if taken:
        assert unpacked(packed, limit=10_000) == content
    else:
        with pytest.raises(BadInput, match="10000 bytes") as refusal:
            unpacked(packed, limit=10_000)
        assert refusal.value.code is Reason.TOO_LARGE


@pytest.mark.parametrize("size", [WINDOW - 1, WINDOW, WINDOW + 1, HELD + 1])
def test_what_is_longer_than_a_window_or_than_what_is_held_is_whole(size: int) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    assert unpacked(gzip.compress(content, compresslevel=1)) == content
