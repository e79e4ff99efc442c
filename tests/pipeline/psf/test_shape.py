"""How wide a PSF is, and how far its widths move with light that may lie elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.psf.hankel import Series
from pipeline.psf.shape import Widths

SERIES = Series(150.0)
WIDTHS = Widths(SERIES)
SIGMA = 2.0


def gauss(sigma: float) -> NDArray[np.float64]:
    """Its transfer function."""
    made: NDArray[np.float64] = np.exp(-2.0 * (np.pi * sigma * SERIES.nodes) ** 2)
    return made


def within(share: float) -> float:
    """The radius that holds a share of a Gaussian's light."""
    return SIGMA * float(np.sqrt(-2.0 * np.log(1.0 - share)))


def test_a_gaussian_is_as_wide_as_it_was_made() -> None:
    found = WIDTHS(gauss(SIGMA))
    assert found.fwhm == pytest.approx(2.0 * SIGMA * np.sqrt(2.0 * np.log(2.0)), rel=0.01)
    assert found[1:] == pytest.approx([within(0.5), within(0.8), within(0.95)], rel=0.01)


def test_widths_move_with_light_as_far_as_little_lies_there() -> None:
    wanted = [0.5 * (within(one + 0.02) - within(one - 0.02)) / within(one) for one in (0.5, 0.8)]
    assert WIDTHS.moved_by(gauss(SIGMA), 0.02) == pytest.approx(wanted, rel=0.02)
    # Of this one, a fifth lies in a wing far out: the eightieth hundredth is where next to nothing does.
    core, wing = gauss(SIGMA), gauss(12.0 * SIGMA)
    assert WIDTHS.moved_by(0.8 * core + 0.2 * wing, 0.02)[1] > 5.0 * wanted[1]
