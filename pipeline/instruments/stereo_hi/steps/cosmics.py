"""Step 2, end: the report of the cosmic-ray scrubber, hidden in a corner of the image (science.md §1)."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import facts
from pipeline.quality import Quality
from pipeline.step import Params, References, step

Corner = Literal["last", "first"]
#: No cosmic ray hit these pixels, or no more than others: they only had to hold the report.
_REPLACED: Final = np.uint16(Quality.INTERPOLATED)


class CosmicsParams(Params):
    """`cosmic_ray_report` has nothing to choose: the counter pixel decides."""


class Report(NamedTuple):
    """A report found in an image.

    Attributes
    ----------
    corner
        ``last``: end of the last line; ``first``: start of the first line.
    counts
        Pixels scrubbed in each exposure, in the order of the exposures.
    recovered
        Whether the counter had to be searched for.
    """

    corner: Corner
    counts: NDArray[np.float32]
    recovered: bool


@step(
    "cosmic_ray_report",
    version=3,
    prstep="PIXEL-FILLING",
    instrument="stereo_hi",
    takes=("DN",),
)
def cosmic_ray_report(frame: Frame, params: CosmicsParams, references: References) -> Frame:
    """Read the scrubber's report out of the corner and put the neighbouring line in its place.

    A sum of N exposures ends with N counts and, before them, the number N
    itself: the counter. Images turned by 180° carry it mirrored at their
    start. Published descriptions disagree on which spacecraft has which
    corner, so the counter is looked for at both (§1, "Cosmic-ray report").
    CRNREP and CRTOTAL hold the number of counts and their sum, −1 when the
    report was not found.
    """
    sequence = frame.keyword("IMGSEQ", int, default=0)
    if not facts.is_science_sum(frame) or (facts.images_summed(frame) <= 1 and sequence <= 1):
        return frame
    expected: Corner = "first" if facts.orientation(frame).turned else "last"
    report = find_report(frame.data, sequence + 1, expected)
    header = frame.header.copy()
    header["CRNREP"] = (-1 if report is None else report.counts.size, "exposures in the cosmic-ray report")
    header["CRTOTAL"] = (-1.0 if report is None else float(report.counts.sum()), "pixels scrubbed on board")
    frame = frame.replace(header=header)
    if report is None:
        return _doubted(frame, sequence + 2).with_caveat(
            f"the cosmic-ray report of {sequence + 1} exposures was not found in either corner; "
            "the pixels that may hold it were left in the image and are flagged as of low confidence",
            mode="REPORT-NOT-FOUND",
        )
    if report.recovered:
        frame = frame.with_caveat(
            f"the counter of the cosmic-ray report was not where it belongs; {report.counts.size} "
            f"of {sequence + 1} counts were recovered"
        )
    elif report.corner != expected:
        where = "start" if report.corner == "first" else "end"
        frame = frame.with_caveat(
            f"the cosmic-ray report was found at the {where} of the image, not expected"
        )
    return _without_report(frame, report)


def find_report(data: NDArray[np.float32], count: int, expected: Corner) -> Report | None:
    """The report of `count` exposures; the corner `expected` is asked first.

    Parameters
    ----------
    data
        Image, shape (y, x), DN, nothing subtracted from the report's pixels.
    count
        Exposures the report should have.
    expected
        Where it should be.
    """
    if not 1 < count < data.shape[1]:
        return None
    other: Corner = "last" if expected == "first" else "first"
    lines = {corner: _line(data, corner) for corner in (expected, other)}
    for corner, line in lines.items():
        if line[count] == count:
            return Report(corner, line[:count][::-1].copy(), recovered=False)
    for corner, line in lines.items():
        (hits,) = np.nonzero(line[:count] == np.arange(count, dtype=np.float32))
        if hits.size and hits[-1] > 1:
            return Report(corner, line[: hits[-1]][::-1].copy(), recovered=True)
    return None


def _line(data: NDArray[np.float32], corner: Corner) -> NDArray[np.float32]:
    """The line a report lies in, seen from its corner."""
    return data[0] if corner == "first" else data[-1, ::-1]


def _doubted(frame: Frame, width: int) -> Frame:
    """The ends of the lines a report may lie in, flagged at both corners: its counts pass for dark sky."""
    quality = frame.quality.copy()
    quality[0, :width] |= np.uint16(Quality.LOW_CONFIDENCE)
    quality[-1, -width:] |= np.uint16(Quality.LOW_CONFIDENCE)
    return frame.replace(quality=quality)


def _without_report(frame: Frame, report: Report) -> Frame:
    data, quality = frame.data.copy(), frame.quality.copy()
    width = report.counts.size + 1
    if report.corner == "first":
        target, source = (0, slice(0, width)), (1, slice(0, width))
    else:
        target, source = (-1, slice(-width, None)), (-2, slice(-width, None))
    data[target] = data[source]
    quality[target] |= _REPLACED
    return frame.replace(data=data, quality=quality)
