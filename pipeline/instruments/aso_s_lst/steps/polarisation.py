"""Level 3.0 of SCIWL: total and polarised brightness of three polarised images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.kernels.triplet import stokes
from pipeline.step import Output, Params, References, gather

_ANGLES: Final = (-60.0, 0.0, 60.0)


class PolarisationParams(Params):
    """`polarised_brightness` has nothing to choose."""


def _same(params: PolarisationParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:]


@gather(
    "polarised_brightness",
    version=1,
    prstep="DEMODULATION",
    instrument="aso_s_lst",
    takes=("MSB",),
    memory_factor=3.0,
    output_shape=_same,
    outputs={"total": Output(_same), "degree": Output(_same)},
)
def polarised_brightness(
    frames: Sequence[Frame], params: PolarisationParams, references: References
) -> Frame:
    """Polarised brightness of a triplet; total brightness and degree of polarisation beside it."""
    by_angle = _sorted(frames)
    first = by_angle[0]
    made = stokes(*(frame.data for frame in by_angle))
    quality = np.bitwise_or.reduce([frame.quality for frame in by_angle])
    header = _header(by_angle, "Polarised brightness over the mean solar disk's (MSB)")
    result = first.replace(data=made.polarised, quality=quality, header=header)
    for name, values, unit, what in (
        ("total", made.total, "MSB", "Total brightness over the mean solar disk's (MSB)"),
        ("degree", made.degree, "", "Degree of linear polarisation"),
    ):
        card = _header(by_angle, what)
        card["BUNIT"] = (unit, "unit of the image")
        result = result.with_output(name, first.replace(data=values, quality=quality, header=card))
    return result


def _sorted(frames: Sequence[Frame]) -> list[Frame]:
    by_angle = {frame.keyword("POLAR", float): frame for frame in frames}
    if len(frames) == len(_ANGLES) and set(by_angle) == set(_ANGLES):
        return [by_angle[angle] for angle in _ANGLES]
    raise BadInput(
        "level 3 is made of one image each at -60, 0 and 60 degrees",
        file=frames[0].source,
        keyword="POLAR",
        found=", ".join(str(frame.header.get("POLAR")) for frame in frames),
        advice="choose the observations of one sequence",
    )


def _header(by_angle: Sequence[Frame], what: str) -> fits.Header:
    header = by_angle[0].header.copy()
    header.remove("POLAR", ignore_missing=True)
    header["BNAME"] = what
    header["EXPTIME"] = (sum(frame.keyword("EXPTIME", float) for frame in by_angle), "[s] of all three")
    ends = [str(one.header["DATE-END"]) for one in by_angle if "DATE-END" in one.header]
    begins = [str(one.header["DATE-OBS"]) for one in by_angle]
    header["DATE-OBS"] = (min(begins), "begin of the first")
    if ends:
        header["DATE-END"] = (max(ends), "end of the last")
    for number, frame in enumerate(by_angle, start=1):
        header[f"POLFIL{number}"] = (
            str(frame.header.get("FILENAME", frame.source)),
            f"at {_ANGLES[number - 1]:g} deg",
        )
    return header
