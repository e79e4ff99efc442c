"""The 180° ambiguity of azimuths from Stokes profiles, resolved by the potential field."""

from __future__ import annotations

import dataclasses
from typing import Final

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.inversion.disambiguation import disambiguated
from pipeline.step import Params, References, step
from pipeline.steps.inverting import AMBIGUOUS, MAPS
from pipeline.uncertainty import exact

_NEEDED: Final = ("field", "inclination", "azimuth")


class DisambiguateAzimuthParams(Params):
    """What has to be known of the map.

    Attributes
    ----------
    axis
        [deg] Of the direction of +Q from the x axis of the map, towards its y axis.
    """

    axis: float = 0.0


@step(
    "disambiguate_azimuth",
    version=1,
    prstep="AZIMUTH-DISAMBIGUATION",
    memory_factor=4.0,
    libraries=("numpy", "scipy"),
    dims=MAPS,
    uncertainty=exact("azimuths change by 180 degrees or not at all"),
)
def disambiguate_azimuth(frame: Frame, params: DisambiguateAzimuthParams, references: References) -> Frame:
    """Of two azimuths the one at an acute angle to the potential field of the line-of-sight component.

    Raises
    ------
    BadInput
        When the map does not have field, inclination and azimuth.
    """
    planes = {str(frame.header.get(f"PARNAM{number + 1}")): number for number in range(frame.data.shape[0])}
    if absent := [name for name in _NEEDED if name not in planes]:
        raise BadInput(
            f"the map has no plane of the {absent[0]}",
            file=frame.source,
            keyword="PARNAM1",
            found=", ".join(planes),
            advice="put a step that inverts the profiles before this one",
        )
    field, inclination, azimuth = (frame.data[planes[name]] for name in _NEEDED)
    steps = tuple(abs(frame.keyword(f"CDELT{axis}", float, default=1.0)) or 1.0 for axis in (2, 1))
    data = frame.data.copy()
    data[planes["azimuth"]] = disambiguated(
        field, inclination, azimuth, steps=(steps[0], steps[1]), axis=params.axis
    )
    header = frame.header.copy()
    header[f"PARNAM{planes['azimuth'] + 1}"] = ("azimuth", "of the field from +Q, 0 to 360 deg")
    made = frame.replace(data=data, header=header, uncertainty=frame.uncertainty)
    made = dataclasses.replace(made, caveats=tuple(one for one in made.caveats if one != AMBIGUOUS))
    return made.with_caveat(
        "of two azimuths the one nearer to the potential field was taken, with the line of sight as the "
        "vertical: wrong where the field is sheared, and far from the disk's centre",
        mode="POTENTIAL-ACUTE",
    )
