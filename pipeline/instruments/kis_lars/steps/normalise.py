"""Step 7: the continuum becomes one."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.kis_lars import lines
from pipeline.instruments.kis_lars.facts import F64
from pipeline.instruments.kis_lars.profile import continuum
from pipeline.quality import NOT_MEASURED, flagged
from pipeline.step import Params, References, step


class NormaliseParams(Params):
    """What the continuum is taken to be.

    Attributes
    ----------
    order
        [1] Of its polynomial.
    around
        [Angstrom] On either side of a known line that is left out.
    turns
        [1] How often what lies off it is left out.
    """

    order: int = Field(default=2, ge=0, le=6)
    around: float = Field(default=0.45, gt=0)
    turns: int = Field(default=8, ge=1)


@step(
    "normalise_continuum",
    version=1,
    prstep="RADIOMETRIC-CALIBRATION",
    instrument="kis_lars",
    takes=("DN",),
    gives="",
    dims=("wavelength",),
    memory_factor=4.0,
)
def normalise_continuum(frame: Frame, params: NormaliseParams, references: References) -> Frame:
    """Divide by a polynomial through the continuum, which known and faint lines are left out of."""
    wavelength = axis(frame)
    free = np.isfinite(frame.data) & ~flagged(frame.quality, NOT_MEASURED)
    for line in lines.within(wavelength[0], wavelength[-1]):
        free &= np.abs(wavelength - line.wavelength) > params.around
    if np.count_nonzero(free) < 20 * (params.order + 1):
        raise BadInput(
            "too little continuum is left between the lines and what has no value",
            file=frame.source,
            keyword="NAXIS1",
            found=f"{np.count_nonzero(free)} pixels",
            advice="--set normalise_continuum.around=0.3 leaves out less",
        )
    values = frame.data.astype(np.float64)
    level = continuum(wavelength, np.where(free, values, 0.0), free, params.order, params.turns)
    header = frame.header.copy()
    middle = float(level[len(level) // 2])
    header["CONTLEV"] = (round(middle, 3), "[DN] continuum in the middle")
    header["BNAME"] = "Intensity over that of the continuum"
    return frame.replace(data=values / level, header=header)


def axis(frame: Frame) -> F64:
    """Wavelengths in air, Å."""
    first, step_size = frame.keyword("CRVAL1", float), frame.keyword("CDELT1", float)
    return np.asarray(first + step_size * np.arange(len(frame.data)))
