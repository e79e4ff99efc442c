"""Step 1: level-0.5 images as the program on board meant them: no wrapped numbers, lost blocks marked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import blocks, facts, tables
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceNeed, References, step

#: What a number that ran over 16 bits is too small by (fixwrap.pro).
_WRAP: Final = np.float32(65535.0)
#: Smallest image the mission's program takes.
_FEWEST: Final = 128 * 128


class PrepareParams(Params):
    """`prepare` has nothing to choose."""


@step(
    "prepare",
    version=1,
    prstep="TELEMETRY-PARSING",
    instrument="soho_lasco",
    gives="DN",
    memory_factor=4.0,
    needs=(
        ReferenceNeed(
            "null_blocks",
            "c2nullblocks.txt of the mission's calibration folder: blocks of C2 that are never sent",
            optional=True,
        ),
    ),
)
def prepare(frame: Frame, params: PrepareParams, references: References) -> Frame:
    """Undo numbers that ran over 16 bits; flag what is saturated, was lost, or is never sent.

    Lost blocks are `MISSING`; blocks behind the occulter and in corners that are never sent are
    `OUTSIDE_FIELD`.
    """
    facts.detector(frame)
    if frame.data.size < _FEWEST or not (frame.data > 0).any():
        raise BadInput(
            "the image is zero throughout"
            if frame.data.size >= _FEWEST
            else "the image is too small for level 1",
            file=frame.source,
            keyword="NAXIS1, NAXIS2, DATAMAX",
            found=f"{frame.data.shape[1]} × {frame.data.shape[0]}, largest value {frame.data.max():g}",
            advice="leave the file out: nothing of it reached the ground",
        )
    readout = facts.readout(frame)
    data = unwrapped(frame.data) if readout.summed > 1 else frame.data
    never, absent = blocks.never_sent(readout, _listed(references)), ~blocks.arrived(data)
    quality = frame.quality.copy()
    blocks.flag(quality, absent & ~never, Quality.MISSING)
    # A block that is never sent as a rule holds values all the same when it was.
    blocks.flag(quality, absent & never, Quality.OUTSIDE_FIELD)
    full = data >= _largest(readout)
    if full.any():
        quality[full] |= np.uint16(Quality.SATURATED)
    header = frame.header.copy()
    _clean_history(header)
    return frame.replace(data=data, quality=quality, header=header)


def unwrapped(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Numbers below zero with 65535 added, twice where need be; the very array where there is none."""
    if not (image < 0).any():
        return image
    result = image
    for _ in range(2):
        result = np.where(result < 0, result + _WRAP, result)
    return result


def _largest(readout: facts.Readout) -> np.float32:
    """What a full pixel reads: charge added on the chip is converted once, numbers are added on board."""
    return np.float32(tables.LARGEST_NUMBER * readout.leb[0] * readout.leb[1])


def read_null_blocks(path: str) -> frozenset[int]:
    """Numbers of blocks, divided by blanks."""
    return frozenset(map(int, re.findall(r"\d+", Path(path).read_text(encoding="ascii", errors="replace"))))


def _listed(references: References) -> frozenset[int] | None:
    return references["null_blocks"].load(read_null_blocks) if "null_blocks" in references else None


def _clean_history(header: fits.Header) -> None:
    """Keep the history but for the bias of level 0.5, which is another; tabs are no FITS."""
    lines = [str(card.value) for card in header.cards if card.keyword == "HISTORY"]
    header.remove("HISTORY", ignore_missing=True, remove_all=True)
    for line in lines:
        if len(line) > 2 and "bias" not in line:
            facts.history(header, re.sub(r"[^\x20-\x7e]", " ", line))
