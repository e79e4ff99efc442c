"""What is uncertain in a level-0 image, before its smear is removed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline import noise
from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import facts
from pipeline.instruments.stereo_hi.steps import onboard
from pipeline.step import Params, References, step
from pipeline.uncertainty import starts

#: Electrons per DN of the SECCHI cameras: the gain in SolarSoft's get_calfac (there for EUVI, whose CCD and
#: electronics are those of HI). With it HI saturates (14000 DN, §1) at 210,000 electrons.
ELECTRONS_PER_DN: Final = 15.0


class NoiseParams(Params):
    """The camera.

    Attributes
    ----------
    electrons_per_dn
        [electron/DN] Gain of the camera.
    read_noise
        [electron] Noise of one read of one CCD pixel. 0 leaves it out: no published
        figure is at hand, and the sky's photons outweigh any likely one.
    """

    electrons_per_dn: float = Field(default=ELECTRONS_PER_DN, gt=0)
    read_noise: float = Field(default=0.0, ge=0)


@step(
    "noise_model",
    version=1,
    prstep="NOISE-MODEL",
    instrument="stereo_hi",
    takes=("DN",),
    memory_factor=4.0,
    uncertainty=starts(
        "photons, reads and roundings of every exposure, pixels the scrubber took from another exposure, "
        "roundings behind divisions and roots on board"
    ),
)
def noise_model(frame: Frame, params: NoiseParams, references: References) -> Frame:
    """One standard deviation of every pixel, DN of the whole sum.

    A pixel is a sum of N exposures of b² CCD pixels, each read and rounded by
    itself: ``σ² = S/g + N b² (r²/g² + 1/12)`` with the signal S in DN, g the
    gain in electrons per DN and r the read noise in electrons. A hit that the
    scrubber replaced by the exposure before makes two of the N terms one and
    the same: for a share p of replaced pixels (CRTOTAL) the variance is
    ``1 + 2p`` times that. Rounding of what was divided or rooted on board is
    added at last (`rounding_on_board`).
    """
    reads = facts.images_summed(frame) * facts.binning(frame, "SUMMED") ** 2
    exposed = noise.quadrature(
        noise.shot(frame.data, 1.0 / params.electrons_per_dn),
        noise.read(params.read_noise, params.electrons_per_dn, reads),
        noise.quantisation(1.0, reads),
    )
    sigma = noise.quadrature(
        exposed * np.float32(np.sqrt(1.0 + 2.0 * _share_scrubbed(frame))), rounding_on_board(frame)
    )
    return frame.replace(uncertainty=np.where(np.isfinite(frame.data), sigma, np.float32(np.nan)))


def rounding_on_board(frame: Frame) -> NDArray[np.float32]:
    """Deviation left by storing whole numbers behind divisions and roots, DN; 0 where nothing was divided.

    The image is ``(h q)^m d`` of the stored number q, with m = 2 for each root
    taken. An error δ of q makes ``m S^(1 − 1/m) d^(1/m) h δ`` of it, and δ of a
    rounded number is 1/√12.
    """
    codes = facts.codes(frame)
    total = frame.keyword("SEBFACT", float, default=1.0)
    power = 2 ** codes.count(onboard.ROOTED)
    if total == 1.0 and power == 1:
        return np.zeros((), np.float32)
    halvings = onboard.halving_factor(codes, undone=False)
    divisions = total / halvings
    signal = np.maximum(frame.data, np.float32(0.0))
    slope = (
        power * signal ** np.float32(1.0 - 1.0 / power) * np.float32(divisions ** (1.0 / power) * halvings)
    )
    return noise.quantisation(slope)


def _share_scrubbed(frame: Frame) -> float:
    """Share of all pixels of all exposures that the scrubber replaced; 0 where the report does not tell."""
    total = frame.keyword("CRTOTAL", float, default=-1.0)
    return max(total, 0.0) / (facts.images_summed(frame) * frame.data.size)
