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
    UNDETERMINED = 512


#: Bits after which a value is no measurement of the sky: excluded from header statistics.
NOT_MEASURED: Final = Quality.MISSING | Quality.SATURATED | Quality.DEAD | Quality.OUTSIDE_FIELD

#: Pixels that could never be used; SOLARNET's NTOTPIX leaves them out.
MASKED: Final = Quality.HOT | Quality.DEAD | Quality.OUTSIDE_FIELD
#: SOLARNET's classes of pixels (recommendations, section 5.6.1): the card that counts one, the card with its
#: percentage, and its flags.
CLASSES: Final[tuple[tuple[str, str, Quality], ...]] = (
    ("NLOSTPIX", "PCT_LOST", Quality.MISSING),
    ("NSATPIX", "PCT_SATP", Quality.SATURATED),
    ("NSPIKPIX", "PCT_SPIK", Quality.COSMIC_RAY),
    ("NMASKPIX", "PCT_MASK", MASKED),
    ("NAPRXPIX", "PCT_APRX", Quality.INTERPOLATED),
)
#: Pixels that its NDATAPIX, the usable ones, leaves out.
UNUSABLE: Final = MASKED | Quality.MISSING | Quality.SATURATED | Quality.COSMIC_RAY


def flagged(quality: NDArray[np.uint16], bits: Quality) -> NDArray[np.bool_]:
    """Where any of `bits` is set; same shape as `quality`."""
    result: NDArray[np.bool_] = (quality & np.uint16(bits)) != 0
    return result


def legend() -> dict[int, str]:
    """Bit value → name, for headers and pages."""
    return {int(flag): str(flag.name) for flag in Quality}
