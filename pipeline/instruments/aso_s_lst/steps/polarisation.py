"""Level 3.0 of SCIWL: total and polarised brightness of three polarised images."""

from __future__ import annotations

from collections.abc import Sequence

from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.kernels.triplet import ANGLES
from pipeline.step import Output, References, gather
from pipeline.steps.polarising import CARRIED, Polarisation, PolarisationParams, polarisation, together


def _same(params: PolarisationParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:]


@gather(
    "polarised_brightness",
    version=3,
    prstep="DEMODULATION",
    instrument="aso_s_lst",
    takes=("MSB",),
    memory_factor=7.0,
    uncertainty=CARRIED,
    output_shape=_same,
    outputs={"total": Output(_same), "degree": Output(_same)},
)
def polarised_brightness(
    frames: Sequence[Frame], params: PolarisationParams, references: References
) -> Frame:
    """Polarised brightness of a triplet; total brightness and degree of polarisation beside it.

    What electrons scatter is polarised along the limb: that part alone has no bias. The length of the
    polarisation, ``4/3 √((ΣI)² − 3 Σ I I')``, is never below zero and grows with the noise where it is faint.
    """
    by_angle = _sorted(frames)
    first = by_angle[0]
    made = polarisation(by_angle, params)
    header = _header(by_angle, "Polarised brightness over the mean solar disk's (MSB)", made)
    result = first.replace(
        data=made.polarised, quality=made.quality, header=header, uncertainty=made.uncertainty
    )
    for name, values, unit, what in (
        ("total", made.light.total, "MSB", "Total brightness over the mean solar disk's (MSB)"),
        ("degree", made.degree, "", "Degree of linear polarisation"),
    ):
        card = _header(by_angle, what, made)
        card["BUNIT"] = (unit, "unit of the image")
        if name == "degree":
            card["BTYPE"] = ("phys.polarization.linear;em.opt.R", "UCD 1+ of the values")
        result = result.with_output(name, first.replace(data=values, quality=made.quality, header=card))
    return made.warned(result)


def _sorted(frames: Sequence[Frame]) -> list[Frame]:
    by_angle = {frame.keyword("POLAR", float): frame for frame in frames}
    if len(frames) == len(ANGLES) and set(by_angle) == set(ANGLES):
        return [by_angle[angle] for angle in ANGLES]
    raise BadInput(
        "level 3 is made of one image each at -60, 0 and 60 degrees",
        file=frames[0].source,
        keyword="POLAR",
        found=", ".join(str(frame.header.get("POLAR")) for frame in frames),
        advice="choose the observations of one sequence",
    )


def _header(by_angle: Sequence[Frame], what: str, made: Polarisation) -> fits.Header:
    header = together(by_angle)
    header.remove("POLAR", ignore_missing=True)
    header["BNAME"] = what
    made.stamp(header)
    ends = [str(one.header["DATE-END"]) for one in by_angle if "DATE-END" in one.header]
    begins = [str(one.header["DATE-OBS"]) for one in by_angle]
    header["DATE-OBS"] = (min(begins), "begin of the first")
    if ends:
        header["DATE-END"] = (max(ends), "end of the last")
    return header
