"""Which input pixels a sample looks at: compared with a slow way of writing the same down, edges included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.kernels.affine import FILLED, sample_flags, sample_spline
from pipeline.kernels.bspline import MARGIN

#: A flag that stands around the plane the kernel may read; none of it may ever be seen.
BEYOND = np.uint16(0x4000)
Map = tuple[NDArray[np.float64], NDArray[np.float64]]


def turn(degrees: float, scale: float, shift: tuple[float, float]) -> Map:
    angle = math.radians(degrees)
    matrix = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return matrix, np.array(shift)


MAPS = [
    turn(0.0, 1.0, (0.3, 0.7)),
    turn(0.0, 1.0, (-2.6, 4.4)),
    turn(0.0, -1.0, (11.3, 9.2)),
    turn(1.3, 1.01, (-0.4, 0.2)),
    turn(37.0, 0.8, (3.1, -2.2)),
    turn(90.0, 1.0, (10.9, 0.6)),
    turn(-135.0, 1.3, (8.2, 11.7)),
    turn(0.0, 2.5, (0.1, 0.1)),
]


def surrounded(plane: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """A plane with the zeros the kernel asks for, cut out of one in which everything around is flagged."""
    whole = np.full((plane.shape[0] + 8, plane.shape[1] + 8), BEYOND, np.uint16)
    padded = whole[3:-3, 3:-3]
    padded[...] = 0
    padded[1:-1, 1:-1] = plane
    return padded


def flags_by_hand(
    plane: NDArray[np.uint16], onto: Map, shape: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """The same, sample by sample; and where rounding cannot decide between two pixels."""
    (matrix, offset), (ny, nx) = onto, plane.shape
    wanted, clear = np.zeros(shape, np.uint16), np.ones(shape, np.bool_)
    for i, j in np.ndindex(shape):
        x, y = matrix @ (j, i) + offset
        if not (0 <= x <= nx - 1 and 0 <= y <= ny - 1):
            clear[i, j] = min(abs(x), abs(y), abs(x - nx + 1), abs(y - ny + 1)) > 1e-4
            continue
        column, row = math.floor(x), math.floor(y)
        tx, ty = x - column, y - row
        clear[i, j] = all(abs(t - mark) > 1e-4 for t in (tx, ty) for mark in (0, 0.001, 0.5, 0.999, 1))
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
            far = tx if dx == 0 else 1 - tx, ty if dy == 0 else 1 - ty
            if max(far) < 0.999 and row + dy < ny and column + dx < nx:
                flag = plane[row + dy, column + dx]
                wanted[i, j] |= flag & np.uint16(0x7FFF)
                if (dx == 1) == (tx >= 0.5) and (dy == 1) == (ty >= 0.5):
                    wanted[i, j] |= flag & np.uint16(FILLED)
    return wanted, clear


@pytest.mark.parametrize("onto", MAPS, ids=range(len(MAPS)))
def test_a_sample_bears_the_flags_of_its_neighbours_and_of_nothing_beyond_the_edge(onto: Map) -> None:
    random = np.random.default_rng(7)
    plane = (1 << random.integers(0, 9, (11, 13))).astype(np.uint16)
    plane[random.random(plane.shape) < 0.3] |= np.uint16(FILLED)
    shape = (12, 14)
    wanted, clear = flags_by_hand(plane, onto, shape)
    found = np.zeros(shape, np.uint16)
    sample_flags(surrounded(plane), *onto, found)
    assert not (found & BEYOND).any()
    assert np.count_nonzero(clear) > 0.7 * clear.size
    np.testing.assert_array_equal(found[clear], wanted[clear])


def test_flags_that_are_there_already_stay() -> None:
    found = np.full((3, 3), 256, np.uint16)
    sample_flags(surrounded(np.full((3, 3), 1, np.uint16)), np.eye(2), np.zeros(2), found)
    assert (found == 257).all()


def flags_at(plane: NDArray[np.uint16], x: float, y: float) -> int:
    """Flags of one sample."""
    found = np.zeros((1, 1), np.uint16)
    sample_flags(surrounded(plane), np.eye(2), np.array([x, y]), found)
    return int(found[0, 0])


@pytest.mark.parametrize("y", [0.4, 0.5, 0.6])
@pytest.mark.parametrize("x", [0.4, 0.5, 0.6])
def test_a_sample_counts_as_filled_where_the_nearest_pixel_was(x: float, y: float) -> None:
    """In the middle between two it is the later one."""
    for pixel in np.ndindex(2, 2):
        plane = np.zeros((2, 2), np.uint16)
        plane[pixel] = FILLED
        assert bool(flags_at(plane, x, y) & FILLED) is (pixel == (y >= 0.5, x >= 0.5))


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("column", [0, 1])
def test_a_sample_within_a_thousandth_of_a_pixel_sees_that_one_alone(row: int, column: int) -> None:
    plane = np.array([[1, 2], [4, 8]], np.uint16)
    thousandth = np.float32(1e-3)
    beside = [float(thousandth), float(np.float32(1) - thousandth)]
    assert flags_at(plane, beside[column], beside[row]) == plane[row, column]
    assert flags_at(plane, 0.002, 0.998) == 15


@pytest.mark.parametrize("corner", [(0.0, 0.0), (4.0, 3.0), (0.0, 3.0), (4.0, 0.0)])
@pytest.mark.parametrize("beyond", [0.0, 5e-7, 1e-3])
def test_the_outermost_pixel_centres_are_the_edge_of_the_field(
    corner: tuple[float, float], beyond: float
) -> None:
    """Rounding does not put a sample outside; a thousandth of a pixel does."""
    outward = np.array([-beyond if corner[0] == 0 else beyond, -beyond if corner[1] == 0 else beyond])
    coefficients = np.ones((4 + 2 * MARGIN, 5 + 2 * MARGIN), np.float32)
    value, flags = np.zeros((1, 1), np.float32), np.full((1, 1), 2, np.uint16)
    limits = np.float32(-9), np.float32(9), np.float32(-5), np.uint16(64)
    sample_spline(coefficients, np.eye(2), np.array(corner) + outward, *limits, value, flags)
    outside = beyond > 1e-6
    assert value[0, 0] == (-5 if outside else pytest.approx(1, abs=1e-6))
    assert flags[0, 0] == (66 if outside else 2)
