"""Quality flags: why a pixel's value is not what the detector saw."""

from __future__ import annotations

from enum import IntFlag
from typing import Final

import numpy as np
from numpy.typing import NDArray


class Quality(IntFlag):
    """Bits of the uint16 quality plane; written as the `QUALITY` extension."""

    MISSING = 1
    SATURATED = 2
    COSMIC_RAY = 4
    HOT = 8
    DEAD = 16
    INTERPOLATED = 32
    OUTSIDE_FIELD = 64
    NEGATIVE_CLIPPED = 128
    LOW_CONFIDENCE = 256


#: Bits after which a value is no measurement of the sky: excluded from header statistics.
NOT_MEASURED: Final = Quality.MISSING | Quality.SATURATED | Quality.DEAD | Quality.OUTSIDE_FIELD

#: What SOLARNET calls each kind of loss: ``N<kind>PIX`` counts its pixels, ``PCT_<kind>`` gives their share.
LOSSES: Final[dict[str, Quality]] = {
    "LOST": Quality.MISSING,
    "SAT": Quality.SATURATED,
    "SPIK": Quality.COSMIC_RAY,
    "MASK": Quality.OUTSIDE_FIELD,
    "APRX": Quality.INTERPOLATED,
}


def flagged(quality: NDArray[np.uint16], bits: Quality) -> NDArray[np.bool_]:
    """Where any of `bits` is set; same shape as `quality`."""
    result: NDArray[np.bool_] = (quality & np.uint16(bits)) != 0
    return result


def legend() -> dict[int, str]:
    """Bit value → name, for headers and pages."""
    return {int(flag): str(flag.name) for flag in Quality}
