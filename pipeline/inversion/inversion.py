"""Inversion of many pixels by a model: starts from libraries, fits, restarts of what failed, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.inversion.forms import LIGHT, Limits, Observed
from pipeline.inversion.identification import at_bounds, undetermined
from pipeline.inversion.kernel import kernels
from pipeline.inversion.library import Library
from pipeline.inversion.model import Model, Parameter, Ranges

F64 = NDArray[np.float64]

#: Filling factors that fits of one library after the other begin with.
_FILLINGS: Final = (0.7, 0.25, 0.9, 0.12)

#: Pixels whose derivatives are held at once.
_AT_ONCE: Final = 256


class Starter(Protocol):
    """What says where fits begin."""

    def starts(self, profiles: NDArray[np.float32]) -> F64:
        """Unknowns for profiles, shape (pixels, 4, wavelengths)."""


@dataclass(frozen=True)
class Result:
    """What was found; one row a pixel, NaN where nothing could be.

    Attributes
    ----------
    parameters
        In the order and units of the model's, shape (pixels, parameters), S₀ and S₁ in units of the profiles;
        what is no unknown (a filling factor) is 1.
    errors
        One standard deviation of each, from the curvature at the minimum and the noise; 0 for what was fixed,
        NaN for what stands at a bound, where the curvature says nothing.
    undetermined
        Which parameters the profiles do not determine (`pipeline.inversion.identification`).
    chi2
        Sum of squared residuals over what noise leaves of it: over degrees of freedom.
    evaluations
        Of the last fit; 0 where none was made.
    converged
        Whether the fit ended by itself.
    starts
        How many starts were made.
    unknowns
        As the kernels have them (`pipeline.inversion.forms`), for synthesis.
    covariance
        Of the unknowns; 0 for what was fixed or held by a bound.
    """

    parameters: F64
    errors: F64
    undetermined: NDArray[np.bool_]
    chi2: F64
    evaluations: NDArray[np.int64]
    converged: NDArray[np.bool_]
    starts: NDArray[np.int64]
    unknowns: F64
    covariance: F64


@dataclass(frozen=True, eq=False)
class Inversion:
    """Inverts profiles of one model.

    Attributes
    ----------
    model
        The forward problem: an atmosphere, or a slab.
    weights
        1/σ of I, of Q and U, and of V: one number, three, or three for each wavelength.
    emphasis
        How much I, Q and U, and V count in the fit beside that. Errors are those that noise makes then, and
        χ² is over what noise gives, so that both mean what they mean without.
    ranges
        Of the library's profiles; the model's own when not given.
    library
        How many profiles it has.
    restarts
        From how many further libraries fits are begun again that end above `restart_above`.
    restart_above
        Value of χ² above which a fit is held for failed.
    bounds
        Parameter → least and greatest value, where these are not the usual ones.
    fixed
        Parameter → value it is held at.
    evaluations
        Greatest number in one fit.
    seed
        Of the libraries.
    first
        Gives where fits begin at first; a library when not given. Restarts are from libraries.
    """

    model: Model
    weights: ArrayLike = 1e3
    emphasis: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ranges: Ranges | None = None
    library: int = 1000
    restarts: int = 3
    restart_above: float = 1.3
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    evaluations: int = 50
    seed: int = 1
    first: Starter | None = None

    @cached_property
    def _observed(self) -> Observed:
        given = np.asarray(self.weights, np.float64)
        factor = np.asarray(self.emphasis)
        return self.model.observed(given * (factor[:, None] if given.ndim > 1 else factor))

    @cached_property
    def _libraries(self) -> list[Library]:
        return []

    def _library(self, number: int) -> Library:
        while len(self._libraries) <= number:
            count = self.model.wavelengths.size
            self._libraries.append(
                Library(
                    self.model,
                    self._observed.weights[:, :count],
                    self.ranges or self.model.ranges,
                    size=self.library,
                    seed=self.seed + len(self._libraries),
                    filling=_FILLINGS[len(self._libraries) % len(_FILLINGS)],
                )
            )
        return self._libraries[number]

    @cached_property
    def limits(self) -> Limits:
        """Bounds and steps for the kernel."""
        count = self.model.unknowns
        lower, upper = np.full(count, -np.inf), np.full(count, np.inf)
        steps, fixed = np.zeros(count), np.zeros(count, bool)
        for name, one in self.model.parameters.items():
            if one.place >= count:
                continue
            steps[one.place] = one.step
            if name != "azimuth":
                low, high = self.bounds.get(name, one.bounds)
                lower[one.place], upper[one.place] = self._unknown(name, low), self._unknown(name, high)
            if name in self.fixed:
                fixed[one.place] = True
                lower[one.place] = upper[one.place] = self._unknown(name, self.fixed[name])
        return Limits(fixed, lower, upper, steps, self.evaluations)

    def _unknown(self, name: str, value: float) -> float:
        one = self.model.parameters[name]
        if name == "width":
            value = value * self.model.atoms.reference / LIGHT
        return float(np.log(value)) if one.logarithm else float(value) / _factor(name, one)

    @property
    def freedom(self) -> int:
        """Measured values less unknowns."""
        weights = self._observed.weights
        values = np.count_nonzero(weights) + np.count_nonzero(weights[1])
        return max(1, int(values) - self.model.unknowns + int(self.limits.fixed.sum()))

    @cached_property
    def _expected(self) -> float:
        """What noise leaves of the sum of squares: degrees of freedom times the mean emphasis squared."""
        counts = np.count_nonzero(self._observed.weights, axis=1) * np.array([1, 2, 1])
        mean = counts @ np.square(self.emphasis) / max(int(counts.sum()), 1)
        return self.freedom * float(mean)

    def __call__(self, profiles: NDArray[Any]) -> Result:
        """Invert profiles, shape (pixels, 4, wavelengths), with continua near one.

        Pixels with a value that is not finite are left out.
        """
        count, unknowns = len(profiles), self.model.unknowns
        data = self._padded(profiles)
        whole = np.flatnonzero(np.isfinite(data.reshape(count, -1).sum(axis=1)))
        found = np.full((count, unknowns), np.nan)
        squares, used = np.full(count, np.nan), np.zeros(count, np.int64)
        covariance = np.full((count, 2, unknowns, unknowns), np.nan)
        starts = np.zeros(count, np.int64)
        left, highest = whole, self.restart_above * self._expected
        for number in range(self.restarts + 1):
            if not left.size:
                break
            tried = self._fitted(data[left], number)
            starts[left] += 1
            better = ~(tried[1] >= squares[left])
            into = left[better]
            found[into], squares[into], used[into], covariance[into] = (one[better] for one in tried)
            left = left[squares[left] > highest]
        return self._result(found, squares, used, covariance, starts)

    def _fitted(self, data: NDArray[Any], number: int) -> tuple[F64, F64, NDArray[np.int64], F64]:
        """Unknowns, sums of squares, evaluations and both covariances of fits from one library."""
        size = self.model.wavelengths.size
        source = self.first if self.first is not None and number == 0 else self._library(number)
        p = source.starts(data[:, :, :size].astype(np.float32, copy=False))
        limits, count = self.limits, len(p)
        np.clip(p, limits.lower, limits.upper, out=p)
        squares, used = np.empty(count), np.empty(count, np.int64)
        covariance = np.empty((count, 2, p.shape[1], p.shape[1]))
        kernels(self.model.form).fit(
            data, p, self.model.atoms, self._observed, limits, squares, used, covariance
        )
        if len(set(self.emphasis)) > 1 or self.emphasis[0] != 1.0:
            covariance = self._of_noise(p, covariance)
        for one in (0, 1):
            covariance[:, one] = self.model.settled(p, limits, covariance[:, one])
        return p, squares, used, covariance

    def _of_noise(self, p: F64, curved: F64) -> F64:
        """Covariances that noise makes of a fit that weighs otherwise than noise does: C Jᵀ W E² W J C."""
        count = self.model.wavelengths.size
        squared = np.square(np.asarray(self.emphasis))[:, None] * self._observed.weights[:, :count] ** 2
        weight = np.sqrt(squared[[0, 1, 1, 2]])
        made = np.empty_like(curved)
        for first in range(0, len(p), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            _, slopes = self.model.slopes(p[some])
            rows = (slopes * weight).reshape(*slopes.shape[:2], -1).astype(np.float64)
            made[some] = curved[some] @ (rows @ rows.swapaxes(1, 2))[:, None] @ curved[some]
        return made

    def _padded(self, profiles: NDArray[Any]) -> NDArray[Any]:
        """The profiles in the kernels' type and length; an array that has them already is not copied."""
        form, size = self.model.form, self.model.wavelengths.size
        if profiles.shape[1:] == (4, form.observed) and profiles.dtype == self.model.dtype:
            return np.ascontiguousarray(profiles)
        made = np.zeros((len(profiles), 4, form.observed), self.model.dtype)
        made[:, :, :size] = profiles
        return made

    def _result(
        self, found: F64, squares: F64, used: NDArray[np.int64], covariance: F64, starts: NDArray[np.int64]
    ) -> Result:
        known = self.model.parameters
        parameters, errors = np.ones((len(found), len(known))), np.zeros((len(found), len(known)))
        vague = np.zeros(errors.shape, bool)
        parameters[np.isnan(squares)] = np.nan
        errors[np.isnan(squares)] = np.nan
        bounded = at_bounds(found, self.limits)
        doubts = undetermined(found, self.limits, covariance[:, 1])
        for column, (name, one) in enumerate(known.items()):
            if one.place >= found.shape[1]:
                continue
            values, sigma = found[:, one.place], np.sqrt(covariance[:, 0, one.place, one.place])
            sigma[bounded[:, one.place]] = np.nan
            vague[:, column] = doubts[:, one.place]
            if one.logarithm:
                values = np.exp(values)
                sigma = sigma * values
            factor = _factor(name, one)
            parameters[:, column], errors[:, column] = values * factor, sigma * factor
        return Result(
            parameters=parameters,
            errors=errors,
            undetermined=vague,
            chi2=squares / self._expected,
            evaluations=used,
            converged=(used > 0) & (used < self.evaluations),
            starts=starts,
            unknowns=found,
            covariance=covariance[:, 0],
        )

    def synthesised(self, result: Result) -> NDArray[Any]:
        """The fitted profiles, shape (pixels, 4, wavelengths); NaN where there is no fit."""
        made = self.model.synthesise(np.nan_to_num(result.unknowns))
        made[np.isnan(result.chi2)] = np.nan
        return made


def _factor(name: str, one: Parameter) -> float:
    """Of the units of results, for an unknown that is no logarithm in the kernels' units."""
    if name == "width":
        return 1e3
    return 180.0 / np.pi if one.unit == "deg" else 1.0
