"""Skeletons and the ways along them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pipeline.kernels.skeleton import longest_way, skeleton


def bar(width: int = 7, length: int = 60) -> np.ndarray:
    mask = np.zeros((40, 90), bool)
    mask[15 : 15 + width, 10 : 10 + length] = True
    return mask


def test_a_bar_becomes_a_line_of_one_pixel_in_its_middle() -> None:
    lines = skeleton(bar())
    assert (lines.sum(axis=0) <= 1).all()
    rows, columns = np.nonzero(lines)
    assert set(rows[5:-5]) == {18}
    assert np.ptp(columns) >= 52


def test_thinning_keeps_what_is_connected_connected_and_rings_open() -> None:
    i, j = np.indices((60, 60))
    far = np.hypot(i - 30, j - 30)
    ring = (far < 22) & (far > 14)
    lines = skeleton(ring)
    assert ndimage.label(lines, np.ones((3, 3)))[1] == 1
    assert ndimage.label(~lines)[1] == 2
    assert lines.sum() < 0.15 * ring.sum()


def test_the_longest_way_leaves_side_branches_out() -> None:
    lines = np.zeros((30, 50), bool)
    lines[10, 5:45] = True
    lines[10:18, 20] = True
    way = longest_way(lines)
    assert len(way) == 40
    assert {tuple(one) for one in way} == {(10, column) for column in range(5, 45)}
    assert (np.abs(np.diff(way, axis=0)).max(axis=1) == 1).all()


def test_an_empty_mask_has_no_way_and_a_single_pixel_is_one() -> None:
    empty = np.zeros((5, 5), bool)
    assert longest_way(empty).shape == (0, 2)
    empty[2, 3] = True
    assert longest_way(skeleton(empty)).tolist() == [[2, 3]]
