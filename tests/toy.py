"""A small instrument that lives outside the package, found the way third parties' are."""

from __future__ import annotations

from pathlib import Path

from pipeline.testing import toy_frame

__all__ = ["install", "toy_frame"]

INSTRUMENT = """
name: toy
title: A toy camera
recognise:
  - {TELESCOP: TOY, DETECTOR: "CAM[12]"}
level: {keyword: LVL, values: {"0": "0", "1.5": "1.5", Q1: Q1, "1.0": "1"}}
date: {keywords: [DATE-OBS], time_keyword: TIME-OBS}
observation: "cam{camera}_{date:%Y%m%d}"
meta:
  camera: {keyword: DETECTOR, pattern: "CAM(.)"}
  position: {keyword: POLPOS}
  scan: {keyword: SCAN}
  steps: {keyword: NSTEPS}
"""

RECIPE = """
name: toy-l1
instrument: toy
from_level: "0"
to_level: "1"
version: 1
steps:
  - {step: shift, params: {by: 2.0}}
  - {step: scale, assume: {gain: unity}}
"""

#: The same step at two places, each with its own parameters.
TWICE = """
name: toy-twice
instrument: toy
from_level: "0"
to_level: "1"
version: 1
steps:
  - {step: shift, params: {by: 2.0}}
  - {step: brighten}
  - {step: shift, params: {by: 5.0}}
"""

#: Three positions of a polariser to one image, with a quick look beside it.
TRIPLET = """
name: toy-triplet
instrument: toy
from_level: "0"
to_level: "1"
version: 1
group_by: {values: [camera], member: position, members: [1, 2, 3], within: 60}
outputs: {glance: Q1}
steps:
  - {step: shift, params: {by: 2.0}}
  - {step: weigh}
  - {step: scale, assume: {gain: unity}}
"""

