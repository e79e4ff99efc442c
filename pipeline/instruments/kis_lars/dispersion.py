"""The wavelengths of the pixels: a polynomial through the lines of the comb."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

from pipeline.instruments.kis_lars.comb import Comb, CombLines, NoComb
from pipeline.instruments.kis_lars.facts import F64, LIGHT

#: Lines that lie farther off than this many standard deviations are left out.
_CLIP: Final = 4.5
_TURNS: Final = 4
#: Lines beyond the number of coefficients that a solution needs.
_SPARE: Final = 5


class Solution(NamedTuple):
    """Vacuum wavelengths of the pixels of one exposure of the comb.

    Attributes
    ----------
    coefficients
        Of Chebyshev polynomials of the place on the detector from -1 to 1, Å.
    residual
        What the lines leave, root mean square, m/s.
    error
        One standard deviation of the solution in the middle of the detector, m/s.
    lines
        How many were used.
    width
        Full width at half maximum of a line, pixels, median.
    """

    coefficients: F64
    residual: float
    error: float
    lines: int
    width: float


def solve(lines: CombLines, comb: Comb, length: int, order: int) -> Solution:
    """A polynomial through the lines of an exposure.

    Parameters
    ----------
    lines
        As measured.
    comb
        Its frequencies.
    length
        Pixels of the detector.
    order
        Of the polynomial.

    Raises
    ------
    NoComb
        When there are too few lines.
    """
    place, wanted = on_detector(lines.position, length), comb.wavelength(lines.mode)
    middle = float(np.median(wanted))
    step = np.gradient(wanted, lines.position) if len(wanted) > 1 else np.ones(len(wanted))
    sigma = np.maximum(lines.error * np.abs(step), 1e-12)
    basis = chebyshev.chebvander(place, order)
    used = np.ones(len(place), dtype=bool)
    for _ in range(_TURNS):
        if np.count_nonzero(used) < order + 1 + _SPARE:
            raise NoComb(
                f"it has {np.count_nonzero(used)} usable lines; a polynomial of order {order} needs "
                f"{order + 1 + _SPARE}"
            )
        weighted = basis[used] / sigma[used, None]
        found, *_ = np.linalg.lstsq(weighted, (wanted[used] - middle) / sigma[used], rcond=None)
        left = wanted - middle - basis @ found
        freedom = np.count_nonzero(used) - order - 1
        scale = float(np.sqrt(np.sum((left[used] / sigma[used]) ** 2) / freedom))
        keep = np.abs(left) < _CLIP * max(scale, 1e-12) * sigma
        if (keep == used).all():
            break
        used = keep
    covariance = np.linalg.inv(weighted.T @ weighted) * max(scale, 1.0) ** 2
    centre = chebyshev.chebvander(np.zeros(1), order)[0]
    found = found.copy()
    found[0] += middle
    speed = LIGHT / middle
    return Solution(
        coefficients=found,
        residual=float(np.sqrt(np.mean(left[used] ** 2))) * speed,
        error=float(np.sqrt(centre @ covariance @ centre)) * speed,
        lines=int(np.count_nonzero(used)),
        width=float(np.median(lines.width[used])),
    )


def on_detector(pixel: F64, length: int) -> F64:
    """Places from -1 to 1 of pixels counted from 0."""
    return np.asarray(2.0 * pixel / (length - 1) - 1.0)


def wavelengths(coefficients: F64, length: int) -> F64:
    """Vacuum wavelengths of all pixels, Å."""
    place = on_detector(np.arange(length, dtype=np.float64), length)
    return np.asarray(chebyshev.chebval(place, coefficients))


def drift(first: Solution, second: Solution) -> float:
    """How far the middle of the detector moved from one comb to another, m/s."""
    one, other = (float(chebyshev.chebval(0.0, solution.coefficients)) for solution in (first, second))
    return LIGHT * (other / one - 1.0)
