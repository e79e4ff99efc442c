"""Respiking and its reverse."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.spike_file import Spikes, read_spikes
from pipeline.kernels.fill import fill_gaps
from pipeline.quality import Quality
from pipeline.step import Params, ReferenceNeed, References, step

_NEED: Final = ReferenceNeed(
    "spikes",
    "the spikes file of this very image (JSOC, segment `spikes` of aia.lev1_euv_12s or aia.lev1_uv_24s)",
    per_frame=True,
    # An image without spikes needs none; the step asks for the file when it does.
    optional=True,
)
_COUNT: Final = "NRESPIKE"


class SpikesParams(Params):
    """Parameters of respike and despike.

    Attributes
    ----------
    on_missing
        What to do when a frame has spikes and no spikes file: ``refuse`` it,
        or ``keep`` it as it is and say so in a caveat.
    """

    on_missing: Literal["refuse", "keep"] = "refuse"


@step(
    "respike",
    version=1,
    prstep="REVERSE-DESPIKING",
    instrument="sdo_aia",
    needs=(_NEED,),
    memory_factor=2.5,
)
def respike(frame: Frame, params: SpikesParams, references: References) -> Frame:
    """Put the values back that the despiking of level 1 took out; LVL_NUM becomes 0.5.

    Such pixels are flagged `COSMIC_RAY`: most of them are. An image whose
    header counts no spikes only changes its level. On a cut-out those spikes
    are put back that lie inside it.

    Raises
    ------
    BadInput
        When LVL_NUM is not 1, the frame is not on the detector's grid, or it
        has spikes and no file.
    """
    _require_level(frame, 1.0, "respike")
    count = frame.keyword("NSPIKES", int)
    header = frame.header.copy()
    if count == 0:
        header["LVL_NUM"] = (0.5, "there were no spikes to put back")
        header[_COUNT] = (0, "spikes put back")
        return frame.replace(header=header)
    if _NEED.name not in references:
        return _without_file(frame, params, count, "respike")
    spikes = references[_NEED.name].load(read_spikes)
    rows, columns, inside = spikes.within(frame)
    data, quality = frame.data.copy(), frame.quality.copy()
    data[rows, columns] = spikes.original[inside]
    quality[rows, columns] |= np.uint16(Quality.COSMIC_RAY)
    header["LVL_NUM"] = (0.5, "spikes put back")
    header["NSPIKES"] = (0, "spikes taken out and not put back")
    header[_COUNT] = (len(rows), "spikes put back")
    result = frame.replace(data=data, quality=quality, header=header)
    if count != len(spikes.index) and frame.data.size == 4096 * 4096:
        result = result.with_caveat(
            f"respike: the header counts {count} spikes and the spikes file {len(spikes.index)}"
        )
    return result


@step(
    "despike",
    version=1,
    prstep="DESPIKING",
    instrument="sdo_aia",
    needs=(_NEED,),
    memory_factor=3.5,
)
def despike(frame: Frame, params: SpikesParams, references: References) -> Frame:
    """Take spikes out again: the reverse of `respike`; LVL_NUM becomes 1.

    With a spikes file of three rows the level-1 values come back exactly.
    With one of two rows the pixels are filled from their neighbours and
    flagged `INTERPOLATED`.

    Raises
    ------
    BadInput
        When LVL_NUM is not 0.5, or there is no spikes file.
    """
    _require_level(frame, 0.5, "despike")
    count = frame.keyword(_COUNT, int)
    header = frame.header.copy()
    header["LVL_NUM"] = (1.0, "spikes taken out")
    header.remove(_COUNT)
    if count == 0:
        return frame.replace(header=header)
    if _NEED.name not in references:
        return _without_file(frame, params, count, "despike")
    spikes = references[_NEED.name].load(read_spikes)
    rows, columns, inside = spikes.within(frame)
    header["NSPIKES"] = (len(rows), "spikes taken out")
    quality = frame.quality.copy()
    quality[rows, columns] &= np.uint16(~Quality.COSMIC_RAY & 0xFFFF)
    data = _replaced(frame, spikes, (rows, columns), inside)
    if spikes.replacement is None:
        quality[rows, columns] |= np.uint16(Quality.INTERPOLATED)
    return frame.replace(data=data, quality=quality, header=header)


def _replaced(
    frame: Frame, spikes: Spikes, where: tuple[np.ndarray, np.ndarray], inside: np.ndarray
) -> np.ndarray:
    data = frame.data.copy()
    if spikes.replacement is not None:
        data[where] = spikes.replacement[inside]
        return data
    gaps = np.isnan(data)
    gaps[where] = True
    data[where] = fill_gaps(frame.data, gaps)[where]
    return data


def _require_level(frame: Frame, wanted: float, name: str) -> None:
    level = frame.keyword("LVL_NUM", float)
    if level != wanted:
        raise BadInput(
            f"{name} works on images of level {wanted:g} only",
            file=frame.source,
            keyword="LVL_NUM",
            found=level,
            advice=f"put {name} before register in the recipe, and do it once",
        )


def _without_file(frame: Frame, params: SpikesParams, count: int, name: str) -> Frame:
    if params.on_missing == "keep":
        return frame.with_caveat(f"{name}: left out, because the image has {count} spikes and no spikes file")
    raise BadInput(
        f"the image has {count} spikes and no spikes file",
        file=frame.source,
        keyword="NSPIKES",
        found=count,
        advice=f"{_NEED.describe}; add it with `heliolake context add`, or set {name}.on_missing to keep",
    )
