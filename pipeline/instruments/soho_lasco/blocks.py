"""Blocks of telemetry: which were lost, which were never meant to be sent, and how MISSLIST names them.

An image is sent in blocks of 32 by 32 of its own pixels; one that holds no number above zero did not arrive.
Behind the occulter and in the corners some are never sent (get_tmask.pro, kis_lasco.md §1.6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco.facts import Readout
from pipeline.instruments.soho_lasco.tables import BLOCK, CCD_SIZE, Detector
from pipeline.kernels.masks import largest_in_blocks

_SIDE: Final = CCD_SIZE // BLOCK

Rows = Sequence[tuple[int, int]]


def _spans(rows: dict[int, Rows]) -> frozenset[int]:
    """Numbers of blocks (column + 32 · row) from first and last columns by row."""
    return frozenset(
        row * _SIDE + column
        for row, spans in rows.items()
        for first, last in spans
        for column in range(first, last + 1)
    )


#: Blocks never sent, on a grid of 32 by 32, by camera and CCD pixels along a side of a pixel (get_tmask.pro).
NEVER_SENT: Final[dict[tuple[Detector, int], frozenset[int]]] = {
    ("C2", 1): _spans(
        {
            0: [(0, 1), (30, 31)],
            1: [(0, 0), (31, 31)],
            12: [(13, 17)],
            13: [(13, 18)],
            **{row: [(12, 19)] for row in (14, 15, 16, 17)},
            18: [(13, 18)],
            19: [(14, 17)],
            30: [(0, 0), (31, 31)],
            31: [(0, 1), (30, 31)],
        }
    ),
    ("C2", 2): _spans(
        {
            **{row: [(14, 17)] for row in (12, 13, 18, 19)},
            **{row: [(12, 19)] for row in (14, 15, 16, 17)},
        }
    ),
    ("C2", 4): frozenset(),
    ("C3", 1): _spans(
        {
            0: [(0, 7), (24, 31)],
            1: [(0, 5), (26, 31)],
            2: [(0, 4), (27, 31)],
            3: [(0, 4), (29, 31)],
            4: [(0, 4), (30, 31)],
            5: [(0, 1), (30, 31)],
            6: [(0, 0), (31, 31)],
            7: [(0, 0)],
            15: [(15, 16)],
            16: [(15, 17)],
            17: [(15, 16)],
            25: [(0, 0)],
            26: [(0, 0), (31, 31)],
            27: [(0, 1), (31, 31)],
            28: [(0, 2), (30, 31)],
            29: [(0, 3), (29, 31)],
            30: [(0, 4), (28, 31)],
            31: [(0, 5), (26, 31)],
        }
    ),
    ("C3", 2): _spans(
        {
            **{row: [(0, 5), (26, 31)] for row in (0, 1)},
            2: [(0, 3), (30, 31)],
            3: [(0, 3), (30, 31)],
            **{row: [(0, 1), (30, 31)] for row in (4, 5)},
            **{row: [(0, 1), (30, 31)] for row in (28, 29)},
            **{row: [(0, 3), (28, 31)] for row in (30, 31)},
        }
    ),
    ("C3", 4): _spans({row: [(0, 3)] for row in range(4)}),
}

#: Blocks of a zone above which it is masked, and above which nothing is filled (reduce_level_1.pro,
#: fuzzy_image.pro).
MOST_IN_ZONE: Final = 16
MOST_FILLED: Final = 100
#: Blocks that the list of C2 names one by one.
_MOST_LISTED: Final = 17


def arrived(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each block of a level-0.5 image holds a number above zero; shape (rows, columns) of blocks.

    Pixels beyond the last whole block belong to none.
    """
    result: NDArray[np.bool_] = largest_in_blocks(image, BLOCK) > 0
    return result


def never_sent(readout: Readout, listed: frozenset[int] | None = None) -> NDArray[np.bool_]:
    """Blocks of an image that are never sent; shape (rows, columns) of its blocks.

    Parameters
    ----------
    readout
        Of the image.
    listed
        Numbers (column + 32 · row) on the full CCD that a list of the mission has instead of the table.
    """
    sums = readout.summing[0]
    numbers = NEVER_SENT.get((readout.detector, sums), frozenset())
    if listed is not None and sums == 1:
        numbers = listed
    full = np.zeros(_SIDE * _SIDE, dtype=bool)
    full[[number for number in numbers if 0 <= number < full.size]] = True
    # A block of a summed image covers several of the grid; the first of them speaks for all.
    grid = full.reshape(_SIDE, _SIDE)[::sums, ::sums]
    first = readout.first[1] // (BLOCK * sums), readout.first[0] // (BLOCK * sums)
    rows, columns = readout.shape[0] // BLOCK, readout.shape[1] // BLOCK
    return grid[first[0] : first[0] + rows, first[1] : first[1] + columns]


