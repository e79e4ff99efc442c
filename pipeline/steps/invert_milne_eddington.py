"""Milne–Eddington inversion of maps of Stokes profiles, of whatever instrument."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from pipeline.frame import Frame
from pipeline.inversion import cubes
from pipeline.inversion.atmosphere import PARAMETERS, Atmosphere
from pipeline.inversion.lines import line
from pipeline.inversion.model import Parameter, Ranges
from pipeline.step import References, step
from pipeline.steps.inverting import (
    ANNOUNCED,
    InversionParams,
    Spectrum,
    Told,
    inverted,
)


class MilneEddingtonParams(InversionParams):
    """What can be chosen of an inversion.

    Attributes
    ----------
    lines
        Lines that form in one atmosphere, by their names; what is told of a line is told of the first.
    reach
        [Angstrom] Half width of what is inverted around each line.
    filling_factor
        Whether a share of the light may come from outside the field, as from the least polarised pixels.
    """

    lines: tuple[str, ...] = Field(min_length=1, max_length=4)
    reach: float = Field(default=0.8, gt=0)
    filling_factor: bool = False

    @property
    def model_parameters(self) -> Mapping[str, Parameter]:
        """What the model's parameters are."""
        return PARAMETERS

    @field_validator("lines")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                line(name)
            except Exception as error:
                raise ValueError(str(error)) from error
        return value


@step(
    "invert_milne_eddington",
    version=3,
    prstep="ATMOSPHERIC-INVERSION",
    **ANNOUNCED,
)
def invert_milne_eddington(frame: Frame, params: MilneEddingtonParams, references: References) -> Frame:
    """Field, velocity and thermodynamics of every pixel by a Milne-Eddington inversion; errors beside it.

    Raises
    ------
    BadInput
        When the header does not tell wavelengths, or those of a line are not there.
    """
    lines = [line(name) for name in params.lines]

    def atmosphere(seen: Spectrum) -> Atmosphere:
        stray: NDArray[np.float64] | None = None
        if params.filling_factor:
            stray = cubes.quiet_profile(frame.data, seen.places) / seen.continuum
        return Atmosphere(
            lines, seen.wavelengths[seen.places], psf=seen.psf, oversampling=seen.oversampling, stray=stray
        )

    result = inverted(
        frame,
        params,
        references,
        [(one.wavelength - params.reach, one.wavelength + params.reach) for one in lines],
        atmosphere,
        Told(
            "ME",
            "Milne-Eddington",
            [(one.name, one.wavelength) for one in lines],
            Ranges(field=params.field, velocity=params.velocity),
        ),
    )
    for one in lines:
        if one.caveat:
            result = result.with_caveat(one.caveat)
    return result
