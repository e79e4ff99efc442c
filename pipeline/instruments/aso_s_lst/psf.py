"""What is known of LST's optics before flight, and the reduction that learns the rest from frames.

WST sees the photosphere, whose limb is an edge. In Lyman α the limb fades over several pixels: SDI needs
frames in which the Moon stands before the Sun. No document at hand has the PSFs that were measured in the
laboratory: what frames do not determine stands as it is, and the reference says so.
"""

from __future__ import annotations

from astropy.io import fits

from pipeline.psf.estimate import Design
from pipeline.psf.reduction import psf_reduction


def design(header: fits.Header) -> Design | None:
    """What is known of the telescope of a frame; `None` of frames that do not show the disk as it is."""
    telescope = str(header.get("DETECTOR", "")).strip().upper()
    # Behind the Earth's air it is visible light that is left, and no edge of a body.
    if telescope not in ("SDI", "WST") or header.get("EARTHECL", False):
        return None
    return Design(sharp=telescope == "WST")


PSF = psf_reduction("aso_s_lst", level="1", designs=design, alike=("telescope",))
