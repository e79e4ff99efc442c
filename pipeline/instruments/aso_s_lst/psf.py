"""What is known of LST's optics before flight, and the reduction that learns the rest from frames.

WST sees the photosphere, whose limb is an edge. In Lyman α the limb fades over several pixels: SDI needs
frames in which the Moon stands before the Sun. No document at hand has the PSFs that were measured in the
laboratory, nor the telescopes' apertures: what frames do not determine stands as it is, and the reference
says so. Where a header names the aperture (`APTDIA`), diffraction is known.
"""

from __future__ import annotations

import math

from astropy.io import fits

from pipeline.psf.estimate import Design
from pipeline.psf.reduction import psf_reduction


def design(header: fits.Header) -> Design | None:
    """What is known of the telescope of a frame; `None` of frames that do not show the disk as it is."""
    telescope = str(header.get("DETECTOR", "")).strip().upper()
    # Behind the Earth's air it is visible light that is left, and no edge of a body.
    if telescope not in ("SDI", "WST") or header.get("EARTHECL", False):
        return None
    return Design(q=_diffraction(header), sharp=telescope == "WST", tiles=telescope == "WST")


def _diffraction(header: fits.Header) -> float | None:
    """λ/D in pixels, of `WAVELNTH` (nm), `APTDIA` (mm), `CDELT1` (arcsec); `None` where one is not told."""
    told = [header.get(name) for name in ("WAVELNTH", "APTDIA", "CDELT1")]
    numbers = [abs(float(one)) for one in told if isinstance(one, (int, float))]
    if len(numbers) < len(told) or not all(0.0 < one < math.inf for one in numbers):
        return None
    wavelength, aperture, scale = numbers
    return math.degrees(1e-6 * wavelength / aperture) * 3600.0 / scale


PSF = psf_reduction("aso_s_lst", level="1", designs=design, alike=("telescope",))
