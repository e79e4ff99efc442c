"""Which pixels were lost on the way to the ground: MISSLIST and its layouts (science.md §1)."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import facts

_BASE: Final = 34
#: Side of a Rice or H-compress block, in image pixels.
_BLOCK: Final = 64
#: ICER segments overlap their neighbours; a lost one takes a border of them along.
_ICER_BORDER: Final = 20
#: 32-segment ICER, in pixels of the full 2048² CCD: 4 rows of 5 segments below 2 rows of 6.
_ICER32_LOWER_X: Final = (0, 400, 800, 1216, 1632, 2048)
_ICER32_UPPER_X: Final = (0, 336, 672, 1008, 1344, 1696, 2048)
_ICER32_Y: Final = (0, 320, 640, 960, 1280, 1664, 2048)

#: (first column, first row, end column, end row)
Box = tuple[int, int, int, int]


def lost_blocks(frame: Frame) -> list[int]:
    """Numbers of the blocks MISSLIST names: pairs of base-34 characters.

    Raises
    ------
    BadInput
        When the list cannot be read or is not as long as NMISSING says.
    """
    text = str(frame.header.get("MISSLIST", "")).rstrip()
    number = round(frame.keyword("NMISSING", float, default=0.0))
    if len(text) % 2:
        text = " " + text
    try:
        found = [int(text[i : i + 2].strip(), _BASE) for i in range(0, len(text), 2)] if text.strip() else []
    except ValueError as error:
        raise BadInput(
            "the list of missing telemetry blocks cannot be read",
            file=frame.source,
            keyword="MISSLIST",
            found=repr(text),
            advice="it should hold pairs of characters 0-9 and A-X; fetch the file again",
        ) from error
    if len(found) != number:
        raise BadInput(
            "the list of missing telemetry blocks is not as long as the header says",
            file=frame.source,
            keyword="MISSLIST, NMISSING",
            found=f"{len(found)} listed, {number} counted",
            advice="it is not known which pixels are lost; fetch a later version of the file",
        )
    return found


def lost_pixels(frame: Frame) -> tuple[NDArray[np.bool_], str]:
    """Where telemetry is missing, in a raw image as it is stored.

    Blocks are numbered in the image as it was compressed, before it was turned
    for the archive. Published programs disagree on whether that matters for
    Rice blocks, so the image is asked: lost pixels are zeros in level 0.

    Returns
    -------
    mask
        Booleans, shape (y, x).
    doubt
        What a user should know about the place of the blocks, or nothing.

    Raises
    ------
    BadInput
        When MISSLIST is inconsistent or the compression's layout is not known.
    """
    mask = np.zeros(frame.data.shape, dtype=bool)
    blocks = lost_blocks(frame)
    if not blocks:
        return mask, ""
    compression = frame.keyword("COMPRSSN", int)
    summing = facts.binning(frame, "SUMMED")
    try:
        found = boxes(blocks, compression, frame.data.shape, summing=summing)
    except ValueError as error:
        raise BadInput(
            "telemetry is missing, and where is not known",
            file=frame.source,
            keyword="COMPRSSN, MISSLIST",
            found=f"{compression}, {frame.header['MISSLIST']!r}: {error}",
            advice="leave the file out, or fetch a later version of it",
        ) from error
    for x0, y0, x1, y1 in found:
        mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
    if facts.orientation(frame).turned:
        mask = mask[::-1, ::-1]
    opposite = mask[::-1, ::-1]
    if _zeros(frame, mask) < 0.1 and _zeros(frame, opposite) > 0.9:
        return (
            opposite,
            "lost telemetry blocks lie turned by 180° against their numbers; the zeros were believed",
        )
    return mask, ""


def _zeros(frame: Frame, mask: NDArray[np.bool_]) -> float:
    return float(np.mean(frame.data[mask] == 0))


def boxes(blocks: list[int], compression: int, shape: tuple[int, ...], *, summing: int) -> list[Box]:
    """Where lost blocks lie, in the orientation of the CCD; parts may lie outside the image.

    Parameters
    ----------
    blocks
        Numbers of the blocks.
    compression
        COMPRSSN: below 89 Rice and H-compress (blocks of 64 × 64), 96 and 97
        ICER in 16 segments, 90 to 95 ICER in 32.
    shape
        (y, x) of the image.
    summing
        CCD pixels along an axis of an image pixel.

    Raises
    ------
    ValueError
        When the layout is not known or a block lies beyond it.
    """
    ny, nx = shape
    border = _ICER_BORDER
    if compression < 89:
        layout, border = _grid(nx // _BLOCK, ny // _BLOCK, _BLOCK, _BLOCK), 0
    elif compression in (96, 97):
        layout = _grid(4, 4, nx // 4, ny // 4)
    elif 90 <= compression <= 95:
        layout = _icer32(summing)
    else:
        raise ValueError("known compressions are 0-88 (Rice, H-compress), 90-95 and 96-97 (ICER)")
    if max(blocks, default=0) >= len(layout):
        raise ValueError(f"the image has {len(layout)} blocks, and number {max(blocks)} is listed")
    chosen = (layout[block] for block in blocks)
    return [(x0 - border, y0 - border, x1 + border, y1 + border) for x0, y0, x1, y1 in chosen]


def _grid(across: int, up: int, width: int, height: int) -> list[Box]:
    return [
        (x * width, y * height, (x + 1) * width, (y + 1) * height) for y in range(up) for x in range(across)
    ]


def _icer32(summing: int) -> list[Box]:
    boxes: list[Box] = []
    for row in range(6):
        edges = _ICER32_LOWER_X if row < 4 else _ICER32_UPPER_X
        y0, y1 = _ICER32_Y[row], _ICER32_Y[row + 1]
        boxes += [(x0 // summing, y0 // summing, x1 // summing, y1 // summing) for x0, x1 in pairwise(edges)]
    return boxes
