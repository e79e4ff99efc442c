"""What the simulator takes the cameras to be: numbers of the mission's documents, and assumptions.

Cited: line times, clear, read-out delay and bias are those of the real headers
of 2025-06-22 (`resources`). 14000 DN as the level of saturation, the estimated
clear of 0.70 s and the on-board divisors are those of the mission's programs
(science.md §1). Exposures, sums and cadences are those of the observing
programme (real headers; Eyles et al. 2009, Solar Physics 254, 387).

Assumed, because no document at hand gives them: full well, read noise,
pixel-to-pixel response, vignetting, width of the point spread function, non-linearity,
shape and charge of cosmic-ray tracks, threshold of the scrubber. Every simulated header says
so (`ASSUMED`), and what matters of them for a test is a setting.
"""

from __future__ import annotations

from typing import Final

from pipeline.instruments.stereo_hi.facts import ESTIMATED_CLEAR, Detector

#: Seconds of a clear of the whole CCD, from the exposure's end to the read-out; DN of no light (headers).
CLEARTIM: Final = 0.544247984886
RO_DELAY: Final = 0.0237600002438
BIAS: Final = 684.844
#: Seconds a line is at rest beyond what EXPTIME counts (headers' comment on the clear; science.md §1).
REST_BEYOND_EXPTIME: Final = ESTIMATED_CLEAR - CLEARTIM + RO_DELAY
#: Largest number of the 14-bit converter (Eyles et al. 2009).
LARGEST_NUMBER: Final = 16383.0

#: Assumed: DN of a full pixel, a little above the 14000 that count as saturated.
FULL_WELL: Final = 15000.0
#: Assumed: noise of the read-out amplifier, electrons.
READ_NOISE: Final = 15.0
#: Assumed: standard deviation of the pixels' response, and what the optics lose at the CCD's sides.
PIXEL_RESPONSE: Final = 0.003
VIGNETTING: Final = 0.12
#: Assumed: standard deviation of a star's image on the axis, CCD pixels, and its growth to the edge along and
#: across the radius.
PSF_SIGMA: Final[dict[Detector, float]] = {"HI1": 1.2, "HI2": 1.6}
PSF_GROWTH: Final = (0.5, 0.2)
#: Assumed: electrons a cosmic ray leaves in each pixel of its track, mean; and mean pixels of a track.
HIT_CHARGE: Final = 3000.0
HIT_LENGTH: Final = 3.0
#: Assumed: by how many standard deviations of its noise, and by which share, a pixel must exceed its
#: predecessor to be scrubbed. Without the share, stars that drift are taken for cosmic rays.
SCRUB_THRESHOLD: Final = 5.0
SCRUB_SHARE: Final = 0.15

ASSUMED: Final = (
    f"full well {FULL_WELL:g} DN, read noise {READ_NOISE:g} e, response {PIXEL_RESPONSE:g}, vignetting "
    f"{VIGNETTING:g}, PSF, linearity, cosmic-ray tracks, scrub at {SCRUB_THRESHOLD:g} sigma"
)
