"""The arithmetic of noise: the terms an instrument's noise model is made of, and their sum.

Each function gives one standard deviation, in the unit of the image it is
given. Independent terms are added with `quadrature`. Which constants belong
in them is the instrument's to say, each with its source.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def shot(signal: NDArray[np.float32], per_event: float) -> NDArray[np.float32]:
    """Poisson noise of events that each add the same amount to a pixel: ``√(signal · per_event)``.

    With k events of `per_event` each the signal is ``k·per_event`` and its
    deviation ``√k·per_event``.

    Parameters
    ----------
    signal
        Signal above bias, float32, any shape; negative values count as none.
    per_event
        Signal of one event, in the unit of `signal`: DN per electron for light
        that frees one electron per photon, DN per photon where a photon frees
        many (extreme ultraviolet).
    """
    return np.sqrt(np.maximum(signal, np.float32(0.0)) * np.float32(per_event))


def read(electrons: float, electrons_per_dn: float, reads: float = 1.0) -> float:
    """Read noise in DN: ``electrons/electrons_per_dn · √reads``.

    Parameters
    ----------
    electrons
        Deviation of one read of one pixel of the CCD.
    electrons_per_dn
        Gain of the camera.
    reads
        Reads added to one value: exposures times pixels binned behind the read-out.
    """
    return electrons / electrons_per_dn * math.sqrt(reads)


def quantisation(step: ArrayLike, roundings: float = 1.0) -> NDArray[np.float32]:
    """Rounding to whole multiples of `step`: ``step · √(roundings/12)``, the deviation of a uniform error.

    Parameters
    ----------
    step
        Distance of two values that can be told apart; one number, or one for
        each pixel where the rounding was coarser for larger values.
    roundings
        How many values so rounded were added.
    """
    return np.asarray(np.abs(np.asarray(step, np.float64)) * math.sqrt(roundings / 12.0), np.float32)


def root_compression(signal: NDArray[np.float32], scale: float = 1.0) -> NDArray[np.float32]:
    """Rounding of ``scale · √signal`` to whole numbers, in the unit of the signal: ``2√signal/(scale√12)``.

    A value q that is off by δ gives a signal off by ``2√signal·δ/scale``.
    """
    return quantisation(2.0 / scale * np.sqrt(np.maximum(signal, np.float32(0.0))))


def relative(signal: NDArray[np.float32], fraction: ArrayLike) -> NDArray[np.float32]:
    """A calibration known to a fraction of itself: ``|signal| · fraction``.

    Such an error is common to all pixels; beside the others it tells how far
    a value may be off, not how far two neighbours may differ.
    """
    return np.asarray(np.abs(signal) * np.asarray(fraction, np.float32), np.float32)


def quadrature(*terms: ArrayLike) -> NDArray[np.float32]:
    """The deviation of a sum of independent errors: the root of the sum of their squares.

    Parameters
    ----------
    terms
        Numbers, or arrays that have one shape or can be stretched to it.
    """
    total = np.zeros((), np.float32)
    for term in terms:
        values = np.asarray(term, np.float32)
        total = total + values * values
    return np.asarray(np.sqrt(total), np.float32)


def combined(uncertainty: NDArray[np.float32] | None, *terms: ArrayLike) -> NDArray[np.float32] | None:
    """An image's uncertainty with further independent terms; `None` where it has none to add to."""
    return None if uncertainty is None else quadrature(uncertainty, *terms)
