"""What models of a spectrum share: wavelengths, spectral PSF, synthesis, names of their parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.inversion.forms import LANES, UNKNOWNS, Atoms, Form, Limits, Observed
from pipeline.inversion.kernel import kernels

F64 = NDArray[np.float64]

#: A grid whose steps differ by more than this part of their mean is not regular.
_REGULAR: Final = 1e-3


class Parameter(NamedTuple):
    """A parameter of a model as people see it.

    Attributes
    ----------
    place
        Of its unknown in the kernels.
    unit
        Of results and bounds; a width's bounds are velocities, in km/s.
    bounds
        Least and greatest value.
    step
        Greatest change of the unknown in one step of the fit.
    meaning
        For the card that names it.
    logarithm
        Whether the unknown is its logarithm.
    """

    place: int
    unit: str
    bounds: tuple[float, float]
    step: float
    meaning: str
    logarithm: bool = False


@dataclass(frozen=True)
class Ranges:
    """What the profiles of a library are made of.

    Attributes
    ----------
    field
        [G] Greatest field; half of the profiles have less than a quarter of it.
    velocity
        [km/s] Greatest, to both sides.
    width
        [km/s] Doppler width, from and to, evenly in the logarithm, like the next two.
    strength
        Line to continuum absorption; of a slab its optical depth.
    damping
        Of the Voigt function.
    """

    field: float = 4000.0
    velocity: float = 4.0
    width: tuple[float, float] = (0.7, 2.8)
    strength: tuple[float, float] = (1.5, 60.0)
    damping: tuple[float, float] = (0.02, 1.5)


class Model(ABC):
    """The forward problem: profiles of unknowns as in `pipeline.inversion.forms`.

    Attributes
    ----------
    wavelengths
        [Å] Of the data, in air; in any order, and regular where there is a `psf`.
    psf
        Weights of the spectral PSF on a grid of the step of `wavelengths` over `oversampling`, of odd number,
        in the order of `wavelengths`; empty for none.
    oversampling
        How many wavelengths the model has for each of the data.
    dtype
        float32, or float64 for comparisons.
    """

    wavelengths: F64
    psf: F64
    oversampling: int
    dtype: Any
    #: Whether it is a slab above a background.
    slab: ClassVar[bool]
    #: What fits begin from, where nothing else is said.
    ranges: ClassVar[Ranges]

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, Parameter]:
        """What is found, in the order of results."""

    @cached_property
    @abstractmethod
    def atoms(self) -> Atoms:
        """Lines and components for the kernels."""

    @property
    def unknowns(self) -> int:
        """How many there are."""
        return UNKNOWNS

    @property
    def stray(self) -> F64 | None:
        """Intensity of light of no field, for each wavelength, of which a share 1 − α is mixed in."""
        return None

    def settled(self, unknowns: F64, limits: Limits, covariance: F64) -> F64:
        """Covariances of the unknowns, from those of fits, which may have been made in others."""
        return covariance

    def require_even_steps(self) -> None:
        """Raise ValueError when there is a PSF and wavelengths for which it is not."""
        steps = np.diff(self.wavelengths)
        if self.psf.size and (np.ptp(steps) > _REGULAR * abs(steps.mean()) or self.psf.size % 2 == 0):
            raise ValueError(
                "a spectral PSF has an odd number of weights and is for wavelengths in equal steps; found "
                f"{self.psf.size} weights and steps of {steps.min():.5f} to {steps.max():.5f} Å"
            )

    @cached_property
    def form(self) -> Form:
        """What its kernels are compiled for."""
        observed = _filled(self.wavelengths.size)
        if not self.psf.size:
            return Form(observed, observed, 0, 1, self.unknowns, int(self.slab))
        computed = (observed - 1) * self.oversampling + self.psf.size
        return Form(_filled(computed), observed, 1, self.oversampling, self.unknowns, int(self.slab))

    def grid(self) -> F64:
        """The model's wavelengths; those that only fill registers repeat the last."""
        form, given = self.form, self.wavelengths
        if not form.smeared:
            return np.pad(given, (0, form.computed - given.size), mode="edge")
        step = (given[-1] - given[0]) / (given.size - 1) / self.oversampling
        return np.asarray(given[0] + step * (np.arange(form.computed) - self.psf.size // 2))

    def observed(self, weights: ArrayLike = 1.0) -> Observed:
        """What all pixels share, for the kernels.

        Parameters
        ----------
        weights
            1/σ of I, of Q and U, and of V; one number, three, or three for each wavelength.
        """
        form, count = self.form, self.wavelengths.size
        given = np.asarray(weights, np.float64)
        given = given[:, None] if given.ndim == 1 else given
        table = np.zeros((3, form.observed), self.dtype)
        table[:, :count] = given
        stray = np.zeros(form.observed, self.dtype)
        if self.stray is not None:
            stray[:count] = self.stray
        # A convolution turns the PSF round.
        return Observed(np.ascontiguousarray(self.psf[::-1], self.dtype), table, stray)

    def synthesise(self, unknowns: ArrayLike) -> NDArray[Any]:
        """Stokes profiles, shape (pixels, 4, wavelengths)."""
        return self._evaluated(unknowns, slopes=False)[0]

    def slopes(self, unknowns: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Profiles and their derivatives, shape (pixels, unknowns, 4, wavelengths)."""
        return self._evaluated(unknowns, slopes=True)

    def _evaluated(self, unknowns: ArrayLike, *, slopes: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        p = np.ascontiguousarray(np.atleast_2d(unknowns), np.float64)
        made = np.empty((len(p), 4, self.form.observed), self.dtype)
        by = np.empty((len(p) if slopes else 0, self.unknowns, 4, self.form.observed), self.dtype)
        compiled = kernels(self.form)
        (compiled.differentiate if slopes else compiled.synthesise)(p, self.atoms, self.observed(), made, by)
        count = self.wavelengths.size
        return made[:, :, :count], by[..., :count]


def _filled(count: int) -> int:
    return -(-count // LANES) * LANES
