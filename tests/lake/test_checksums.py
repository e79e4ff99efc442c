"""Checksums agree with those every other tool computes."""

from __future__ import annotations

import hashlib
import zlib

from hypothesis import given
from hypothesis import strategies as st

from lake.checksums import Summer, checksums


@given(st.binary(max_size=4096))
def test_the_sums_of_a_buffer_are_the_standard_ones(data: bytes) -> None:
    assert checksums(data) == (
        len(data),
        f"{zlib.adler32(data):08x}",
        hashlib.sha256(data).hexdigest(),
    )


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_sums_do_not_depend_on_the_blocks_they_were_taken_in(blocks: list[bytes]) -> None:
    summer = Summer()
    for block in blocks:
        summer.add(block)
    assert summer.result() == checksums(b"".join(blocks))


def test_a_buffer_longer_than_a_block_is_summed_whole() -> None:
    data = bytes(range(256)) * 5000
    assert checksums(data).sha256 == hashlib.sha256(data).hexdigest()


def test_a_large_buffer_has_the_sums_it_has_block_by_block() -> None:
    for size in ((1 << 22) - 1, 1 << 22, (1 << 22) + 7):
        data = bytes(range(251)) * (size // 251 + 1)
        summer = Summer()
        summer.add(data[:size])
        assert checksums(memoryview(data)[:size]) == summer.result()
