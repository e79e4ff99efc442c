"""Level 3.0 of SCIWL: total and polarised brightness of three polarised images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from astropy.io import fits
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.kernels.triplet import AlongLimb, along_limb, stokes
from pipeline.quality import UNUSABLE, flagged
from pipeline.step import Output, Params, References, gather

_ANGLES: Final = (-60.0, 0.0, 60.0)


class PolarisationParams(Params):
    """Parameters of the polarised brightness.

    Attributes
    ----------
    significance
        [sigma] How clearly polarisation has to lie along the limb for that part alone to be taken.
    """

    significance: float = Field(default=10.0, ge=3)


def _same(params: PolarisationParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:]


@gather(
    "polarised_brightness",
    version=2,
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
    """Polarised brightness of a triplet; total brightness and degree of polarisation beside it.

    What electrons scatter is polarised along the limb: that part alone has no bias. The length of the
    polarisation, ``4/3 √((ΣI)² − 3 Σ I I')``, is never below zero and grows with the noise where it is faint.
    """
    by_angle = _sorted(frames)
    first = by_angle[0]
    made = stokes(*(frame.data for frame in by_angle))
    quality = np.bitwise_or.reduce([frame.quality for frame in by_angle])
    y, x = np.indices(first.data.shape, dtype=np.float64)
    west, north = (at + 1.0 - first.keyword(f"CRPIX{axis}", float) for axis, at in ((1, x), (2, y)))
    along = along_limb(made, np.asarray(west), np.asarray(north), ~flagged(quality, UNUSABLE))
    clear = along.significance >= params.significance
    polarised = along.polarised if clear else made.polarised
    with np.errstate(divide="ignore", invalid="ignore"):
        degree = np.where(made.total > 0, polarised / made.total, np.float32(np.nan))
    header = _header(by_angle, "Polarised brightness over the mean solar disk's (MSB)", along, clear=clear)
    result = first.replace(data=polarised, quality=quality, header=header)
    for name, values, unit, what in (
        ("total", made.total, "MSB", "Total brightness over the mean solar disk's (MSB)"),
        ("degree", degree, "", "Degree of linear polarisation"),
    ):
        card = _header(by_angle, what, along, clear=clear)
        card["BUNIT"] = (unit, "unit of the image")
        if name == "degree":
            card["BTYPE"] = ("phys.polarization.linear;em.opt.R", "what the values are, UCD 1+")
        result = result.with_output(name, first.replace(data=values, quality=quality, header=card))
    if clear:
        return result
    return result.with_caveat(
        f"polarised_brightness: polarisation does not lie along the limb ({along.significance:.1f} sigma): "
        "its length was taken, which noise makes too large where it is faint",
        mode="LENGTH",
    )


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


def _header(by_angle: Sequence[Frame], what: str, along: AlongLimb, *, clear: bool) -> fits.Header:
    header = by_angle[0].header.copy()
    # XPOSURE is that of one image; it is told anew, of EXPTIME.
    for card in ("POLAR", "XPOSURE"):
        header.remove(card, ignore_missing=True)
    header["BNAME"] = what
    header["POLALONG"] = (clear, "the part along the limb; else its length")
    header["POLSIGMA"] = (along.significance, "how clearly it lies along the limb")
    if clear:
        header["POLZERO"] = (along.zero, "[deg] polariser's zero from north, found")
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
