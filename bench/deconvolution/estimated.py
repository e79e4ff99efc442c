"""The PSF that frames themselves tell, and what it does to a frame that is none of them."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from bench.deconvolution.campaign import Case
from bench.deconvolution.measures import Judged
from bench.deconvolution.methods import ours
from bench.deconvolution.scenes import Optics, gentle, optics
from pipeline.errors import BadInput
from pipeline.instruments.aso_s_lst.psf import design
from pipeline.instruments.aso_s_lst.simulate import SimulationConfig, observed
from pipeline.psf.estimate import Design
from pipeline.psf.reduction import PsfOfFrames, Sums
from pipeline.psf.reference import Psf
from pipeline.reduction import StackBlock

#: Frames that a PSF is learnt from, and their side; hours between them, in which the Sun turns: what stands
#: at the limb is to be another in each.
FRAMES, SIZE, _HOURS = 6, 1024, 24.0
#: Of another Sun than the scenes'.
_SEED: Final = 11
#: Where the Moon stands before it, solar radii: distance of its middle, and its radius.
_MOON: Final = (0.75, 0.98)


class Learnt(NamedTuple):
    """What frames told of a PSF: it, or why they did not; and what comes of it, and of the true one."""

    psf: Psf | None
    why: str
    true: Judged
    told: Judged | None


def through() -> list[Optics]:
    """PSFs whose wings reach as far as those that are fitted."""
    side = Design().size
    return [*optics(side), gentle(side)]


def learnt(case: Case, frames: int = FRAMES) -> Learnt:
    """A PSF from frames of the scene's telescope, and the scene deconvolved with it and with the true one."""
    true, told = case.judge(ours()), _told(case.scene.name[:3], case.optics.name, frames)
    if isinstance(told, str):
        return Learnt(None, told, true, None)
    return Learnt(told, "", true, case.judge(ours(), Optics("estimated", told.kernel.astype(np.float64))))


@lru_cache(maxsize=16)
def _told(telescope: str, name: str, frames: int) -> Psf | str:
    """The PSF that frames tell, or why they do not: once for scenes of any noise."""
    (behind,) = (one for one in through() if one.name == name)
    try:
        return estimated(telescope, behind, frames)
    except BadInput as error:
        return str(error.found)


def estimated(telescope: str, behind: Optics, frames: int = FRAMES) -> Psf:
    """As ``heliolake reduce psf`` does: of WST the limb, of SDI the edge of the Moon before the Sun.

    Raises
    ------
    pipeline.errors.BadInput
        When the frames do not determine it.
    """
    reduction = PsfOfFrames(design)
    sums: Sums | None = None
    for number in range(frames):
        made = observed(_config(telescope, behind, number), psf=behind.kernel.astype(np.float32))
        quality = np.zeros((1, *made.data.shape), np.uint16)
        one = reduction.map(StackBlock(made.data[None], quality, (made.filename,), (made.header,)))
        sums = one if sums is None else reduction.combine(sums, one)
    found = reduction.finish(sums).psf if sums else None
    if found is None:
        raise ValueError("a PSF needs frames")
    return found


def _config(telescope: str, behind: Optics, number: int) -> SimulationConfig:
    first = SimulationConfig(size=SIZE, jitter=1.0, seed=_SEED, blur=behind.diffraction)
    turn = 0.5 * np.pi * number + 0.3
    away, radius = _MOON
    body = (away * np.cos(turn), away * np.sin(turn), radius) if telescope == "SDI" else None
    return first.model_copy(
        update={
            "telescope": telescope,
            "gain": "SINGLE" if telescope == "WST" else "LOW",
            "number": number,
            "start": first.start + timedelta(hours=_HOURS * number),
            "body": body,
        }
    )
