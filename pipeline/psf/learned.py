"""A core that was learned: the directions in which the transfer functions of simulated telescopes differ.

    ln[(C + a) / (1 + a)] = m(x) + Σ sᵢ cᵢ(x),    x = k / k½,

where k½ is the wavenumber of half the height. m and the three cᵢ are the mean and the first principal
components of 900 simulated pupils in motion and of cores without a cut-off, in ``learned.csv``; the scores sᵢ
have the prior of that population, a standard Gaussian each. ``python -m bench.psf.learned`` learns them.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

F64 = NDArray[np.float64]

#: What is added to heights, that they have a logarithm.
ADDED: Final = 0.02
#: A Gaussian that falls to 1/e at 1 is a half here.
_HALF: Final = float(np.sqrt(np.log(2.0)))
#: x from which on the core is brought to nothing: beyond, what was learned is of few.
_LAST: Final = 3.0


def learned(k: F64, lnk0: float, scores: F64) -> F64:
    """The transfer function of the core, 1 at k = 0.

    Parameters
    ----------
    k
        Wavenumbers, cycles per pixel; any shape.
    lnk0
        Logarithm of the wavenumber where a Gaussian that is a half at k½ falls to 1/e.
    scores
        Three, of the learned directions.
    """
    directions, last = _directions()
    x = k / (_HALF * np.exp(lnk0))
    rows = directions(np.minimum(x, last))
    heights = np.exp(rows[..., 0] + rows[..., 1:] @ scores) * (1.0 + ADDED) - ADDED
    found: F64 = heights * np.exp(-(np.maximum(x - _LAST, 0.0) ** 2))
    return found


@lru_cache(maxsize=1)
def _directions() -> tuple[CubicSpline, float]:
    """Mean and components over x, and the largest x."""
    with resources.files("pipeline.psf").joinpath("learned.csv").open(encoding="utf-8") as file:
        x, *rows = np.loadtxt(file, delimiter=",", unpack=True)
    return CubicSpline(x, np.array(rows).T), float(x[-1])
