"""Pictures of spectra: the curve of values along one axis."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_PAPER: Final = (16, 20, 30)
_INK: Final = (240, 196, 92)
#: Parts of the height that stay free above and below.
_MARGIN: Final = 0.05


def curve(values: NDArray[np.float32], size: int, nothing: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A picture, red, green and blue, of values along one axis; the first row is the upper one.

    Parameters
    ----------
    values
        Of a spectrum; a column of the picture shows all that fall into it, from the lowest to the highest.
    size
        Columns of the picture at most; it is half as high.
    nothing
        Colour of columns without a value.
    """
    width, height = max(2, min(size, len(values))), max(2, size // 2)
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[:] = _PAPER
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        picture[:] = nothing
        return picture
    low, high = float(finite.min()), float(finite.max())
    scale = (1.0 - 2.0 * _MARGIN) * (height - 1) / ((high - low) or 1.0)
    last = None
    for column, part in enumerate(np.array_split(values, width)):
        held = part[np.isfinite(part)]
        if held.size == 0:
            picture[:, column], last = nothing, None
            continue
        reach = held if last is None else np.append(held, last)
        rows = (height - 1) * (1.0 - _MARGIN) - (np.array([reach.max(), reach.min()]) - low) * scale
        upper, lower = (int(row) for row in np.clip(np.rint(rows), 0, height - 1))
        picture[upper : lower + 1, column] = _INK
        last = held[-1]
    return picture
