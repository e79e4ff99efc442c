"""Which unknowns the profiles determine, and which only their bounds or their fellows do.

In a thin slab the source function and the optical depth make up for one another; a fit ends somewhere in
the valley of both, and what it ends at is no measurement. An unknown is undetermined that

- stands at one of its bounds,
- has an error above that of a guess, a value drawn evenly from between its bounds: that is their distance
  over √12,
- has an error `SHARED` times that which it had were all others known, and above `COARSE` of that of a
  guess: the valley is curved, and its errors hold for small steps alone,
- or is correlated with such a one so much that each alone makes the other's error `SHARED` times as large.

Errors are those of noise with all unknowns free, those at bounds included: held there, one would hide that
another is not known.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion.forms import AZIMUTH, Limits

F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]

#: Error over that which an unknown has were all others known, from which on it is shared with others.
SHARED: Final = 10.0
#: Part of a guess' error that such an error exceeds: below, much is known even so.
COARSE: Final = 0.1
#: Added to correlations of an unknown with itself, so that those without any influence can be inverted.
_RIDGE: Final = 1e-12
_LEAST: Final = 1e-300


def at_bounds(unknowns: F64, limits: Limits) -> BOOL:
    """Which free unknowns stand at a bound, shape (pixels, unknowns)."""
    ends = (unknowns <= limits.lower) | (unknowns >= limits.upper)
    return np.asarray(ends & ~limits.fixed)


def undetermined(unknowns: F64, limits: Limits, covariance: F64) -> BOOL:
    """Which free unknowns are not determined, shape (pixels, unknowns).

    Parameters
    ----------
    unknowns
        As fits left them; NaN where there was none.
    limits
        Of the fits.
    covariance
        Of the unknowns, with those at bounds free; 0 for what was fixed.
    """
    free = np.flatnonzero(~limits.fixed)
    found = at_bounds(unknowns, limits)
    fitted = np.flatnonzero(np.isfinite(unknowns).all(axis=1))
    known = covariance[fitted][:, free[:, None], free]
    sigma = np.sqrt(np.maximum(np.einsum("ijj->ij", known), _LEAST))
    width = np.where(np.arange(len(limits.lower)) == AZIMUTH, np.pi, limits.upper - limits.lower)
    guess = width[free] / np.sqrt(12.0)
    correlation = known / sigma[:, :, None] / sigma[:, None, :]
    alone = found[fitted[:, None], free] | (sigma > guess)
    alone |= (_shares(correlation) > SHARED) & (sigma > COARSE * guess)
    tied = correlation**2 > 1.0 - SHARED**-2
    found[fitted[:, None], free] = alone | (tied & alone[:, None, :]).any(axis=2)
    return found


def _shares(correlation: F64) -> F64:
    """Errors over those which unknowns had were all others known."""
    inverse = np.linalg.inv(correlation + _RIDGE * np.eye(correlation.shape[1]))
    return np.asarray(np.sqrt(np.abs(np.einsum("ijj->ij", inverse))))
