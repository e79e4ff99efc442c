"""Inversion of cubes (stokes, wavelength, y, x): normalised, in blocks of pixels, so that memory stays small.

A block is some thousand pixels, whatever the cube's size: beside the cube itself there are the planes of
results, the fitted profiles where they are wanted, and a few blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion.atmosphere import PARAMETERS
from pipeline.inversion.inversion import Inversion

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

#: Pixels of a block.
BLOCK: Final = 4096
#: Planes of an atmosphere's results: the parameters, and χ² over degrees of freedom.
PLANES: Final = (*PARAMETERS, "chi2")
#: A continuum below this part of the map's median is no light.
_DARK: Final = 0.02
#: Pixels that noise and stray light are measured on, at most.
_SAMPLE: Final = 20_000
#: Part of the pixels, the least polarised, whose mean intensity stands for light of no field.
_QUIET: Final = 0.25
#: Median absolute deviation to standard deviation, and the root of the sum of squares of 1, -2, 1.
_ROBUST, _SECOND = 1.4826, 6.0**0.5


@dataclass(frozen=True)
class Inverted:
    """What was found in a cube.

    Attributes
    ----------
    parameters, errors
        Shape (planes, y, x); S₀ and S₁ in units of the continuum that the cube was divided by.
    fitted
        The fitted profiles in the cube's unit, shape of the cube, NaN at wavelengths that were not inverted;
        `None` where they were not wanted.
    lost
        Pixels that were not inverted, for values or light they lack.
    doubtful
        Pixels whose fit did not end by itself, or not at the data.
    undetermined
        Which planes of which pixels the profiles do not determine, shape of `parameters`; χ² never is.
    """

    parameters: F32
    errors: F32
    fitted: F32 | None
    lost: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    undetermined: NDArray[np.bool_]


def noise_of(cube: NDArray[Any], runs: NDArray[np.bool_], continuum: float) -> float:
    """White noise of Q, U and V over the continuum, from one wavelength to the next.

    Parameters
    ----------
    cube
        Shape (4, wavelength, y, x).
    runs
        Wavelengths with as little as possible in them.
    continuum
        Intensity of the continuum.
    """
    sample = _sampled(cube)
    inside = runs[:-2] & runs[1:-1] & runs[2:]
    if not inside.any():
        inside = np.ones_like(inside)
    profiles = sample[1:]
    middle = np.flatnonzero(inside) + 1
    curved = profiles[:, middle - 1] - 2.0 * profiles[:, middle] + profiles[:, middle + 1]
    held = curved[np.isfinite(curved)]
    return float(_ROBUST * np.median(np.abs(held)) / _SECOND / continuum) if held.size else float("nan")


def continuum_of(cube: NDArray[Any], runs: NDArray[np.bool_]) -> float:
    """The median over pixels of the intensity at the wavelengths of the continuum."""
    sample = _sampled(cube)[0]
    inside = sample[runs] if runs.any() else sample
    return float(np.nanmedian(np.nanquantile(inside, 0.9, axis=0))) if np.isfinite(inside).any() else 0.0


def quiet_profile(cube: NDArray[Any], places: NDArray[np.intp]) -> F64:
    """Mean intensity of the least polarised pixels, at these wavelengths."""
    sample = _sampled(cube)[:, places]
    polarised = np.abs(sample[1:]).max(axis=(0, 1))
    whole = np.isfinite(sample).all(axis=(0, 1))
    limit = np.quantile(polarised[whole], _QUIET)
    return np.asarray(sample[0][:, whole & (polarised <= limit)].mean(axis=1), np.float64)


def median_profile(cube: NDArray[Any], places: NDArray[np.intp]) -> F64:
    """Median intensity over the pixels, at these wavelengths."""
    return np.asarray(np.nanmedian(_sampled(cube)[0, places], axis=1), np.float64)


def _sampled(cube: NDArray[Any]) -> NDArray[Any]:
    """Some pixels, evenly over the map, shape (4, wavelength, pixels)."""
    flat = cube.reshape(*cube.shape[:2], -1)
    return flat[..., :: max(1, flat.shape[2] // _SAMPLE)]


def _blocks(count: int) -> Iterator[slice]:
    return (slice(first, first + BLOCK) for first in range(0, count, BLOCK))


def inverted(
    cube: NDArray[Any],
    places: NDArray[np.intp],
    inversion: Inversion,
    *,
    continuum: float,
    doubtful_above: float,
    fitted: bool = True,
    used: NDArray[np.bool_] | None = None,
) -> Inverted:
    """Invert every pixel of a cube.

    Parameters
    ----------
    cube
        Shape (4, wavelength, y, x).
    places
        Of the wavelengths that the inversion's atmosphere has, in its order.
    inversion
        What to do.
    continuum
        What the cube is divided by.
    doubtful_above
        Value of χ² above which a fit is doubtful.
    fitted
        Whether the fitted profiles are wanted.
    used
        Pixels to invert; all when not given.
    """
    shape = cube.shape[2:]
    flat = cube.reshape(*cube.shape[:2], -1)
    count = flat.shape[2]
    planes = np.full((2, len(inversion.model.parameters) + 1, count), np.nan, np.float32)
    profiles = np.full(flat.shape, np.nan, np.float32) if fitted else None
    ended, vague = np.zeros(count, bool), np.zeros(planes.shape[1:], bool)
    chosen = np.ones(count, bool) if used is None else used.reshape(-1)
    for block in _blocks(count):
        data = np.ascontiguousarray(flat[:, places, block].transpose(2, 0, 1), np.float32)
        data /= np.float32(continuum)
        # Infinity and NaN alike; also what has no light.
        data[~chosen[block] | (data[:, 0].max(axis=1) < _DARK)] = np.nan
        result = inversion(data)
        planes[0, :-1, block], planes[1, :-1, block] = result.parameters.T, result.errors.T
        planes[0, -1, block] = result.chi2
        ended[block], vague[:-1, block] = result.converged, result.undetermined.T
        if profiles is not None:
            # Not by one index: with two, numpy would put the pixels first.
            made = inversion.synthesised(result) * np.float32(continuum)
            for stokes in range(4):
                profiles[stokes, places, block] = made[:, stokes].T
    lost = np.isnan(planes[0, -1])
    doubtful = ~lost & (~ended | (planes[0, -1] > doubtful_above))
    return Inverted(
        parameters=planes[0].reshape(-1, *shape),
        errors=planes[1].reshape(-1, *shape),
        fitted=None if profiles is None else profiles.reshape(cube.shape),
        lost=lost.reshape(shape),
        doubtful=doubtful.reshape(shape),
        undetermined=vague.reshape(-1, *shape),
    )


def within(wavelengths: F64, windows: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Which wavelengths lie in one of the windows."""
    inside = np.zeros(wavelengths.size, bool)
    for low, high in windows:
        inside |= (wavelengths >= low) & (wavelengths <= high)
    return inside


def gaussian(fwhm: float, step: float) -> F64:
    """A Gaussian spectral PSF, of odd number of weights that add up to one, to four standard deviations."""
    return sampled(lambda away: np.exp(-4.0 * np.log(2.0) * (away / fwhm) ** 2), 1.7 * fwhm, step)


def tabulated(offsets: F64, weights: F64, step: float) -> F64:
    """A spectral PSF from a table of offsets and weights."""
    order = np.argsort(offsets)
    reach = float(np.abs(offsets).max())
    return sampled(lambda away: np.interp(away, offsets[order], weights[order], 0.0, 0.0), reach, step)


def sampled(profile: Callable[[F64], F64], reach: float, step: float) -> F64:
    """Weights of a profile in steps, of odd number; each the mean over its step."""
    fine = 9
    half = max(1, int(np.ceil(reach / abs(step))))
    number = 2 * half + 1
    away = (np.arange(number * fine) - (number * fine - 1) / 2) * step / fine
    weights = profile(away).reshape(number, fine).mean(axis=1)
    return np.asarray(weights / weights.sum())
