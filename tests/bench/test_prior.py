"""The trial of the learned core: it is left out and put in, and what is wrong is counted."""

from __future__ import annotations

import numpy as np
import pytest

from bench.psf.learned import learn, population
from bench.psf.prior import Row, table
from pipeline.psf.learned import _directions


def row(learned: bool, taken: str, *errors: float) -> Row:
    return Row("aberrated pupils", learned, taken, errors, 3.0)


def test_what_is_identified_and_what_of_it_is_wrong_is_counted() -> None:
    rows = [
        row(False, "halo", np.nan, np.nan, np.nan),
        row(False, "halo", 1.0, -2.0, 3.0),
        row(True, "learned", -10.4, 4.0, np.nan),
        row(True, "halo", 1.0, -2.0, 3.0),
    ]
    plain, learned = list(table(rows))[2:]
    assert "| 2 | 0 | 1 | 1.0 / 1.0 | 2.0 / 2.0 | 3.0 / 3.0 | 0 | 100 % |" in plain
    assert "| 2 | 1 | 2 |" in learned
    assert learned.endswith("| 1 | 50 % |")


@pytest.mark.slow
def test_what_ships_is_what_is_learned() -> None:
    spline, last = _directions()
    made = learn()
    assert last == made[-1, 0]
    np.testing.assert_allclose(spline(made[:, 0]), made[:, 1:], atol=2e-3)
    assert population()[:, 0] == pytest.approx(1.0)
    assert np.abs(population()).max() <= 1.0 + 1e-9  # no aberration makes light more than it was
