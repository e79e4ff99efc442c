"""A picture of the flags of quality: each pixel in the colour of the gravest flag that falls into it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels.shrink import unions
from pipeline.preview import factors
from pipeline.quality import Quality

#: The gravest first, each with its colour.
COLOURS: Final[tuple[tuple[Quality, str], ...]] = (
    (Quality.MISSING, "#d7263d"),
    (Quality.SATURATED, "#f6c90e"),
    (Quality.DEAD, "#8f2d9f"),
    (Quality.HOT, "#ff7f11"),
    (Quality.COSMIC_RAY, "#2ec4b6"),
    (Quality.OUTSIDE_FIELD, "#5c6b84"),
    (Quality.NEGATIVE_CLIPPED, "#3a86ff"),
    (Quality.INTERPOLATED, "#70e000"),
    (Quality.LOW_CONFIDENCE, "#f7a8d8"),
    (Quality.UNDETERMINED, "#b08968"),
)


def gravest(flags: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """For each pixel the number of its gravest flag in `COLOURS`, from 1; 0 where there is none."""
    found = np.zeros(flags.shape, np.uint8)
    for number, (flag, _) in reversed(list(enumerate(COLOURS, start=1))):
        found[flags & np.uint16(flag) != 0] = number
    return found


def flag_numbers(flags: NDArray[np.uint16], size: int) -> NDArray[np.uint8]:
    """The same of a picture of `size` pixels at most, in which a single flagged pixel is still seen."""
    return gravest(unions(flags, *factors(flags.shape, size)))


def palette() -> NDArray[np.uint8]:
    """Red, green and blue of each number; the first is that of no flag."""
    return np.array([(0, 0, 0), *(tuple(bytes.fromhex(colour[1:])) for _, colour in COLOURS)], np.uint8)


def legend(flags: NDArray[np.uint16]) -> list[dict[str, Any]]:
    """What each number of a picture says, and how many pixels have the flag, none included."""
    return [
        {
            "number": number,
            "bit": int(flag),
            "name": str(flag.name).lower().replace("_", " "),
            "colour": colour,
            "pixels": int(np.count_nonzero(flags & np.uint16(flag))),
        }
        for number, (flag, colour) in enumerate(COLOURS, start=1)
    ]
