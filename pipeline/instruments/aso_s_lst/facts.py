"""The four telescopes of LST: what steps and simulator have to know of each.

Passbands and fields are published (arXiv 2012.10110, 2505.16218); the side of the coronagraphs' detector is
assumed, for no document at hand has it. All that calibrates values is a reference, and stands nowhere here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame

Telescope = Literal["SDI", "WST", "SCIUV", "SCIWL"]
TELESCOPES: Final[tuple[Telescope, ...]] = get_args(Telescope)
Gain = Literal["LOW", "HIGH", "SINGLE"]
#: What level 2 is in.
RADIANCE: Final = "erg s-1 cm-2 sr-1"


@dataclass(frozen=True)
class Optics:
    """One telescope.

    Attributes
    ----------
    size
        Pixels along a side of its detector.
    scale
        Arcseconds of a pixel.
    disk
        Whether it shows the disk and its limb; the others hide it behind an occulter.
    field
        Distances from the Sun's centre between which it sees, solar radii.
    wavelength, width
        Nanometres: middle of the passband, and half its width.
    gains
        Channels that each exposure is read out through.
    unit
        Of level 2.
    band
        Of the spectrum, as UCD 1+ names it.
    """

    size: int
    scale: float
    disk: bool
    field: tuple[float, float]
    wavelength: float
    width: float
    gains: tuple[Gain, ...]
    unit: str
    band: str


OPTICS: Final[dict[Telescope, Optics]] = {
    "SDI": Optics(4608, 0.5, True, (0.0, 1.2), 121.6, 4.5, ("LOW", "HIGH"), RADIANCE, "em.UV.100-200nm"),
    "WST": Optics(4608, 0.5, True, (0.0, 1.2), 360.0, 2.0, ("SINGLE",), RADIANCE, "em.opt.U"),
    "SCIUV": Optics(2048, 2.35, False, (1.1, 2.5), 121.6, 10.0, ("LOW", "HIGH"), RADIANCE, "em.UV.100-200nm"),
    "SCIWL": Optics(2048, 2.35, False, (1.1, 2.5), 700.0, 40.0, ("LOW", "HIGH"), "MSB", "em.opt.R"),
}


class Disk(NamedTuple):
    """The Sun's disk in an image, pixels counted from 0."""

    x: float
    y: float
    radius: float


def telescope(frame: Frame) -> Telescope:
    """Which of the four it is.

    Raises
    ------
    BadInput
        When DETECTOR names none of them.
    """
    found = frame.keyword("DETECTOR", str).upper()
    if found in TELESCOPES:
        return found
    raise BadInput(
        "DETECTOR names no telescope of LST",
        file=frame.source,
        keyword="DETECTOR",
        found=found,
        advice=f"it is one of {', '.join(TELESCOPES)}",
    )


def gain(header: fits.Header) -> str:
    """The channel an image was read out through: LOW, HIGH or SINGLE."""
    return str(header.get("GAIN", "SINGLE")).strip().upper()


def disk(frame: Frame) -> Disk:
    """Where the Sun's disk lies, as the header has it: R_SUN of a limb fit, else RSUN_OBS over the scale."""
    x, y = (frame.keyword(f"CRPIX{axis}", float) - 1.0 for axis in (1, 2))
    radius = frame.keyword("R_SUN", float, default=0.0)
    if radius <= 0:
        radius = frame.keyword("RSUN_OBS", float) / abs(frame.keyword("CDELT1", float))
    return Disk(x, y, radius)
