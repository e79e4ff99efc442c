"""Telemetry of a simulated image: blocks that did not arrive (layouts: science.md §1, "Missing blocks")."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWX"
_RICE_SIDE: Final = 64
_ICER_BORDER: Final = 20
#: Widths of the segments of a row and its height, CCD pixels: four rows of five, two of six.
_ICER32: Final = (
    *(((400, 400, 416, 416, 416), 320),) * 4,
    *(((336, 336, 336, 336, 352, 352), 384),) * 2,
)


def miss_list(blocks: tuple[int, ...]) -> str:
    """MISSLIST: two digits to the base of 34 for each block."""
    return "".join(_DIGITS[block // 34] + _DIGITS[block % 34] for block in blocks)


def lost(
    blocks: tuple[int, ...], compression: int, shape: tuple[int, int], binning: int
) -> NDArray[np.bool_]:
    """Where blocks of an image are lost, shape (y, x), in the orientation of the read-out.

    Raises
    ------
    ValueError
        When the compression has no block of this number.
    """
    ny, nx = shape
    result = np.zeros(shape, dtype=bool)
    for block in blocks:
        if compression < 89:
            row, column = divmod(block, nx // _RICE_SIDE)
            y, x, height, width, border = row * _RICE_SIDE, column * _RICE_SIDE, _RICE_SIDE, _RICE_SIDE, 0
        elif compression in (96, 97):
            row, column = divmod(block, 4)
            y, x, height, width, border = row * ny // 4, column * nx // 4, ny // 4, nx // 4, _ICER_BORDER
        else:
            y, x, height, width = _segment(block, binning)
            border = _ICER_BORDER
        if y >= ny:
            raise ValueError(f"an image of {nx} × {ny} has no block {block}")
        result[max(y - border, 0) : y + height + border, max(x - border, 0) : x + width + border] = True
    return result


def _segment(number: int, binning: int) -> tuple[int, int, int, int]:
    """Corner, height and width of one of the 32 segments of ICER."""
    bottom = 0
    for widths, height in _ICER32:
        if number < len(widths):
            left = sum(widths[:number])
            return bottom // binning, left // binning, height // binning, widths[number] // binning
        number -= len(widths)
        bottom += height
    raise ValueError("ICER has 32 segments")
