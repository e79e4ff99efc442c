"""Inversion of He I 10830 in maps of Stokes profiles: a slab of constant properties above the photosphere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.inversion import cubes, helium
from pipeline.inversion.model import Parameter
from pipeline.inversion.slab import PARAMETERS, Slab
from pipeline.step import References, step
from pipeline.steps.inverting import (
    ANNOUNCED,
    InversionParams,
    Spectrum,
    Told,
    inverted,
)

F64 = NDArray[np.float64]

#: [Å] Core of Si I, whose wing reaches below helium; half widths of wings that are tried.
_SILICON: Final = 10827.089
_WINGS: Final = np.geomspace(0.15, 1.5, 40)
_FEWEST: Final = 6
LIMITS: Final = (
    "helium as a slab with the Zeeman effect alone: no atomic polarisation and no Hanle effect, which make "
    "most of the linear polarisation below some 100 G; one component, in absorption"
)


class SlabParams(InversionParams):
    """What can be chosen of an inversion of helium.

    Attributes
    ----------
    span
        [Angstrom] First and last wavelength that are inverted.
    wing
        [Angstrom] Windows without helium in which the wing of Si I 10827 is fitted to the map's median
        profile; it is the background of the slab. Empty: the background is the continuum.
    paschen_back
        Whether the field mixes the upper levels, as it does; else each line splits as in a weak field.
    """

    span: tuple[float, float] = (10828.2, 10831.8)
    wing: tuple[tuple[float, float], ...] = ((10827.9, 10828.5), (10831.3, 10831.8))
    paschen_back: bool = True
    velocity: float = Field(default=20.0, gt=0)
    library: int = Field(default=2000, ge=10, le=100_000)
    fixed: dict[str, float] = Field(default_factory=lambda: {"damping": 0.01})

    @property
    def model_parameters(self) -> Mapping[str, Parameter]:
        """What the model's parameters are."""
        return PARAMETERS


@step(
    "invert_helium_slab",
    version=2,
    prstep="ATMOSPHERIC-INVERSION",
    **ANNOUNCED,
)
def invert_helium_slab(frame: Frame, params: SlabParams, references: References) -> Frame:
    """Field, velocity, width and optical depth of the chromosphere in He I 10830; errors beside it.

    Raises
    ------
    BadInput
        When the header does not tell wavelengths, or those of helium or of the wing are not there.
    """

    def slab(seen: Spectrum) -> Slab:
        inside = seen.wavelengths[seen.places]
        return Slab(
            inside,
            background=_background(frame, params, seen) if params.wing else None,
            psf=seen.psf,
            oversampling=seen.oversampling,
            paschen_back=params.paschen_back,
        )

    ranges = dataclasses.replace(Slab.ranges, field=params.field, velocity=params.velocity)
    told = Told("SL", "Helium slab", [("He I 10830.3", helium.REFERENCE)], ranges)
    return inverted(frame, params, references, [params.span], slab, told).with_caveat(LIMITS)


def _background(frame: Frame, params: SlabParams, seen: Spectrum) -> F64:
    """The wing of Si I at the wavelengths that are inverted, from the map's median profile."""
    used = np.flatnonzero(cubes.within(seen.wavelengths, params.wing))
    if len(used) < _FEWEST:
        raise BadInput(
            f"the map does not have {_FEWEST} wavelengths beside helium for the wing of Si I",
            file=frame.source,
            keyword="CRVAL3",
            found=f"{seen.wavelengths.min():.2f} to {seen.wavelengths.max():.2f} Angstrom",
            advice="say wing: [] to take the continuum for what lights the slab, or other windows",
        )
    profile = cubes.median_profile(frame.data, used) / seen.continuum
    return wing(seen.wavelengths[used], profile, seen.wavelengths[seen.places])


def wing(given: F64, profile: F64, wanted: F64) -> F64:
    """A Lorentzian about Si I below a level continuum, fitted to a profile, at other wavelengths.

    Parameters
    ----------
    given, profile
        [Å] Wavelengths without other lines, and the intensity there.
    wanted
        [Å] Where it is asked for.
    """
    best, made = np.inf, np.ones_like(wanted)
    for half in _WINGS:
        design = np.stack([np.ones_like(given), -1.0 / (1.0 + ((given - _SILICON) / half) ** 2)], axis=1)
        level, depth = np.linalg.lstsq(design, profile, rcond=None)[0]
        left = float(((design @ [level, depth] - profile) ** 2).sum())
        if left < best and level > 0:
            best = left
            made = 1.0 - max(depth, 0.0) / level / (1.0 + ((wanted - _SILICON) / half) ** 2)
    return np.asarray(made)
