"""The learned core is a core, and comes near to telescopes it was not learned of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from bench.psf.truth import truth
from pipeline.psf.fit import Problem
from pipeline.psf.hankel import Series
from pipeline.psf.learned import learned
from pipeline.psf.shape import Widths

K = np.linspace(0.0, 0.5, 101)
HALF = np.sqrt(np.log(2.0))


@pytest.mark.parametrize("scores", [(0.0, 0.0, 0.0), (1.5, -1.0, 0.5), (-2.0, 1.0, 1.0)])
def test_it_is_one_at_nought_and_a_half_where_its_width_says(scores: tuple[float, ...]) -> None:
    found = learned(K, np.log(0.12), np.array(scores))
    assert found[0] == pytest.approx(1.0, abs=1e-3)
    assert np.interp(HALF * 0.12, K, found) == pytest.approx(0.5, abs=0.01)
    assert np.abs(found[K > 0.48]).max() < 0.01


def test_scores_have_the_prior_of_what_was_learned() -> None:
    problem = Problem([], Series(400.0), "learned", None)
    scores = [one for one in problem.bounds if one.name in ("s1", "s2", "s3")]
    assert [(one.near, one.within) for one in scores] == [(0.0, 1.0)] * 3


@pytest.mark.parametrize(("kind", "width"), [("pupil", 3.2), ("sharp", 5.0), ("moffat", 5.0), ("gauss", 3.2)])
def test_three_scores_come_near_to_a_telescope_it_was_not_learned_of(kind: str, width: float) -> None:
    one = truth(kind, width, 0.0, seed=91)
    series = Series(150.0)
    widths = Widths(series)

    def off(at: np.ndarray) -> np.ndarray:
        shape = widths(learned(series.nodes, at[0], at[1:]))
        return np.array([*(np.array(shape[:3]) / np.array(one.shape[:3]) - 1.0), *(1e-3 * at[1:])])

    found = least_squares(off, [np.log(0.53 / width), 0.0, 0.0, 0.0]).x
    assert np.abs(off(found)[:3]).max() < 0.01
    assert np.abs(found[1:]).max() < 4.0
