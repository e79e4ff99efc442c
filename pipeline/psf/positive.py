"""A kernel that leans and is nowhere negative: its odd part is held below the even one, pixel by pixel.

Waves of strong coma and trefoil are linear in what aberrations are not, and dig a crescent where the even
part is faint. A point spread function ``S + D``, even and odd about its middle, is positive where
``|D| < S``. So it is

    S [1 + tanh((D + a ∂S/∂x + b ∂S/∂y) / S)],

which is S + D where D is small. It keeps the light and the mean round every circle about the middle exactly,
for what is added to S stays odd; a and b keep the centroid there, too.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Pixels by which the centroid may be off its place, and rounds in which it is brought there.
_NEAR: Final = 1e-6
_ROUNDS: Final = 40
#: Of the maximum: what is fainter leans nowhere.
_FAINT: Final = 1e-12


def held(even: F64, odd: F64) -> F64:
    """The odd part of a kernel, everywhere less than the even part.

    Parameters
    ----------
    even
        An odd square, not negative, the same when turned by half a turn.
    odd
        What is added to it; of the opposite sign when turned by half a turn, its first moments 0.

    Returns
    -------
    ndarray
        Odd likewise, its sum and its first moments 0.
    """
    there = even > _FAINT * even.max()
    scale = np.where(there, even, 1.0)
    half = even.shape[0] // 2
    places = np.indices(even.shape) - half
    slopes = np.gradient(even)
    wanted = odd
    for _ in range(_ROUNDS):
        share = np.tanh(wanted / scale)
        found = np.where(there, even * share, 0.0)
        away = np.array([float((found * place).sum()) for place in places])
        if np.hypot(*away) < _NEAR * even.sum():
            break
        yields = np.where(there, 1.0 - share**2, 0.0)
        matrix = [[float((yields * slope * place).sum()) for slope in slopes] for place in places]
        up, across = np.linalg.lstsq(np.array(matrix), -away, rcond=None)[0]
        wanted = wanted + up * slopes[0] + across * slopes[1]
    return found
