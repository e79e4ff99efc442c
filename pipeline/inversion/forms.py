"""What the compiled kernels are given, and what they are compiled for.

Unknowns are, in this order, B [G], γ [rad], v [km/s], ln Δ [Å], ln η₀, ln a, χ [rad], S₀, S₁, and the filling
factor α where it is free: those come first whose derivatives the formal solution gives. A slab has its
optical depth τ where an atmosphere has η₀, its source function S for S₀, and for S₁ the level of the
background.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

#: Wavelengths come in multiples of this many, so that registers are full; those added weigh nothing.
LANES: Final = 16
#: Unknowns without the filling factor, and the places of some.
UNKNOWNS: Final = 9
FIELD, INCLINATION, VELOCITY, WIDTH, STRENGTH, DAMPING, AZIMUTH, SURFACE, GRADIENT, FILLING = range(10)
#: [km/s]
LIGHT: Final = 299792.458


class Form(NamedTuple):
    """What a kernel is compiled for.

    Attributes
    ----------
    computed, observed
        Wavelengths of the model and of the data, multiples of `LANES`.
    smeared
        1 with a spectral PSF, 0 without.
    stride
        How many wavelengths of the model lie between two of the data.
    unknowns
        9, or 10 with the filling factor.
    slab
        1 for a slab above a background, 0 for a Milne–Eddington atmosphere.
    """

    computed: int
    observed: int
    smeared: int
    stride: int
    unknowns: int
    slab: int = 0


class Atoms(NamedTuple):
    """Lines and their Zeeman components, as kernels take them.

    Attributes
    ----------
    x
        [Å] Distance of each wavelength of the model from each line, shape (lines, computed).
    narrow
        Reference wavelength over that of each line: ``1/Δ`` of the line is this times ``1/Δ``.
    line, kind
        Of each component: its line; 0 for the blue σ, 1 for π, 2 for the red σ.
    per_gauss
        [Å/G] Shift of each component, positive to the blue, as of a line at the reference wavelength.
    strength
        Of each component; they add up to one for each kind of the first line.
    reference
        [Å] Wavelength that Δ is meant for.
    background
        Of a slab: what it is lit by at each wavelength of the model.
    nodes
        Of a slab: [Å] shift to the blue and strength of each component at fields in equal steps, shape
        (components, 2, fields).
    spacing
        [G] Of these fields.
    """

    x: Any
    narrow: Any
    line: Any
    kind: Any
    per_gauss: Any
    strength: Any
    reference: float
    background: Any
    nodes: Any
    spacing: float


class Observed(NamedTuple):
    """What all pixels share of how they were observed.

    Attributes
    ----------
    psf
        Weights of the taps; empty without a spectral PSF.
    weights
        1/σ of I, of Q and U, and of V, shape (3, observed); 0 where there is no measurement.
    stray
        Intensity of the light that is not of the field, shape (observed).
    """

    psf: Any
    weights: Any
    stray: Any


class Limits(NamedTuple):
    """What the fit may do.

    Attributes
    ----------
    fixed
        Which unknowns stay as they begin.
    lower, upper
        Bounds of the unknowns.
    step
        Greatest change of each in one step.
    evaluations
        Greatest number of evaluations.
    """

    fixed: Any
    lower: Any
    upper: Any
    step: Any
    evaluations: int
