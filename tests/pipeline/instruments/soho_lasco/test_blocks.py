"""Blocks of telemetry: found, sorted into zones, and named as the mission names them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco import blocks
from pipeline.instruments.soho_lasco.facts import Readout

FULL_C2 = Readout("C2", (1, 1), (1, 1), (0, 0), (1024, 1024))
HALF_C2 = Readout("C2", (1, 1), (2, 2), (0, 0), (512, 512))
FULL_C3 = Readout("C3", (1, 1), (1, 1), (0, 0), (1024, 1024))


def some(*places: tuple[int, int]) -> NDArray[np.bool_]:
    """Lost blocks at rows and columns of an image of 32 by 32."""
    lost = np.zeros((32, 32), dtype=bool)
    for place in places:
        lost[place] = True
    return lost


def spans(*ends: tuple[int, int]) -> list[int]:
    return [number for first, last in ends for number in range(first, last + 1)]


def test_blocks_never_sent_are_those_of_the_mission_s_lists() -> None:
    corners = [0, 1, 30, 31, 32, 63, 960, 991, 992, 993, 1022, 1023]
    behind = spans(
        (397, 401), (429, 434), (460, 467), (492, 499), (524, 531), (556, 563), (589, 594), (622, 625)
    )
    assert np.flatnonzero(blocks.never_sent(FULL_C2)).tolist() == sorted(corners + behind)
    centre = np.flatnonzero(blocks.never_sent(FULL_C3)[10:22, 10:22]).tolist()
    assert centre == [(n // 32 - 10) * 12 + n % 32 - 10 for n in (495, 496, 527, 528, 529, 559, 560)]


@pytest.mark.parametrize("name", ["lasco_c2_0_20000903.fts", "lasco_c2_clear_20000903.fts"])
def test_the_eight_blocks_that_real_images_lack_are_never_sent(name: str, real_data: Path) -> None:
    image = fits.getdata(real_data / "lasco" / name).astype(np.float32)
    absent = ~blocks.arrived(image)
    assert absent.sum() == 8
    assert not (absent & ~blocks.never_sent(HALF_C2)).any()


def test_a_list_of_the_mission_counts_before_the_table() -> None:
    assert np.flatnonzero(blocks.never_sent(FULL_C2, frozenset({3, 40}))).tolist() == [3, 40]
    assert blocks.never_sent(HALF_C2, frozenset({3})).sum() == blocks.never_sent(HALF_C2).sum()


def test_a_part_of_the_ccd_has_the_part_s_blocks() -> None:
    part = Readout("C2", (1, 1), (1, 1), (384, 384), (256, 256))
    np.testing.assert_array_equal(blocks.never_sent(part), blocks.never_sent(FULL_C2)[12:20, 12:20])


@pytest.mark.parametrize(
    ("places", "sizes"),
    [
        ([(10, 10)], [1]),
        ([(10, 10), (10, 11)], [2]),
        # The zone of a block is 3 by 3, and one more block is looked at around it.
        ([(10, 10), (10, 12)], [2]),
        ([(10, 10), (10, 13)], [1, 1]),
        # Two that are apart become one by what lies between them.
        ([(10, 10), (10, 14), (10, 12)], [3]),
        # Boxes grow: a far block is inside of what two others span.
        ([(10, 10), (12, 12), (10, 13)], [3]),
    ],
)
def test_zones_are_the_mission_s(places: list[tuple[int, int]], sizes: list[int]) -> None:
    assert sorted(int(zone.sum()) for zone in blocks.zones(some(*places))) == sizes


def test_numbers_in_base_32_have_the_mission_s_digits() -> None:
    assert [blocks.base_32(n, 2) for n in (0, 9, 10, 31, 32, 1023)] == ["00", "09", "0A", "0V", "10", "VV"]
    assert blocks.base_32(1024, 2) == "**"


def test_the_map_of_lost_blocks_of_c3_counts_along_columns_from_the_top() -> None:
    # rotate(map, 1) of IDL: the column becomes the row, the last row comes first.
    assert blocks.listed_c3(some((31, 0))) == "0000"
    assert blocks.listed_c3(some((30, 0), (29, 0))) == "0102"
    assert blocks.listed_c3(some((31, 1))) == "1010"
    assert blocks.listed_c3(some()) == "None"
    # As mb2strmap.pro writes it, a run that others follow ends behind its last place.
    assert blocks.listed_c3(some((31, 0), (31, 2))) == "00012020"


@given(st.sets(st.tuples(st.integers(0, 31), st.integers(0, 31)), max_size=40))
def test_what_misslist_names_is_read_back(places: set[tuple[int, int]]) -> None:
    lost = some(*places)
    np.testing.assert_array_equal(blocks.unlisted_c3(blocks.listed_c3(lost), (32, 32)), lost)


def test_the_list_of_c2_says_why_it_has_no_numbers() -> None:
    assert blocks.listed_c2(some(), FULL_C2) == "None"
    assert blocks.listed_c2(some((0, 5), (1, 0)), FULL_C2) == "5 32"
    assert blocks.listed_c2(some(*[(5, n) for n in range(18)]), FULL_C2) == "More than 17 blocks missing"
    small = np.zeros((16, 16), dtype=bool)
    small[3, 3] = True
    assert blocks.listed_c2(small, HALF_C2) == "Not computed for summed images."


def test_zones_at_the_edge_are_told() -> None:
    assert blocks.touches_edge(some((0, 4)))
    assert blocks.touches_edge(some((4, 31)))
    assert not blocks.touches_edge(some((1, 1)))
