"""Level 1.5: where the Sun's centre lies."""

from __future__ import annotations

from pydantic import Field

from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst import facts
from pipeline.step import Params, References, step
from pipeline.steps import align_to_reference as generic
from pipeline.steps.limb_fit import LimbFitParams, limb_fit
from pipeline.uncertainty import KEPT


class SunCentreParams(Params):
    """Parameters of the search for the Sun's centre.

    Attributes
    ----------
    sectors
        Profiles across the limb.
    tolerance
        [1] By which part of itself the radius may differ from RSUN_OBS / CDELT1 of the header.
    """

    sectors: int = Field(default=720, ge=36, le=7200)
    tolerance: float = Field(default=0.05, gt=0, lt=1)


@step(
    "sun_centre",
    version=1,
    prstep="SPATIAL-COORDINATE-CORRECTION",
    instrument="aso_s_lst",
    memory_factor=1.5,
    libraries=("numpy", "numba"),
    uncertainty=KEPT,
)
def sun_centre(frame: Frame, params: SunCentreParams, references: References) -> Frame:
    """SDI and WST: the Sun's centre and radius by the limb. Coronagraphs hide it: the header's stays.

    The plate scale stays the header's: the limb in Lyman alpha stands higher than that of RSUN_OBS.
    """
    if facts.OPTICS[facts.telescope(frame)].disk:
        wanted = LimbFitParams(sectors=params.sectors, tolerance=params.tolerance, scale="as it is")
        return limb_fit(frame, wanted, references)
    header = frame.header.copy()
    header["R_SUN"] = (facts.disk(frame).radius, "[pixel] RSUN_OBS over CDELT1")
    return frame.replace(header=header)


class AlignTelescopeParams(Params):
    """Parameters of the alignment; see the generic step of this name.

    Attributes
    ----------
    clearness
        [1] Height over that of the next peak from which on the turn of best correlation is believed.
    tolerance
        [deg] How far CROTA2 may be off without a caveat.
    most_days
        [d] Largest time between frame and reference.
    """

    clearness: float = Field(default=1.5, gt=1)
    tolerance: float = Field(default=0.1, gt=0)
    most_days: float = Field(default=2.0, gt=0)


@step(
    "align_to_reference",
    version=1,
    prstep="SPATIAL-COORDINATE-CORRECTION",
    instrument="aso_s_lst",
    memory_factor=2.0,
    libraries=("numpy", "numba", "scipy"),
    needs=(generic.NEED,),
    uncertainty=KEPT,
)
def align_to_reference(frame: Frame, params: AlignTelescopeParams, references: References) -> Frame:
    """Roll by correlation with a reference frame: on the disk, or in the corona with the Sun's centre too."""
    wanted = generic.AlignParams.model_validate(params.model_dump())
    if not facts.OPTICS[facts.telescope(frame)].disk:
        wanted = wanted.model_copy(update={"inner": 1.2, "outer": 2.3, "shift": True})
    return generic.align_to_reference(frame, wanted, references)
