"""All terms together: the parameters that fit best, and how well they are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pipeline.psf.hankel import Series
from pipeline.psf.model import Bounds, CoreModel, Wing, parameters_of, start_of, transfer
from pipeline.psf.pupil import Opening
from pipeline.psf.terms import Term

F64 = NDArray[np.float64]

#: Of the largest value, added to all errors at first: without it the fit runs away from a poor start.
_STAGES: Final = (0.03, 0.003, 0.0)
_EVALUATIONS: Final = (10, 12, 40)
#: Half width at half maximum of a Gaussian core, times the wavenumber where it falls to 1/e; and by how much
#: (1 σ of a logarithm) a wing may begin within that.
_HALF_WIDTH: Final = 0.265
_INSIDE: Final = 0.1
#: How much worse a model may be that is taken before one at the end of its range.
_STRAINED: Final = 1.1


@dataclass(frozen=True, eq=False)
class Fit:
    """A model of the PSF and its errors.

    Attributes
    ----------
    model
        Of the core.
    parameters
        Those of the PSF, then those of the terms.
    bounds
        What each is.
    covariance
        Of all, times what χ² exceeds 1 by.
    cost
        Half the sum of squares.
    chi2
        Mean square of the residuals of each term.
    transfer
        At the nodes of the series.
    """

    model: CoreModel
    parameters: F64
    bounds: tuple[Bounds, ...]
    covariance: F64
    cost: float
    chi2: tuple[float, ...]
    transfer: F64


class Problem:
    """The terms and the model of the core, as least squares."""

    def __init__(
        self, terms: Sequence[Term], series: Series, model: CoreModel, opening: Opening | None
    ) -> None:
        self.terms, self.model, self.opening = tuple(terms), model, opening
        self.wing = Wing.at(series.nodes)
        self.bounds = (*parameters_of(model, opening), *(one for term in terms for one in term.extra))
        self.near = np.array([one.near for one in self.bounds])
        self.within = np.array([one.within for one in self.bounds])
        self.own = np.cumsum([9, *(len(term.extra) for term in terms)])

    def transfer(self, parameters: F64) -> F64:
        """The transfer function at the nodes of the series."""
        return transfer(parameters, self.wing, self.opening, self.model)

    def parts(self, parameters: F64, loosened: float = 0.0) -> list[F64]:
        """The residuals of each term, those of the priors last."""
        blur = self.transfer(parameters)
        found = [
            term.residuals(blur, parameters[:9], parameters[first:last], loosened)
            for term, first, last in zip(self.terms, self.own[:-1], self.own[1:], strict=True)
        ]
        known = self.within > 0
        near = ((parameters - self.near)[known]) / self.within[known]
        # A wing that is narrower than the core stands in for a peak that no edge tells.
        inside = max(np.log(_HALF_WIDTH) - parameters[0] - parameters[7], 0.0) / _INSIDE
        return [*found, np.append(near, inside)]

    def solve(self, fwhm: float) -> Fit:
        """The best parameters from a first guess of the width."""
        least = np.array([one.least for one in self.bounds])
        most = np.array([one.most for one in self.bounds])
        at = np.concatenate([start_of(self.model, fwhm), *(term.start for term in self.terms)])
        for loosened, evaluations in zip(_STAGES, _EVALUATIONS, strict=True):
            found = least_squares(
                lambda x, extra=loosened: np.concatenate(self.parts(x, extra)),
                np.clip(at, least + 1e-6, most - 1e-6),
                bounds=(least, most),
                x_scale="jac",
                max_nfev=evaluations,
            )
            at = found.x
        chi2 = tuple(float(np.mean(part**2)) for part in self.parts(at)[:-1])
        scale = max(1.0, *chi2)
        covariance = np.linalg.pinv(found.jac.T @ found.jac) * scale
        return Fit(self.model, at, self.bounds, covariance, float(found.cost), chi2, self.transfer(at))


def best(problems: Sequence[Problem], widths: Sequence[float]) -> list[Fit]:
    """The solutions of all problems from all first guesses, the best first.

    A stretched exponential whose exponent lies on its bound stands in for a cut-off that it does not have,
    and its PSF is negative in places: a model as good that has one is taken before it.
    """
    found = [problem.solve(width) for problem in problems for width in widths]
    return sorted(found, key=lambda fit: fit.cost * (_STRAINED if _is_strained(fit) else 1.0))


def _is_strained(fit: Fit) -> bool:
    exponent, bound = fit.parameters[1], fit.bounds[1]
    return fit.model == "stretched" and bound.most - exponent < 1e-3
