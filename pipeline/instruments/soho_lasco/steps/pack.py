"""An option: the values that the mission's 16-bit files of C3 Clear hold."""

from __future__ import annotations

import numpy as np

from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import facts, packing, tables
from pipeline.quality import Quality
from pipeline.step import Params, References, step
from pipeline.uncertainty import approximate


class PackParams(Params):
    """`pack` has nothing to choose."""


@step(
    "pack",
    version=1,
    prstep="ROUNDING,FLOORING,CEILING",
    instrument="soho_lasco",
    takes=("MSB",),
    memory_factor=4.0,
    uncertainty=approximate("that of the image; rounding to a step of 1e-13 MSB is left out"),
)
def pack(frame: Frame, params: PackParams, references: References) -> Frame:
    """Give C3 Clear images the values they have in the mission's files: 65536 steps over 0 to 6.5e-9 MSB.

    What lies below is `NEGATIVE_CLIPPED`, what lies above `SATURATED`. `packing.packed_hdu` writes the
    numbers.
    """
    if facts.detector(frame) != "C3" or facts.colour(frame) != "CLEAR":
        return frame
    data = packing.unpacked(packing.packed(frame.data))
    quality = frame.quality.copy()
    quality[frame.data < 0] |= np.uint16(Quality.NEGATIVE_CLIPPED)
    quality[frame.data > tables.PACKED_LARGEST] |= np.uint16(Quality.SATURATED)
    header = frame.header.copy()
    header["PACKSCAL"] = (packing.BSCALE, "[MSB] step that values were rounded to")
    header["PACKZERO"] = (packing.BZERO, "[MSB] value of the stored number 0")
    header.add_comment(f"Data is scaled between 0 and {tables.PACKED_LARGEST:g}")
    header.add_comment("Percentile values are before scaling.")
    return frame.replace(data=data, quality=quality, header=header)
