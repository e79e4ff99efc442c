"""Level 1 of SDI and SCIUV: low and high gain of one exposure to one image of high dynamic range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst import facts
from pipeline.instruments.aso_s_lst.calibration_file import channel, read_calibration, told
from pipeline.kernels.gains import Line, fit_line, merge
from pipeline.quality import Quality, flagged
from pipeline.step import Params, ReferenceNeed, References, gather

_GAINS: Final = ("LOW", "HIGH")
#: Cards that both images of an exposure have to share.
_ALIKE: Final = ("DETECTOR", "EXPTIME", "SEQNUM")
#: What leaves a channel without a value; one that is full has the least that it can be.
_LOST: Final = Quality.MISSING | Quality.DEAD | Quality.OUTSIDE_FIELD
#: Spread of the values over that of a pixel's noise below which they tell no slope.
_LEAST_SPAN: Final = 5.0


class MergeParams(Params):
    """Parameters of the merging; the mission's own rule is not published.

    Attributes
    ----------
    full
        [1] Part of the high gain's largest number from which on the low gain alone counts.
    blend
        [1] Part of it over which one goes over into the other, below `full`.
    fewest
        Pixels without which the camera file's ratio is taken, and no line fitted.
    most_off
        [1] By which part the fitted ratio may differ from the camera file's without a caveat.
    """

    full: float = Field(default=0.8, gt=0, lt=1)
    blend: float = Field(default=0.15, gt=0, lt=1)
    fewest: int = Field(default=1000, ge=3)
    most_off: float = Field(default=0.03, gt=0)


def _one(params: MergeParams, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:]


@gather(
    "merge_gains",
    version=2,
    prstep="SUMMING",
    instrument="aso_s_lst",
    takes=("DN",),
    memory_factor=4.0,
    libraries=("numpy", "numba"),
    output_shape=_one,
    needs=(ReferenceNeed("camera", "gains, read-out noise and largest numbers of the telescope's channels"),),
)
def merge_gains(frames: Sequence[Frame], params: MergeParams, references: References) -> Frame:
    """One image in numbers of the high gain: ratio and offset of the channels fitted to the exposure itself.

    Where the high gain nears its end the low one takes over; below, each counts by its read-out's variance.
    Where both are full the value is the least that the light was, and flagged `SATURATED`.
    """
    low, high = _sorted(frames)
    camera = references["camera"]
    small, large = (channel(camera, frame, gain) for frame, gain in ((low, "LOW"), (high, "HIGH")))
    seen = [np.isfinite(frame.data) & ~flagged(frame.quality, _LOST) for frame in (low, high)]
    there = [
        one & ~flagged(frame.quality, Quality.SATURATED) for one, frame in zip(seen, (low, high), strict=True)
    ]
    ratio = float(camera.load(read_calibration).cards.get("HDRRATIO", small.electrons / large.electrons))
    noise = small.read_noise / small.electrons, large.read_noise / large.electrons
    single = float(np.hypot(ratio * noise[0], noise[1]))
    first = Line(ratio, 0.0, 3.0 * single, 0, 0.0)
    end = params.full * large.top
    usable = there[0] & there[1] & ~flagged(low.quality | high.quality, Quality.HOT)
    line = fit_line(low.data, high.data, usable, first, 5.0 * single, end, noise[0] / noise[1])
    fitted = line.pixels >= params.fewest and line.span > _LEAST_SPAN * single
    if not fitted:
        line = first
    share = (ratio * noise[0]) ** 2 / single**2
    switch = (end - params.blend * large.top, end)
    data = merge(low.data, high.data, there[0], there[1], line, switch, share)
    # Where all that was seen is full the Sun is at least that bright: a hole would be filled from around it.
    for one, values in ((seen[1], high.data), (seen[0], line.slope * low.data + line.offset)):
        full = one & ~(there[0] | there[1])
        data[full] = values[full]
    made = high.replace(data=data, quality=_flags(low, high, seen, there), header=high.header.copy())
    header = made.header
    header["GAIN"] = ("HDR", "low and high gain merged")
    header["HDRGAIN"] = (line.slope, "numbers of the high gain in one of the low")
    header["HDROFFS"] = (line.offset, "[DN] offset of that line")
    header["HDRNPIX"] = (line.pixels if fitted else 0, "pixels it was fitted to")
    header["HDRRMS"] = (line.scatter if fitted else 0.0, "[DN] of pixels about it")
    made = told(made, camera)
    return _judged(made, line, ratio, params, fitted=fitted)


def _sorted(frames: Sequence[Frame]) -> tuple[Frame, Frame]:
    by_gain = {facts.gain(frame.header): frame for frame in frames}
    if len(frames) != len(_GAINS) or set(by_gain) != set(_GAINS):
        raise BadInput(
            "an image of high dynamic range is made of one low and one high gain",
            file=frames[0].source,
            keyword="GAIN",
            found=", ".join(str(frame.header.get("GAIN")) for frame in frames),
            advice="choose both channels of an exposure",
        )
    for name in _ALIKE:
        values = {str(frame.header.get(name)).strip() for frame in frames}
        if len(values) > 1:
            raise BadInput(
                "low and high gain are not of one exposure",
                file=frames[0].source,
                keyword=name,
                found=", ".join(sorted(values)),
                advice="choose both channels of an exposure",
            )
    return by_gain["LOW"], by_gain["HIGH"]


def _flags(
    low: Frame, high: Frame, seen: Sequence[NDArray[np.bool_]], there: Sequence[NDArray[np.bool_]]
) -> NDArray[np.uint16]:
    """Flags of what was taken: a channel that is full is none where the other is not."""
    taken = np.where(there[1] | (seen[1] & ~seen[0]), high.quality, low.quality)
    # What is wrong with a pixel itself holds for both.
    pixel = (low.quality | high.quality) & np.uint16(Quality.HOT | Quality.DEAD | Quality.OUTSIDE_FIELD)
    any_seen = seen[0] | seen[1]
    quality = np.where(any_seen, taken | pixel, low.quality | high.quality)
    one_lost = flagged(low.quality ^ high.quality, Quality.MISSING) & any_seen
    lost = np.uint16(Quality.MISSING)
    quality = np.where(one_lost, (quality & ~lost) | np.uint16(Quality.LOW_CONFIDENCE), quality)
    full = flagged(high.quality, Quality.SATURATED) & there[0]
    return np.where(full, quality & np.uint16(~int(Quality.SATURATED) & 0xFFFF), quality).astype(np.uint16)


def _judged(made: Frame, line: Line, ratio: float, params: MergeParams, *, fitted: bool) -> Frame:
    if not fitted:
        return made.with_caveat(
            "merge_gains: too little of the image lies in the range of both gains; their ratio is the camera "
            "file's",
            mode="NOMINAL-RATIO",
        )
    off = abs(line.slope / ratio - 1.0)
    if off > params.most_off:
        return made.with_caveat(
            f"merge_gains: the ratio of the gains is off the camera file's by {off:.1%}; the fitted one was "
            "taken"
        )
    return made
