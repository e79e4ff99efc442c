"""The noise of level 1: what the deconvolution tells structure from."""

from __future__ import annotations

import numpy as np

from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst import facts
from pipeline.instruments.aso_s_lst.calibration_file import channel, level_1_channel, told
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import starts

#: Part of the high gain's range from which on the low gain's read-out counts; `merge_gains` blends there.
_FULL = 0.7


class NoiseParams(Params):
    """`noise_model` has nothing to choose."""


@step(
    "noise_model",
    version=1,
    prstep="CALIBRATION",
    instrument="aso_s_lst",
    takes=("DN",),
    memory_factor=3.0,
    needs=(ReferenceNeed("camera", "gains, read-out noise and largest numbers of the telescope's channels"),),
    uncertainty=starts("photons and read-out; flat, dark and stray light are left out"),
)
def noise_model(frame: Frame, params: NoiseParams, references: References) -> Frame:
    """One standard deviation of every pixel, from photons and the read-out of the gain that counts there."""
    camera = references["camera"]
    one = level_1_channel(camera, frame)
    electrons = np.maximum(np.nan_to_num(frame.data), 0.0) * np.float32(one.electrons)
    read = np.full_like(electrons, one.read_noise)
    if len(facts.OPTICS[facts.telescope(frame)].gains) > 1 and facts.telescope(frame) != "SCIWL":
        read[frame.data > _FULL * one.top] = channel(camera, frame, "LOW").read_noise
    sigma = np.sqrt(electrons + read**2) / np.float32(one.electrons)
    return told(frame.replace(uncertainty=sigma.astype(np.float32)), camera)