STEPS = '''
import os
import signal
import time

import numpy as np
from astropy.io import fits
from numba import njit
from pipeline.errors import BadInput, Fatal, Retriable
from pipeline.frame import Frame
from pipeline.quality import Quality
from pipeline.reduction import Reduced
from pipeline.step import Output, Params, ReferenceNeed, gather, step
from pipeline.uncertainty import KEPT, approximate, starts


class ShiftParams(Params):
    by: float = 1.0


@step("shift", version=3, prstep="BIAS-CORRECTION", instrument="toy", takes=("DN",))
def shift(frame, params: ShiftParams, references):
    """Add a constant."""
    if frame.header.get("BROKEN"):
        raise BadInput("the shutter was shut", file=frame.source, keyword="BROKEN", advice="open it")
    if frame.header.get("BUG"):
        raise ZeroDivisionError("a bug")
    if frame.header.get("KILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    if seconds := frame.header.get("SLOW"):
        time.sleep(float(seconds))
    if frame.header.get("AGAIN"):
        raise Retriable("the line was busy")
    if frame.header.get("DOOM"):
        raise Fatal("no frame will work")
    return frame.replace(data=frame.data + np.float32(params.by))


class ScaleParams(Params):
    pass


def read_gain(path):
    return float(open(path).read())


@step("scale", version=1, prstep="CALIBRATION", instrument="toy", takes=("DN",), gives="DN/s",
      needs=(ReferenceNeed("gain", "the gain table", unity_allowed=True),), memory_factor=4.0)
def scale(frame, params: ScaleParams, references):
    """Multiply by a gain."""
    gain = references["gain"].load(read_gain) if "gain" in references else 1.0
    return frame.replace(data=frame.data * np.float32(gain))


class HalveParams(Params):
    factor: int = 2


@step("halve", version=1, prstep="BINNING", instrument="toy",
      output_shape=lambda params, shape: (shape[0] // params.factor, shape[1] // params.factor))
def halve(frame, params: HalveParams, references):
    """Take every second pixel."""
    cut = slice(None, None, params.factor)
    return frame.replace(data=frame.data[cut, cut], quality=frame.quality[cut, cut])


class CarelessParams(Params):
    where: str = "data"


def read_table(path):
    return (np.arange(24.0).reshape(4, 6), {"rows": [np.ones(3)]})


@njit
def double(image):
    for i in range(image.shape[0]):
        image[i, 0] *= 2


@step("careless", version=1, prstep="CALIBRATION", instrument="toy",
      needs=(ReferenceNeed("table", "a table", optional=True),))
def careless(frame, params: CarelessParams, references):
    """Write into what was handed over: a mistake."""
    if params.where == "data":
        frame.data[0, 0] = 99
    elif params.where == "quality":
        frame.quality |= 1
    elif params.where == "out":
        np.multiply(frame.data, 2, out=frame.data)
    elif params.where == "sort":
        frame.data.sort()
    elif params.where == "kernel":
        double(frame.data)
    elif params.where == "reference":
        references["table"].load(read_table)[0][0] = 7
    elif params.where == "deep reference":
        references["table"].load(read_table)[1]["rows"][0] += 1
    elif params.where == "header":
        frame.header["BUNIT"] = "MSB"
    return frame


class GuessParams(Params):
    pass


@step("guess", version=1, prstep="NOISE-MODEL", instrument="toy", uncertainty=starts("photon noise"))
def guess(frame, params: GuessParams, references):
    """Photon noise of a camera that counts photons."""
    return frame.replace(uncertainty=np.sqrt(frame.data))


class BrightenParams(Params):
    pass


@step("brighten", version=1, prstep="MULTIPLICATION", instrument="toy",
      uncertainty=approximate("doubled; nothing is left out, really"))
def brighten(frame, params: BrightenParams, references):
    """Twice the light."""
    return frame.replace(data=frame.data * 2, uncertainty=frame.uncertainty_times(-2.0))


class MarkParams(Params):
    lie: str = ""


@step("mark", version=1, prstep="ANNOTATION", instrument="toy", uncertainty=KEPT)
def mark(frame, params: MarkParams, references):
    """Change a card."""
    frame.header["MARKED"] = True
    if params.lie == "kept":
        return frame.replace(data=frame.data + 1)
    if params.lie == "lost":
        return Frame(frame.data, frame.quality, frame.header)
    if params.lie == "negative":
        return frame.replace(uncertainty=-frame.uncertainty)
    return frame


class WeighParams(Params):
    first: float = 100.0


@gather("weigh", version=2, prstep="DEMODULATION", instrument="toy", takes=("DN",),
        outputs={"glance": Output(lambda params, shape: (shape[1] // 2, shape[2] // 2))})
def weigh(frames, params: WeighParams, references):
    """The frames in their order, each with ten times less weight, and every second pixel of it."""
    weights = [params.first / 10**n for n in range(len(frames))]
    data = sum(np.float32(weight) * frame.data for weight, frame in zip(weights, frames))
    quality = np.bitwise_or.reduce([frame.quality for frame in frames])
    made = frames[0].replace(data=data, quality=quality).with_caveat("weighed")
    if frames[0].header.get("FORGETS"):
        return made
    small = {"data": data[::2, ::2], "quality": quality[::2, ::2], "header": made.header.copy()}
    if small["header"].get("ANEW"):
        small["header"] = fits.Header([("BUNIT", "DN")])
    glance = made.without_uncertainty().replace(**small)
    return made.with_output("glance", glance)


class PileParams(Params):
    pass


@gather("pile", version=1, prstep="MAP", instrument="toy", output_shape=lambda params, shape: shape,
        output_dims=lambda params, dims: ("scan", *dims[1:]), dims=("y", "x"))
def pile(frames, params: PileParams, references):
    """The frames behind one another."""
    if frames[0].header.get("PLACED"):
        frames[0].header["CTYPE3"] = "SCAN"
    return frames[0].replace(
        data=np.stack([frame.data for frame in frames]),
        quality=np.stack([frame.quality for frame in frames]),
        dims=("scan", "y", "x"),
    )


class Total:
    """The sum of all frames, a reduction."""

    def map(self, block):
        return block.image.sum(axis=0), len(block.sources), frozenset(block.sources)

    def combine(self, first, second):
        return first[0] + second[0], first[1] + second[1], first[2] | second[2]

    def finish(self, partial):
        values, number, used = partial
        return Reduced(values, np.full(values.shape, number, np.int32), used)
'''


def install(site: Path) -> None:
    """Lay out a distribution that announces the instrument `toy` in a folder for `sys.path`."""
    package = site / "toy_camera"
    (package / "recipes").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "steps.py").write_text(STEPS)
    (package / "instrument.yaml").write_text(INSTRUMENT)
    (package / "recipes" / "l1.yaml").write_text(RECIPE)
    info = site / "toy_camera-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-camera\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[heliolake.instruments]\ntoy = toy_camera\n")
