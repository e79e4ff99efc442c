"""Level 2: three polarised images to total and polarised brightness (science.md §2, "Polarisation")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import facts
from pipeline.step import Output, References, gather
from pipeline.steps.polarising import CARRIED, Polarisation, PolarisationParams, polarisation, together

#: Positions of the polariser wheel, in the order of the formulas.
_ORDER: Final = ("-60DEG", "0DEG", "+60DEG")
#: Cards that all images of a triplet have to share.
_ALIKE: Final = ("DETECTOR", "FILTER")
#: How far the Sun's centre may move between them, pixels.
_STEADY: Final = 0.5
#: The real images of 2000-09-03 (DeepRd) give a total some three times that of the clear image beside them.
_SCALE: Final = (
    "the scale of brightness behind polarisers is in doubt: whether the mission's factor 1/0.25256 makes up "
    "for the half of unpolarised light that a polariser stops is in no document at hand; if so, total and "
    "polarised brightness are twice too large; degree and angle are not touched"
)


def _same(params: PolarisationParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:]


@gather(
    "polarised_brightness",
    version=3,
    prstep="DEMODULATION",
    instrument="soho_lasco",
    takes=("MSB",),
    memory_factor=7.0,
    uncertainty=CARRIED,
    output_shape=_same,
    outputs={"total": Output(_same), "degree": Output(_same), "angle": Output(_same)},
)
def polarised_brightness(
    frames: Sequence[Frame], params: PolarisationParams, references: References
) -> Frame:
    """Polarised brightness of a triplet; total brightness, degree and angle beside it.

    Which image is which the header's POLAR says, whatever the file is called. What electrons scatter is
    polarised along the limb: that part alone has no bias. Light that is not polarised, of dust or strayed,
    adds nothing to it but its noise.
    """
    by_angle = _sorted(frames)
    first = by_angle[0]
    made = polarisation(by_angle, params)
    header = _header(by_angle, "PB", "Polarised brightness over the mean solar disk's (MSB)", made)
    result = first.replace(
        data=made.polarised, quality=made.quality, header=header, uncertainty=made.uncertainty
    )
    for name, values, unit, what, letter in (
        ("total", made.light.total, "MSB", "Total brightness over the mean solar disk's (MSB)", "TI"),
        ("degree", made.degree, "", "Degree of linear polarisation", "PP"),
        ("angle", made.light.angle, "deg", "Plane of polarisation from the polariser's zero", "PA"),
    ):
        header = _header(by_angle, letter, what, made)
        header["BUNIT"] = (unit, "unit of the image")
        result = result.with_output(name, first.replace(data=values, quality=made.quality, header=header))
    return _judged(made.warned(result), by_angle)


def _sorted(frames: Sequence[Frame]) -> list[Frame]:
    """The images in the order of the formulas."""
    by_angle = {facts.polariser(frame): frame for frame in frames}
    lacking = [angle for angle in _ORDER if angle not in by_angle]
    if lacking or len(frames) != len(_ORDER):
        raise BadInput(
            "a polarised image is made of one image each at -60, 0 and 60 degrees",
            file=frames[0].source,
            keyword="POLAR",
            found=", ".join(str(frame.header.get("POLAR")) for frame in frames),
            advice="choose the observations of one sequence; POLAR alone counts, not the names of files",
        )
    for name in _ALIKE:
        values = {str(frame.header.get(name)).strip() for frame in frames}
        if len(values) > 1:
            raise BadInput(
                "the images of a triplet were taken with different optics",
                file=frames[0].source,
                keyword=name,
                found=", ".join(sorted(values)),
                advice="choose the observations of one sequence",
            )
    return [by_angle[angle] for angle in _ORDER]


def _header(by_angle: Sequence[Frame], letter: str, what: str, made: Polarisation) -> fits.Header:
    header = together(by_angle)
    header["POLAR"] = (letter, "what was made of polarised images")
    header["BNAME"] = what
    made.stamp(header)
    return header


def _judged(result: Frame, by_angle: Sequence[Frame]) -> Frame:
    """The result saying how far its scale is known, and where the images do not lie on each other."""
    result = result.with_caveat(_SCALE, mode="SCALE-IN-DOUBT")
    places = np.array(
        [[frame.keyword(f"CRPIX{axis}", float, default=0.0) for axis in (1, 2)] for frame in by_angle]
    )
    moved = float(np.ptp(places, axis=0).max())
    if moved > _STEADY:
        return result.with_caveat(
            f"the Sun's centre moved by {moved:.2f} pixels between the three images, which were not shifted"
        )
    return result
