"""A Milne–Eddington atmosphere seen through an instrument: its lines, its wavelengths, its PSF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion.forms import (
    AZIMUTH,
    DAMPING,
    FIELD,
    FILLING,
    GRADIENT,
    INCLINATION,
    STRENGTH,
    SURFACE,
    UNKNOWNS,
    VELOCITY,
    WIDTH,
    Atoms,
)
from pipeline.inversion.lines import ZEEMAN, Line
from pipeline.inversion.model import Model, Parameter, Ranges

#: Parameters in the order of results.
PARAMETERS: Final[Mapping[str, Parameter]] = {
    "field": Parameter(FIELD, "G", (0.0, 6000.0), 700.0, "magnetic field strength"),
    "inclination": Parameter(INCLINATION, "deg", (0.0, 180.0), 0.7, "of the field from the line of sight"),
    "azimuth": Parameter(AZIMUTH, "deg", (0.0, 180.0), 0.8, "of the field from +Q, modulo 180 deg"),
    "velocity": Parameter(VELOCITY, "km/s", (-20.0, 20.0), 2.0, "line of sight, away is positive"),
    "width": Parameter(
        WIDTH, "mAngstrom", (0.3, 8.0), 0.6, "Doppler width of the first line", logarithm=True
    ),
    "strength": Parameter(
        STRENGTH, "", (0.1, 500.0), 1.2, "line to continuum opacity, first line", logarithm=True
    ),
    "damping": Parameter(DAMPING, "", (1e-4, 10.0), 1.2, "damping of the Voigt function", logarithm=True),
    "surface": Parameter(SURFACE, "", (0.0, 3.0), 0.3, "S0, source function at optical depth 0"),
    "gradient": Parameter(GRADIENT, "", (1e-3, 5.0), 0.3, "S1, its gradient with optical depth"),
    "filling": Parameter(FILLING, "", (0.02, 1.0), 0.2, "filling factor of the field"),
}


@dataclass(frozen=True, eq=False)
class Atmosphere(Model):
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
    slab: ClassVar[bool] = False
    ranges: ClassVar[Ranges] = Ranges()

    def __post_init__(self) -> None:
        if not len(self.lines):
            raise ValueError("an atmosphere without lines has no profiles; name one at least")
        self.require_even_steps()
        if self.stray is not None and self.stray.shape != self.wavelengths.shape:
            raise ValueError("stray light is told for each wavelength")

    @property
    def unknowns(self) -> int:
        """9, or 10 with the filling factor."""
        return UNKNOWNS + (self.stray is not None)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """What is found, in the order of results; a filling factor that is no unknown is 1."""
        return PARAMETERS

    @cached_property
    def atoms(self) -> Atoms:
        """Lines and components for the kernels."""
        reference = self.lines[0].wavelength
        grid = self.grid()
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
            background=np.zeros(0, self.dtype),
            nodes=np.zeros((0, 0, 0)),
            spacing=1.0,
        )
