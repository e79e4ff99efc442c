"""What is known of LARS, and what a header says of an exposure.

Sources: Doerr (2015), PhD thesis (resolving power, accuracy); Löhner-Böttcher et al. (2017), A&A 607, A12
(comb of 8 GHz); Löhner-Böttcher et al. (2018), A&A 611, A4 (velocities); the CDS catalogue J/A+A/624/A57
(spectral regions). The cards of raw exposures are this project's own: no document at hand has those of the
instrument.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instrument import parse_date

F64 = NDArray[np.float64]

#: m/s
LIGHT: Final = 299_792_458.0
#: Resolving power (Doerr 2015).
RESOLVING_POWER: Final = 7e5
#: Hz between two modes of the comb (Löhner-Böttcher et al. 2017).
COMB_SPACING: Final = 8e9
#: The VTT on Tenerife: degrees north and east, metres (28°18'06" N, 16°30'36" W).
VTT: Final = (28.30167, -16.51, 2390.0)
#: Å; wider than any spectrograph behind the VTT.
_SHORTEST, _LONGEST = 1e3, 1e5
#: Where the exposures of a cycle stand in it.
BEFORE: Final = "before"
SUN: Final = "sun"
AFTER: Final = "after"


class Nominal(NamedTuple):
    """The setting of the grating as the header has it, good to a fraction of the comb's spacing.

    Attributes
    ----------
    first
        Vacuum wavelength of the first pixel, Å.
    step
        Å per pixel.
    """

    first: float
    step: float

    def at(self, pixel: F64) -> F64:
        """Vacuum wavelengths of pixels, Å."""
        return np.asarray(self.first + self.step * pixel)


def phase(frame: Frame) -> str:
    """Where an exposure stands in its cycle."""
    return frame.keyword("PHASE", str).lower()


def nominal(frame: Frame) -> Nominal:
    """The setting of the grating.

    Raises
    ------
    BadInput
        When the header has none, or no step.
    """
    step = frame.keyword("CDELT1", float)
    if step == 0.0:
        raise BadInput(
            "the wavelength does not change along the spectrum",
            file=frame.source,
            keyword="CDELT1",
            found="0",
            advice="correct the header: CDELT1 is in Angstrom per pixel",
        )
    first = frame.keyword("CRVAL1", float) + (1.0 - frame.keyword("CRPIX1", float)) * step
    last = first + step * (len(frame.data) - 1)
    if not all(_SHORTEST <= one <= _LONGEST for one in (first, last)):
        raise BadInput(
            "the grating's setting is no wavelength that the spectrograph sees",
            file=frame.source,
            keyword="CRVAL1, CRPIX1, CDELT1",
            found=f"{first:.6g} to {last:.6g} Angstrom",
            advice="correct the header: wavelengths are in Angstrom",
        )
    return Nominal(first, step)


def middle(frame: Frame) -> datetime:
    """The middle of an exposure, UTC.

    Raises
    ------
    BadInput
        When the header has no date.
    """
    said = frame.keyword("DATE-AVG", str, default="")
    text = said or frame.keyword("DATE-OBS", str)
    found = parse_date(text)
    if found is None:
        raise BadInput(
            "the date of the exposure cannot be read",
            file=frame.source,
            keyword="DATE-AVG" if said else "DATE-OBS",
            found=text,
            advice="write it as YYYY-MM-DDThh:mm:ss.sss",
        )
    seconds = 0.0 if said else 0.5 * frame.keyword("EXPTIME", float, default=0.0)
    return found + timedelta(seconds=seconds)
