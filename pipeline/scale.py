"""From values to colours and back: a ladder of values, and a colour for each of its steps.

What stretches do is all in the ladder: whoever has it draws any part of the image in the same colours, and
need not know how it was made.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Stretch = Literal["linear", "sqrt", "log", "asinh"]

#: Colour of what has no value: red, green and blue. Its number is 0, whatever the scale.
NOTHING: Final = (58, 64, 80)
#: Colours of values, whose numbers go from 1 to 255.
COLOURS: Final = 255
#: The value, as a part of the range, at which a stretch reaches a part of the brightness; log and asinh show
#: a range of about a thousand.
_RISES: Final[Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "linear": lambda parts: parts,
    "sqrt": np.square,
    "log": lambda parts: np.expm1(parts * np.log1p(1000.0)) / 1000.0,
    "asinh": lambda parts: np.sinh(parts * np.arcsinh(30.0)) / 30.0,
}


@dataclass(frozen=True)
class Scale:
    """Which colour a value has.

    Attributes
    ----------
    edges
        254 values, rising: where one colour ends and the next begins.
    colours
        uint8 (256, 3); the first is that of what has no value.
    """

    edges: NDArray[np.float64]
    colours: NDArray[np.uint8]

    def numbers(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Numbers of the colours of values; 0 for what is no number."""
        found = np.searchsorted(self.edges, values, side="right") + 1
        found[~np.isfinite(values)] = 0
        return found.astype(np.uint8)

    def values(self) -> NDArray[np.float64]:
        """A value for each number of a colour, NaN for the first."""
        ends = np.concatenate([self.edges[:1], self.edges, self.edges[-1:]])
        return np.concatenate([[np.nan], 0.5 * (ends[:-1] + ends[1:])])


def scale_of(
    values: NDArray[np.float32],
    colours: NDArray[np.uint8],
    stretch: Stretch,
    percentiles: tuple[float, float],
    *,
    symmetric: bool,
) -> Scale:
    """The scale that shows values well.

    Parameters
    ----------
    values
        Some of the image; what is no number does not count.
    colours
        uint8 (255, 3), the darkest first.
    stretch
        How brightness rises with the value.
    percentiles
        Which values are the darkest and the brightest.
    symmetric
        Zero lies in the middle.
    """
    measured = values[np.isfinite(values)].astype(np.float64)
    # The middles of the steps of brightness between the colours.
    parts = (np.arange(1, COLOURS) - 0.5) / (COLOURS - 1)
    if symmetric:
        most = (float(np.percentile(np.abs(measured), percentiles[1])) if measured.size else 0.0) or 1.0
        away = 2.0 * parts - 1.0
        edges = most * np.sign(away) * _RISES[stretch](np.abs(away))
    else:
        low, high = map(float, np.percentile(measured, percentiles)) if measured.size else (0.0, 1.0)
        if not high > low:
            high = low + max(1.0, abs(low))
        edges = low + (high - low) * _RISES[stretch](parts)
    return Scale(edges, np.vstack([np.array([NOTHING], np.uint8), colours]))


def palette_of(text: str) -> NDArray[np.uint8]:
    """The colours of a scale from the text that `palette_text` made of them."""
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 3)


def palette_text(colours: NDArray[np.uint8]) -> str:
    """The colours of a scale as one word."""
    return base64.b64encode(np.ascontiguousarray(colours).tobytes()).decode("ascii")
