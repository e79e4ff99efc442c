"""A slab of helium above the photosphere: He I 10830 Å with its Zeeman effect, and nothing else.

Field, velocity, width, optical depth and source function are the same all through it; it is lit from below by
a background without polarisation. What the anisotropic light of the photosphere does to the atoms is not
there: no atomic polarisation, no Hanle effect. Linear polarisation below some 100 G is mostly that, and what
a slab says of inclination and azimuth there is not to be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.inversion import helium
from pipeline.inversion.atmosphere import PARAMETERS as OF_AN_ATMOSPHERE
from pipeline.inversion.forms import DAMPING, GRADIENT, STRENGTH, SURFACE, VELOCITY, WIDTH, Atoms, Limits
from pipeline.inversion.model import Model, Parameter, Ranges
from pipeline.inversion.slab_equations import off_valley

F64 = NDArray[np.float64]

#: Parameters in the order of results.
PARAMETERS: Final[Mapping[str, Parameter]] = {
    **{name: OF_AN_ATMOSPHERE[name] for name in ("field", "inclination", "azimuth")},
    "velocity": Parameter(VELOCITY, "km/s", (-100.0, 100.0), 6.0, "line of sight, away is positive"),
    "width": Parameter(WIDTH, "mAngstrom", (2.0, 30.0), 0.5, "Doppler width", logarithm=True),
    "depth": Parameter(
        STRENGTH, "", (1e-3, 10.0), 1.0, "optical depth of the two red components", logarithm=True
    ),
    "damping": Parameter(DAMPING, "", (1e-5, 2.0), 1.2, "damping of the Voigt function", logarithm=True),
    "source": Parameter(SURFACE, "", (0.0, 3.0), 0.3, "source function over the continuum"),
    "background": Parameter(GRADIENT, "", (1e-3, 5.0), 0.3, "background over the continuum"),
}


@dataclass(frozen=True, eq=False)
class Slab(Model):
    """The forward problem of He I 10830 Å.

    Attributes
    ----------
    wavelengths
        [Å] Of the data, in air; in any order, and regular where there is a `psf`.
    background
        What the slab is lit by at each wavelength, before the spectral PSF; one everywhere when not given.
    psf
        Weights of the spectral PSF on a grid of the step of `wavelengths` over `oversampling`, of odd number,
        in the order of `wavelengths`; empty for none.
    oversampling
        How many wavelengths the model has for each of the data.
    paschen_back
        Whether the field mixes the upper levels, as it does; otherwise splitting is linear in the field.
    dtype
        float32, or float64 for comparisons.
    """

    wavelengths: NDArray[np.float64]
    background: NDArray[np.float64] | None = None
    psf: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    oversampling: int = 1
    paschen_back: bool = True
    dtype: Any = np.float32
    slab: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = Ranges(
        field=4000.0, velocity=20.0, width=(4.0, 14.0), strength=(0.05, 3.0), damping=(1e-3, 1.0)
    )

    def __post_init__(self) -> None:
        self.require_even_steps()
        if self.background is not None and self.background.shape != self.wavelengths.shape:
            raise ValueError("a background is told for each wavelength")

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """What is found, in the order of results."""
        return PARAMETERS

    def settled(self, unknowns: F64, limits: Limits, covariance: F64) -> F64:
        """Covariances of the unknowns, from those of fits, which go along the valley of S and τ."""
        return off_valley(unknowns, limits, covariance)

    @cached_property
    def atoms(self) -> Atoms:
        """Components for the kernels: all of one line, whose places and strengths go with the field."""
        grid, known = self.grid(), helium.pattern(paschen_back=self.paschen_back)
        count = len(known.kind)
        lit = np.ones_like(grid)
        if self.background is not None:
            order = np.argsort(self.wavelengths)
            lit = np.interp(grid, self.wavelengths[order], self.background[order])
        return Atoms(
            x=(grid - helium.REFERENCE).astype(self.dtype)[None],
            narrow=np.ones(1),
            line=np.zeros(count, np.int64),
            kind=known.kind,
            per_gauss=np.zeros(count),
            strength=np.zeros(count),
            reference=helium.REFERENCE,
            background=lit.astype(self.dtype),
            nodes=known.nodes,
            spacing=known.spacing,
        )
