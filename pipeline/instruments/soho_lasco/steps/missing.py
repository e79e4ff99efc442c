"""Steps 4 and 5: blocks that telemetry lost, named and, where C3 allows it, filled (kis_lasco.md §1.6)."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import blocks, facts
from pipeline.instruments.soho_lasco.calibration_file import fitted, told
from pipeline.instruments.soho_lasco.tables import BLOCK
from pipeline.kernels.harmonic import harmonic_fill
from pipeline.kernels.masks import whole_blocks, without
from pipeline.quality import Quality, flagged
from pipeline.step import Params, ReferenceNeed, References, step

#: Blocks around a zone that a filling looks at.
_RIM: Final = 1


class MissingParams(Params):
    """`missing_blocks` has nothing to choose."""


class FillParams(Params):
    """How `fill_blocks` fills.

    Attributes
    ----------
    background_share
        [1] Part of the three months' background that is taken off before the rest is filled; the mission's
        programs leave a fifth so that hardly a pixel falls below zero.
    """

    background_share: float = Field(default=0.8, ge=0, le=1)


@step(
    "missing_blocks",
    version=1,
    prstep="PIXEL-FILLING",
    instrument="soho_lasco",
    takes=("DN/s",),
    memory_factor=3.0,
)
def missing_blocks(frame: Frame, params: MissingParams, references: References) -> Frame:
    """Make NaN of blocks that did not come; name the lost ones in NMISSING and MISSLIST like the mission."""
    nothing = Quality.MISSING | Quality.OUTSIDE_FIELD
    lost = _lost(frame)
    number = int(np.count_nonzero(lost))
    header = frame.header.copy()
    header["NMISSING"] = (number, "Number of missing blocks.")
    header["N_MISSIN"] = (float(number), "Number of missing blocks (1 block=32x32 pix)")
    readout = facts.readout(frame)
    if readout.detector == "C2":
        header["MISSLIST"] = blocks.listed_c2(lost, readout)
    else:
        header["MISSLIST"] = blocks.listed_c3(lost)
        if number:
            header.add_comment("MISSLIST is base-32 rep of missing blocks; use strmap2mb.pro.")
    if not np.bitwise_or.reduce(frame.quality, axis=None) & nothing:
        return frame.replace(header=header)
    made = frame.replace(data=without(frame.data, frame.quality, nothing), header=header)
    if not number:
        return made
    share = 100.0 * number * BLOCK**2 / frame.data.size
    plural = "" if number == 1 else "s"
    return made.with_caveat(
        f"{number} block{plural} of telemetry did not reach the ground ({share:.1f} % of the image)"
    )


@step(
    "fill_blocks",
    version=1,
    prstep="PIXEL-FILLING",
    instrument="soho_lasco",
    takes=("DN/s",),
    memory_factor=5.0,
    needs=(
        ReferenceNeed(
            "background",
            "3m_clcl_all.fts of the mission's calibration folder: three months of C3 Clear images, in DN",
            optional=True,
        ),
    ),
)
def fill_blocks(frame: Frame, params: FillParams, references: References) -> Frame:
    """Fill lost blocks of C3 Clear images: the background, and the smoothest surface through what exceeds it.

    Stands for FUZZY_IMAGE.PRO and keeps its rules: a zone of more than 16 blocks, or one at the edge, leaves
    all lost blocks masked; above 100 in a zone nothing is tried. Zones are the mission's
    (get_miss_blocks.pro). A zone that holds more lost pixels than others is not filled. Filled pixels are
    `INTERPOLATED` and of `LOW_CONFIDENCE`.
    """
    if facts.detector(frame) != "C3" or facts.colour(frame) != "CLEAR":
        return frame
    lost = _lost(frame)
    if not lost.any():
        return frame
    header = frame.header.copy()
    frame = frame.replace(header=header)
    verdict = judged(lost)
    if verdict.too_many:
        header.add_comment("Missing blocks masked if GT 16 in a zone OR occurs on an edge.")
        if verdict.largest > blocks.MOST_FILLED:
            facts.history(header, "GT 100 missing blocks in zone--missing blocks not replaced.")
        return frame.with_caveat(
            "lost blocks were not filled but left without values: a zone of them is "
            + (
                "at the edge of the image"
                if verdict.largest <= blocks.MOST_IN_ZONE
                else f"{verdict.largest} large"
            ),
            mode="NOT-FILLED",
        )
    if "background" not in references:
        return frame.with_caveat(
            "lost blocks were left without values: no background of three months was at hand",
            mode="NOT-FILLED",
        )
    values, image = fitted(references["background"], frame)
    background = np.float32(params.background_share / image.exposure) * values
    filled = _filled(frame, lost, background)
    data = np.where(np.isnan(filled), frame.data, filled)
    done = np.isfinite(filled) & flagged(frame.quality, Quality.MISSING)
    quality = frame.quality.copy()
    quality[done] &= np.uint16(~Quality.MISSING & 0xFFFF)
    quality[done] |= np.uint16(Quality.INTERPOLATED | Quality.LOW_CONFIDENCE)
    facts.history(
        header,
        "Replaced missing blocks by background and harmonic surface (in place of FUZZY_IMAGE.PRO).",
    )
    made = frame.replace(data=data, quality=quality).with_caveat(
        "lost blocks were filled by the smoothest surface over the background; what was there is not known"
    )
    return told(made, references["background"], simulated=image.simulated)


class Verdict(NamedTuple):
    """Of zones of lost blocks: blocks in the largest, and whether all lost blocks are to stay masked."""

    largest: int
    too_many: bool


def judged(lost: NDArray[np.bool_]) -> Verdict:
    """What the mission's program says of zones of lost blocks (fuzzy_image.pro, TOO_MANY)."""
    found = list(blocks.zones(lost))
    largest = max((int(np.count_nonzero(zone)) for zone in found), default=0)
    return Verdict(largest, largest > blocks.MOST_IN_ZONE or any(map(blocks.touches_edge, found)))


def _lost(frame: Frame) -> NDArray[np.bool_]:
    """Blocks that `prepare` flagged as lost; shape (rows, columns)."""
    return whole_blocks(frame.quality, Quality.MISSING, BLOCK)


def _filled(frame: Frame, lost: NDArray[np.bool_], background: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values of the pixels of lost blocks; NaN elsewhere, and in zones with more lost pixels than others."""
    result = np.full(frame.data.shape, np.nan, dtype=np.float32)
    unsent = flagged(frame.quality, Quality.OUTSIDE_FIELD)
    for zone in blocks.zones(lost):
        rows, columns = (np.flatnonzero(zone.any(axis=axis)) for axis in (1, 0))
        part = _around(rows), _around(columns)
        gap = blocks.pixels(lost, frame.data.shape)[part]
        blind = unsent[part] | (np.isnan(frame.data[part]) & ~gap)
        if np.count_nonzero(gap) >= np.count_nonzero(~gap & ~blind):
            continue
        excess = np.maximum(np.nan_to_num(frame.data[part]) - background[part], np.float32(0.0))
        made = harmonic_fill(excess, gap, blind) + background[part]
        result[part] = np.where(gap, made, result[part])
    return result


def _around(places: NDArray[np.intp]) -> slice:
    """Pixels of blocks along one axis, and of those beside them."""
    return slice(max(int(places[0]) - _RIM, 0) * BLOCK, (int(places[-1]) + 1 + _RIM) * BLOCK)
