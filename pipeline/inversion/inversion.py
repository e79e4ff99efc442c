"""Milne–Eddington inversion of many pixels: starts from libraries, fits, restarts of what failed, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.inversion.atmosphere import Atmosphere
from pipeline.inversion.forms import (
    AZIMUTH,
    DAMPING,
    FIELD,
    FILLING,
    GRADIENT,
    INCLINATION,
    LIGHT,
    STRENGTH,
    SURFACE,
    VELOCITY,
    WIDTH,
    Limits,
    Observed,
)
from pipeline.inversion.kernel import kernels
from pipeline.inversion.library import Library, Ranges

F64 = NDArray[np.float64]

#: Parameters in the order of results, and their units; the Doppler width is that of the first line.
PARAMETERS: Final = {
    "field": "G",
    "inclination": "deg",
    "azimuth": "deg",
    "velocity": "km/s",
    "width": "mAngstrom",
    "strength": "",
    "damping": "",
    "surface": "",
    "gradient": "",
    "filling": "",
}
_PLACES: Final = {
    "field": FIELD,
    "inclination": INCLINATION,
    "azimuth": AZIMUTH,
    "velocity": VELOCITY,
    "width": WIDTH,
    "strength": STRENGTH,
    "damping": DAMPING,
    "surface": SURFACE,
    "gradient": GRADIENT,
    "filling": FILLING,
}
#: Filling factors that fits of one library after the other begin with.
_FILLINGS: Final = (0.7, 0.25, 0.9, 0.12)
#: Unknowns that are logarithms of their parameters.
_LOGARITHMS: Final = (WIDTH, STRENGTH, DAMPING)
#: Greatest change of each unknown in one step.
_STEPS: Final = {
    FIELD: 700.0,
    INCLINATION: 0.7,
    AZIMUTH: 0.8,
    VELOCITY: 2.0,
    WIDTH: 0.6,
    STRENGTH: 1.2,
    DAMPING: 1.2,
    SURFACE: 0.3,
    GRADIENT: 0.3,
    FILLING: 0.2,
}
#: Bounds of the parameters, in the units of results; the Doppler width's as a velocity, in km/s.
BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "field": (0.0, 6000.0),
    "inclination": (0.0, 180.0),
    "velocity": (-20.0, 20.0),
    "width": (0.3, 8.0),
    "strength": (0.1, 500.0),
    "damping": (1e-4, 10.0),
    "surface": (0.0, 3.0),
    "gradient": (1e-3, 5.0),
    "filling": (0.02, 1.0),
}


@dataclass(frozen=True)
class Result:
    """What was found; one row a pixel, NaN where nothing could be.

    Attributes
    ----------
    parameters
        In the order and units of `PARAMETERS`, shape (pixels, 10), S₀ and S₁ in units of the profiles; the
        filling factor is 1 where it is no unknown.
    errors
        One standard deviation of each, from the curvature at the minimum and the weights; 0 for what was
        fixed or stands at a bound.
    chi2
        Sum of squared residuals over degrees of freedom.
    evaluations
        Of the last fit; 0 where none was made.
    converged
        Whether the fit ended by itself.
    starts
        How many starts were made.
    unknowns
        As the kernels have them (`pipeline.inversion.forms`), for synthesis.
    covariance
        Of the unknowns.
    """

    parameters: F64
    errors: F64
    chi2: F64
    evaluations: NDArray[np.int64]
    converged: NDArray[np.bool_]
    starts: NDArray[np.int64]
    unknowns: F64
    covariance: F64


@dataclass(frozen=True, eq=False)
class Inversion:
    """Inverts profiles of one atmosphere.

    Attributes
    ----------
    atmosphere
        The forward problem.
    weights
        1/σ of I, of Q and U, and of V: one number, three, or three for each wavelength.
    ranges
        Of the library's profiles.
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
    """

    atmosphere: Atmosphere
    weights: ArrayLike = 1e3
    ranges: Ranges = field(default_factory=Ranges)
    library: int = 1000
    restarts: int = 3
    restart_above: float = 1.3
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    evaluations: int = 50
    seed: int = 1

    @cached_property
    def _observed(self) -> Observed:
        return self.atmosphere.observed(self.weights)

    @cached_property
    def _libraries(self) -> list[Library]:
        return []

    def _library(self, number: int) -> Library:
        while len(self._libraries) <= number:
            count = self.atmosphere.wavelengths.size
            self._libraries.append(
                Library(
                    self.atmosphere,
                    self._observed.weights[:, :count],
                    self.ranges,
                    size=self.library,
                    seed=self.seed + len(self._libraries),
                    filling=_FILLINGS[len(self._libraries) % len(_FILLINGS)],
                )
            )
        return self._libraries[number]

    @cached_property
    def limits(self) -> Limits:
        """Bounds and steps for the kernel."""
        count = self.atmosphere.unknowns
        lower, upper = np.full(count, -np.inf), np.full(count, np.inf)
        for name, (low, high) in {**BOUNDS, **self.bounds}.items():
            place = _PLACES[name]
            if place < count:
                lower[place], upper[place] = (self._unknown(name, value) for value in (low, high))
        fixed = np.zeros(count, bool)
        for name, value in self.fixed.items():
            place = _PLACES[name]
            fixed[place] = True
            lower[place] = upper[place] = self._unknown(name, value)
        steps = np.array([_STEPS[place] for place in range(count)])
        return Limits(fixed, lower, upper, steps, self.evaluations)

    def _unknown(self, name: str, value: float) -> float:
        if name in ("inclination", "azimuth"):
            return float(np.radians(value))
        if name == "width":
            return float(np.log(value * self.atmosphere.atoms.reference / LIGHT))
        return float(np.log(value)) if _PLACES[name] in _LOGARITHMS else float(value)

    @property
    def freedom(self) -> int:
        """Measured values less unknowns."""
        weights = self._observed.weights
        values = np.count_nonzero(weights) + np.count_nonzero(weights[1])
        return max(1, int(values) - self.atmosphere.unknowns + int(self.limits.fixed.sum()))

    def __call__(self, profiles: NDArray[Any]) -> Result:
        """Invert profiles, shape (pixels, 4, wavelengths), with continua near one.

        Pixels with a value that is not finite are left out.
        """
        count, unknowns = len(profiles), self.atmosphere.unknowns
        data = self._padded(profiles)
        whole = np.flatnonzero(np.isfinite(data.reshape(count, -1).sum(axis=1)))
        found = np.full((count, unknowns), np.nan)
        squares, used = np.full(count, np.nan), np.zeros(count, np.int64)
        covariance = np.full((count, unknowns, unknowns), np.nan)
        starts = np.zeros(count, np.int64)
        left, highest = whole, self.restart_above * self.freedom
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
        """Unknowns, sums of squares, evaluations and covariances of fits from one library."""
        size = self.atmosphere.wavelengths.size
        p = self._library(number).starts(data[:, :, :size].astype(np.float32, copy=False))
        limits, count = self.limits, len(p)
        np.clip(p, limits.lower, limits.upper, out=p)
        squares, used = np.empty(count), np.empty(count, np.int64)
        covariance = np.empty((count, p.shape[1], p.shape[1]))
        kernels(self.atmosphere.form).fit(
            data, p, self.atmosphere.atoms, self._observed, limits, squares, used, covariance
        )
        return p, squares, used, covariance

    def _padded(self, profiles: NDArray[Any]) -> NDArray[Any]:
        """The profiles in the kernels' type and length; an array that has them already is not copied."""
        form, size = self.atmosphere.form, self.atmosphere.wavelengths.size
        if profiles.shape[1:] == (4, form.observed) and profiles.dtype == self.atmosphere.dtype:
            return np.ascontiguousarray(profiles)
        made = np.zeros((len(profiles), 4, form.observed), self.atmosphere.dtype)
        made[:, :, :size] = profiles
        return made

    def _result(
        self, found: F64, squares: F64, used: NDArray[np.int64], covariance: F64, starts: NDArray[np.int64]
    ) -> Result:
        parameters, errors = np.ones((len(found), len(PARAMETERS))), np.zeros((len(found), len(PARAMETERS)))
        parameters[np.isnan(squares)] = np.nan
        errors[np.isnan(squares)] = np.nan
        for column, name in enumerate(PARAMETERS):
            place = _PLACES[name]
            if place >= found.shape[1]:
                continue
            values, sigma = found[:, place], np.sqrt(covariance[:, place, place])
            if place in _LOGARITHMS:
                values = np.exp(values)
                sigma = sigma * values
            factor = {"width": 1e3}.get(name, 180.0 / np.pi if PARAMETERS[name] == "deg" else 1.0)
            parameters[:, column], errors[:, column] = values * factor, sigma * factor
        return Result(
            parameters=parameters,
            errors=errors,
            chi2=squares / self.freedom,
            evaluations=used,
            converged=(used > 0) & (used < self.evaluations),
            starts=starts,
            unknowns=found,
            covariance=covariance,
        )

    def synthesised(self, result: Result) -> NDArray[Any]:
        """The fitted profiles, shape (pixels, 4, wavelengths); NaN where there is no fit."""
        made = self.atmosphere.synthesise(np.nan_to_num(result.unknowns))
        made[np.isnan(result.chi2)] = np.nan
        return made
