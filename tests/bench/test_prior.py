"""The trial of a learned core: what it is compared with stays what it was, and what is wrong is counted."""

from __future__ import annotations

import numpy as np
import pytest

from bench.psf.learned import core, population
from bench.psf.prior import Row, one_more_core, table
from pipeline.psf import estimate, model
from pipeline.psf.fit import Problem
from pipeline.psf.hankel import Series


def row(learned: bool, taken: str, *errors: float) -> Row:
    return Row("pupils", "lyman", "occulter", False, learned, taken, 1.0, errors, 3.0)


def test_what_is_identified_and_what_of_it_is_wrong_is_counted() -> None:
    refused = (np.nan, np.nan, np.nan)
    rows = [
        row(False, "halo", *refused),
        row(False, "halo", 1.0, -2.0, 3.0),
        row(True, "learned", -10.4, 4.0, np.nan),
        row(True, "halo", 1.0, -2.0, 3.0),
    ]
    plain, learned = list(table(rows))[2:]
    assert "| 2 | – | 1 | 1.0 / 1.0 | 2.0 / 2.0 | 3.0 / 3.0 | 0 | 100 % |" in plain
    assert "| 2 | 1 | 2 |" in learned
    assert learned.endswith("| 1 | 50 % |")


@pytest.mark.slow
def test_a_learned_core_is_one_more_while_it_is_tried_and_finds_what_it_learned() -> None:
    before = model.core, vars(estimate)["UNKNOWN_APERTURE"]
    with one_more_core():
        assert vars(estimate)["UNKNOWN_APERTURE"][-1] == "learned"
        problem = Problem([], Series(400.0), "learned", None)  # type: ignore[arg-type]
        parameters = np.array([one.near for one in problem.bounds])
        parameters[0] = np.log(0.12)  # a Gaussian's: a half at 0.0999 cycles per pixel
        found = problem.transfer(parameters)
        assert found[0] == pytest.approx(1.0, abs=1e-3)
        assert np.interp(0.0999, problem.wing.k, found) == pytest.approx(0.5, abs=0.01)
    assert (model.core, vars(estimate)["UNKNOWN_APERTURE"]) == before


@pytest.mark.slow
def test_a_learned_core_behind_an_aperture_ends_where_that_ends() -> None:
    k = np.linspace(0.0, 0.5, 51)
    found = core(k, 5.0, np.zeros(3), 4.0)
    assert found[0] == pytest.approx(1.0, abs=1e-2)
    assert np.abs(found[k > 0.25]).max() == 0.0
    assert population()[:, 0] == pytest.approx(1.0)
    assert np.abs(population()).max() <= 1.0 + 1e-9  # no aberration makes light more than it was
