"""What is known of LST's optics before flight, and the reduction that learns the rest from frames.

WST sees the photosphere, whose limb is an edge. In Lyman α the limb fades over several pixels: SDI needs
frames in which the Moon stands before the Sun. No document at hand has the PSFs that were measured in the
laboratory, nor the telescopes' apertures: what frames do not determine stands as it is, and the reference
says so. Where a header names the aperture (`APTDIA`), diffraction is known; where it names the area through
which light falls, too (`APTAREA`), the obstruction in its middle. Both are keywords of SBIG's FITS extensions
(SBFITSEXT 1.0), in mm and mm², the obstruction taken off the area.
"""

from __future__ import annotations

import math
from typing import Final

from astropy.io import fits

from pipeline.psf.estimate import Design
from pipeline.psf.reduction import psf_reduction

#: Of the aperture's area: no telescope covers as much of it.
_COVERED: Final = 0.8


def design(header: fits.Header) -> Design | None:
    """What is known of the telescope of a frame; `None` of frames that do not show the disk as it is."""
    telescope = str(header.get("DETECTOR", "")).strip().upper()
    # Behind the Earth's air it is visible light that is left, and no edge of a body.
    if telescope not in ("SDI", "WST") or header.get("EARTHECL", False):
        return None
    return Design(
        q=_diffraction(header),
        obstruction=_obstruction(header),
        sharp=telescope == "WST",
        tiles=telescope == "WST",
    )


def _diffraction(header: fits.Header) -> float | None:
    """λ/D in pixels, of `WAVELNTH` (nm), `APTDIA` (mm), `CDELT1` (arcsec); `None` where one is not told."""
    numbers = _numbers(header, "WAVELNTH", "APTDIA", "CDELT1")
    if numbers is None:
        return None
    wavelength, aperture, scale = numbers
    return math.degrees(1e-6 * wavelength / aperture) * 3600.0 / scale


def _obstruction(header: fits.Header) -> float | None:
    """Its diameter over the aperture's, of `APTDIA` (mm), `APTAREA` (mm²); `None` where it is not told."""
    numbers = _numbers(header, "APTDIA", "APTAREA")
    if numbers is None:
        return None
    aperture, area = numbers
    covered = 1.0 - area / (0.25 * math.pi * aperture**2)
    # Rounded numbers of a clear aperture may be a little more than all of it.
    return math.sqrt(max(covered, 0.0)) if -0.01 < covered < _COVERED else None


def _numbers(header: fits.Header, *names: str) -> list[float] | None:
    """Values without their sign; `None` where one is not told, or is no size of anything."""
    told = [header.get(name) for name in names]
    numbers = [abs(float(one)) for one in told if isinstance(one, (int, float))]
    whole = len(numbers) == len(told) and all(0.0 < one < math.inf for one in numbers)
    return numbers if whole else None


PSF = psf_reduction("aso_s_lst", level="1", designs=design, alike=("telescope",))
