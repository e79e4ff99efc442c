"""A Milne–Eddington atmosphere seen through an instrument: its lines, its wavelengths, its PSF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.inversion.forms import LANES, UNKNOWNS, Atoms, Form, Observed
from pipeline.inversion.kernel import kernels
from pipeline.inversion.lines import ZEEMAN, Line

#: A grid whose steps differ by more than this part of their mean is not regular.
_REGULAR: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Atmosphere:
    """The forward problem.

    Attributes
    ----------
    lines
        Spectral lines that form in one atmosphere; Doppler width and reference are the first's.
    wavelengths
        [Å] Of the data, in air; in any order, and regular where there is a `psf`.
    psf
        Weights of the spectral PSF on a grid of the step of `wavelengths` over `oversampling`, of odd number,
        in the order of `wavelengths`; empty for none.
    oversampling
        How many wavelengths the model has for each of the data.
    stray
        Intensity of light of no field, for each wavelength, of which a share 1 − α is mixed in; else `None`.
    dtype
        float32, or float64 for comparisons.
    """

    lines: Sequence[Line]
    wavelengths: NDArray[np.float64]
    psf: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    oversampling: int = 1
    stray: NDArray[np.float64] | None = None
    dtype: Any = np.float32

    def __post_init__(self) -> None:
        if not len(self.lines):
            raise ValueError("an atmosphere without lines has no profiles; name one at least")
        steps = np.diff(self.wavelengths)
        if self.psf.size and (np.ptp(steps) > _REGULAR * abs(steps.mean()) or self.psf.size % 2 == 0):
            raise ValueError(
                "a spectral PSF has an odd number of weights and is for wavelengths in equal steps; found "
                f"{self.psf.size} weights and steps of {steps.min():.5f} to {steps.max():.5f} Å"
            )
        if self.stray is not None and self.stray.shape != self.wavelengths.shape:
            raise ValueError("stray light is told for each wavelength")

    @property
    def unknowns(self) -> int:
        """9, or 10 with the filling factor."""
        return UNKNOWNS + (self.stray is not None)

    @cached_property
    def form(self) -> Form:
        """What its kernels are compiled for."""
        observed = _filled(self.wavelengths.size)
        if not self.psf.size:
            return Form(observed, observed, 0, 1, self.unknowns)
        computed = (observed - 1) * self.oversampling + self.psf.size
        return Form(_filled(computed), observed, 1, self.oversampling, self.unknowns)

    @cached_property
    def atoms(self) -> Atoms:
        """Lines and components for the kernels."""
        reference = self.lines[0].wavelength
        grid = self._grid()
        parts = [
            (number, one.kind, ZEEMAN * one.shift * line.wavelength * reference, one.strength * line.strength)
            for number, line in enumerate(self.lines)
            for one in line.components()
        ]
        which, kind, per_gauss, strength = zip(*parts, strict=True)
        first = self.lines[0].strength
        return Atoms(
            x=np.stack([(grid - line.wavelength).astype(self.dtype) for line in self.lines]),
            narrow=np.array([reference / line.wavelength for line in self.lines]),
            line=np.array(which, np.int64),
            kind=np.array(kind, np.int64),
            per_gauss=np.array(per_gauss),
            strength=np.array(strength) / first,
            reference=reference,
        )

    def _grid(self) -> NDArray[np.float64]:
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
        """Stokes profiles, shape (pixels, 4, wavelengths), for unknowns as in `pipeline.inversion.forms`."""
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