def pixels(blocks: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of blocks, on an image of this shape."""
    result = np.zeros(shape, dtype=bool)
    spread = np.repeat(np.repeat(blocks, BLOCK, axis=0), BLOCK, axis=1)
    result[: spread.shape[0], : spread.shape[1]] = spread[: shape[0], : shape[1]]
    return result


def flag(quality: NDArray[np.uint16], blocks: NDArray[np.bool_], bits: int) -> None:
    """Set bits of all pixels of blocks, in place."""
    for row, column in np.argwhere(blocks) * BLOCK:
        quality[row : row + BLOCK, column : column + BLOCK] |= np.uint16(bits)


def zones(lost: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Lost blocks sorted into zones, as get_miss_blocks.pro does.

    The zone of a block is its square of 3 by 3; zones that see a block of another within one block of their
    edge become one, the rectangle around both, until none do.
    """
    rows, columns = lost.shape
    found: list[tuple[list[int], NDArray[np.bool_]]] = []
    for i, j in np.argwhere(lost):
        box = [max(i - 1, 1), min(i + 1, rows - 2), max(j - 1, 1), min(j + 1, columns - 2)]
        members = np.zeros_like(lost)
        members[i, j] = True
        found = _joined(found, box, members)
    yield from (members for _, members in found)


def _joined(
    found: list[tuple[list[int], NDArray[np.bool_]]], box: list[int], members: NDArray[np.bool_]
) -> list[tuple[list[int], NDArray[np.bool_]]]:
    """The zones with a new one, which eats all it touches, and what touches it then."""
    while True:
        touching = [one for one in found if _sees(box, one[1]) or _sees(one[0], members)]
        if not touching:
            return [*found, (box, members)]
        found = [one for one in found if not any(one is other for other in touching)]
        for other, more in touching:
            box = [min(box[0], other[0]), max(box[1], other[1]), min(box[2], other[2]), max(box[3], other[3])]
            members = members | more


def _sees(box: list[int], members: NDArray[np.bool_]) -> bool:
    top, bottom, left, right = box
    return bool(members[max(top - 1, 0) : bottom + 2, max(left - 1, 0) : right + 2].any())


def touches_edge(members: NDArray[np.bool_]) -> bool:
    """Whether a block lies at the edge of the image."""
    return bool(members[0].any() or members[-1].any() or members[:, 0].any() or members[:, -1].any())


def listed_c2(lost: NDArray[np.bool_], readout: Readout) -> str:
    """MISSLIST of C2: the numbers of lost blocks, or why there are none (reduce_level_1.pro)."""
    numbers = np.flatnonzero(lost.ravel())
    if numbers.size > _MOST_LISTED:
        return "More than 17 blocks missing"
    if not numbers.size:
        return "None"
    if readout.summed > 2:
        return "Not computed for summed images."
    return " ".join(map(str, numbers))


def listed_c3(lost: NDArray[np.bool_]) -> str:
    """MISSLIST of C3: first and last places of runs of lost blocks, in base 32 (mb2strmap.pro).

    Places count along columns from the last row to the first: `rotate(map, 1)` of IDL.
    """
    places = np.flatnonzero(_turned(lost).ravel())
    if not places.size:
        return "None"
    breaks = np.flatnonzero(np.diff(places) != 1)
    # As the mission writes it: the place behind a run's last one, then the first of the next.
    ends: list[int] = [int(places[0])]
    for index in breaks:
        ends += [int(places[index]) + 1, int(places[index + 1])]
    ends.append(int(places[-1]))
    return "".join(base_32(end, 2) for end in ends)


def unlisted_c3(text: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The lost blocks that a MISSLIST of C3 names (strmap2mb.pro); shape (rows, columns)."""
    turned = np.zeros(shape[::-1], dtype=bool)
    if text.strip() not in ("", "None"):
        ends = [int(text[start : start + 2], 32) for start in range(0, len(text.strip()), 2)]
        ends[-1] += 1
        for first, stop in zip(ends[::2], ends[1::2], strict=True):
            turned.ravel()[first:stop] = True
    return turned.T[::-1]


def _turned(blocks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.ascontiguousarray(blocks[::-1].T)


def base_32(number: int, digits: int) -> str:
    """A number in base 32, digits 0 to 9 and A to V; stars where it has more digits (inttob32.pro)."""
    text = ""
    while True:
        number, digit = divmod(number, 32)
        text = chr(digit + 48 + (7 if digit > 9 else 0)) + text
        if not number:
            break
    return text.rjust(digits, "0") if len(text) <= digits else "*" * digits
