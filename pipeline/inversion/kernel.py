"""The two compiled kernels of the inversion: profiles of given parameters, and parameters of given profiles.

A kernel is made for one number of wavelengths and unknowns (`Form`); Numba keeps each on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from pipeline.inversion.descent import covariances, holding, predicted, solve, stepped
from pipeline.inversion.equations import jacobian, normal_equations, residual, stokes, weighted
from pipeline.inversion.forms import AZIMUTH, FIELD, FILLING, INCLINATION, UNKNOWNS, Form
from pipeline.inversion.radiation import SLOPES, SUMS
from pipeline.inversion.slab_equations import (
    along_valley,
    kept_depth,
    slab_jacobian,
    slab_stokes,
    slab_weighted,
)

#: Damping to begin with: small, for the start is near; what gains and losses make of it.
_DAMPING: Final = 1e-4
_BETTER, _GOOD, _WORSE, _HOPELESS = 0.1, 0.4, 10.0, 1e7
#: Gains of the sum of squares that are not worth another step, measured and foretold.
_SMALL_GAIN, _NO_GAIN = 0.3, 0.05
#: Greatest damping with which a small gain means that the minimum is near, and not that steps are short.
_NEAR: Final = 0.01


class Kernels(NamedTuple):
    """The compiled functions of one form.

    Attributes
    ----------
    synthesise
        ``(unknowns, atoms, observed, profiles, slopes)``: fills profiles, shape (pixels, 4, observed).
    differentiate
        The same, and their derivatives, shape (pixels, unknowns, 4, observed).
    fit
        ``(data, unknowns, atoms, observed, limits, squares, used, covariance)``: moves the unknowns, shape
        (pixels, unknowns), to where the sum of squares is least, and fills that, the number of evaluations
        and two covariances, shape (pixels, 2, unknowns, unknowns): that of the fit, 0 for what it held, and
        the one in which what stands at a bound is free.
    """

    synthesise: Callable[..., None]
    differentiate: Callable[..., None]
    fit: Callable[..., None]


def _places(form: Form) -> tuple[tuple[int, ...], int]:
    """Where sums, sharp profiles, profiles, columns, data, weights and stray light lie; the whole length."""
    n, m, smeared, _, unknowns, slab = form
    # A slab's derivatives by S and the background's level are made at the model's wavelengths too.
    sharp = unknowns if slab else SLOPES
    lengths = (
        3 * SUMS * n,
        4 * (1 + sharp) * n if smeared else 0,
        4 * m,
        4 * m * (unknowns + 1),
        4 * m,
        3 * m,
        m,
    )
    ends = np.cumsum(lengths)
    return tuple(int(end - length) for end, length in zip(ends, lengths, strict=True)), int(ends[-1])


@lru_cache
def kernels(form: Form) -> Kernels:
    """The functions for a form; compiled when first called."""
    return Kernels(_synthesiser(form, with_slopes=False), _synthesiser(form, with_slopes=True), _fitter(form))


def _synthesiser(form: Form, *, with_slopes: bool) -> Callable[..., None]:
    places, length = _places(form)
    shape = tuple(form)
    m, unknowns, slab = form.observed, form.unknowns, form.slab

    @njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
    def synthesise(p: Any, atoms: Any, observed: Any, profiles: Any, slopes: Any) -> None:
        w = np.zeros(length, profiles.dtype)
        one = profiles.dtype.type(1.0)
        w[places[5] : places[6]] = one
        w[places[6] : places[6] + m] = observed.stray
        for pixel in range(p.shape[0]):
            here = p[pixel]
            share = profiles.dtype.type(here[FILLING]) if unknowns > UNKNOWNS else one
            if slab:
                slab_stokes(w, shape, places, here, atoms, observed)
            else:
                stokes(w, shape, places, here, atoms, observed)
            c, s = np.cos(2.0 * here[AZIMUTH]), np.sin(2.0 * here[AZIMUTH])
            for i in range(m):
                at = places[2] + i
                profiles[pixel, 0, i] = share * w[at] + (one - share) * observed.stray[i]
                profiles[pixel, 1, i] = share * (c * w[at + m] - s * w[at + 2 * m])
                profiles[pixel, 2, i] = share * (s * w[at + m] + c * w[at + 2 * m])
                profiles[pixel, 3, i] = share * w[at + 3 * m]
            if with_slopes:
                if slab:
                    slab_jacobian(w, shape, places, here, atoms, observed)
                    slab_weighted(w, shape, places)
                else:
                    jacobian(w, shape, places, here, atoms, observed)
                    weighted(w, shape, places, here, share)
                for k in range(unknowns):
                    for i in range(m):
                        at = places[3] + k * 4 * m + i
                        slopes[pixel, k, 0, i] = w[at]
                        slopes[pixel, k, 1, i] = c * w[at + m] - s * w[at + 2 * m]
                        slopes[pixel, k, 2, i] = s * w[at + m] + c * w[at + 2 * m]
                        slopes[pixel, k, 3, i] = w[at + 3 * m]

    return synthesise  # type: ignore[no-any-return]


def _fitter(form: Form) -> Callable[..., None]:
    places, length = _places(form)
    shape = tuple(form)
    m, unknowns, slab = form.observed, form.unknowns, form.slab

    @njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
    def fit(
        data: Any, p: Any, atoms: Any, observed: Any, limits: Any, squares: Any, used: Any, covariance: Any
    ) -> None:
        w = np.zeros(length, data.dtype)
        real = data.dtype.type
        w[places[5] : places[6]] = observed.weights.reshape(3 * m)
        w[places[6] : places[6] + m] = observed.stray
        normal, lower = np.zeros((unknowns + 1, unknowns + 1)), np.zeros((unknowns, unknowns))
        change, trial = np.zeros(unknowns), np.zeros(unknowns)
        held = np.zeros(unknowns, np.bool_)
        for pixel in range(p.shape[0]):
            here = p[pixel]
            w[places[4] : places[5]] = data[pixel].reshape(4 * m)
            damping, count, best, foretold, cut = _DAMPING, 0, np.inf, 0.0, True
            trial[:] = here
            while True:
                share = real(trial[FILLING]) if unknowns > UNKNOWNS else real(1.0)
                if slab:
                    slab_stokes(w, shape, places, trial, atoms, observed)
                else:
                    stokes(w, shape, places, trial, atoms, observed)
                found = residual(w, shape, places, trial, share)
                count += 1
                if found < best or count == 1:
                    gain, best = best - found, found
                    here[:] = trial
                    if count > 1:
                        damping *= _BETTER if gain > 0.5 * foretold else _GOOD
                    if gain < _SMALL_GAIN and not cut and damping < _NEAR:
                        break
                    if slab:
                        slab_jacobian(w, shape, places, here, atoms, observed)
                        slab_weighted(w, shape, places)
                        along_valley(w, shape, places, here, limits)
                    else:
                        jacobian(w, shape, places, here, atoms, observed)
                        weighted(w, shape, places, here, share)
                    normal_equations(w, shape, places, normal)
                    holding(here, normal, limits, unknowns, held)
                else:
                    damping *= _WORSE
                if count >= limits.evaluations or damping > _HOPELESS:
                    break
                solve(normal, held, damping, unknowns, change)
                cut = stepped(here, change, limits, unknowns, FIELD, INCLINATION, AZIMUTH, trial)
                if slab:
                    kept_depth(here, trial, limits)
                foretold = predicted(normal, change, unknowns)
                if foretold < _NO_GAIN and not cut and damping < _NEAR:
                    here[:] = trial
                    break
            squares[pixel], used[pixel] = best, count
            covariances(normal, held, limits.fixed, unknowns, lower, covariance[pixel])

    return fit  # type: ignore[no-any-return]
