"""Step 4: the smear of a camera without a shutter (science.md §1, "Desmear")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import facts
from pipeline.kernels.desmear import desmear as remove_smear
from pipeline.kernels.desmear_noise import desmear_uncertainty
from pipeline.quality import Quality, flagged
from pipeline.step import Params, References, step
from pipeline.uncertainty import approximate

_TIMES = ("CLEARTIM", "RO_DELAY", "LINE_CLR", "LINE_RO")


class DesmearParams(Params):
    """How `desmear` reads the orientation.

    Attributes
    ----------
    direction
        ``normal``: lines of smaller index pass over a pixel while it is read
        out; ``inverted``: lines of larger index do; ``auto``: as the header
        says (turned images are inverted).
    """

    direction: Literal["auto", "normal", "inverted"] = "auto"


@dataclass(frozen=True)
class SmearTimes:
    """Seconds of the smear matrix: on its diagonal, below and above it."""

    diagonal: float
    below: float
    above: float


@step(
    "desmear",
    version=2,
    prstep="SMEAR-DECONVOLUTION",
    instrument="stereo_hi",
    takes=("DN",),
    gives="DN/s",
    memory_factor=4.0,
    libraries=("numpy", "numba"),
    uncertainty=approximate(
        "the inverse of the smear on independent pixels, exactly; what straight lines over lost telemetry "
        "add to their columns is left out"
    ),
)
def desmear(frame: Frame, params: DesmearParams, references: References) -> Frame:
    """Remove the smear of clearing and readout; what remains is DN/s of one line at rest.

    ``d = EXPTIME + N (0.70 − CLEARTIM + RO_DELAY)`` on the diagonal, line
    times × ``w = N · 2^(IPSUM − 1)`` beside it (§1), and what the lines of one
    summed pixel smear into each other (`smear_times`). XPOSURE becomes the time
    that was divided out, TEXPOSUR its share of one exposure. On the real HI-2 A image
    of 2011-09-10, which is not turned, the trail of the planet lies at larger
    line numbers and is 30 times stronger there: that is `normal`. Lost
    telemetry is bridged for the sums along its columns, because the CCD did
    see what the ground did not receive; it is made NaN by `missing_blocks`.
    """
    header = frame.header.copy()
    frame = frame.replace(header=header)
    bad = [name for name in _TIMES if frame.keyword(name, float) < 0]
    if bad:
        return _normalised_only(frame, bad)
    times = smear_times(frame, params.direction)
    data = frame.data
    lost = flagged(frame.quality, Quality.MISSING)
    if lost.any():
        data = bridged(data, lost)
    window = facts.light_window(frame)
    quality = frame.quality
    if window is not None:
        outside = np.ones(data.shape, dtype=bool)
        outside[window] = False
        quality = np.where(outside, quality | np.uint16(Quality.OUTSIDE_FIELD), quality)
    sigma = frame.uncertainty
    _tell_exposure(frame, times.diagonal)
    header["SMEARDIR"] = (
        "inverted" if times.below < times.above else "normal",
        "direction of the smear removed",
    )
    return frame.replace(
        data=_within(window, data, remove_smear, times),
        quality=quality,
        uncertainty=None if sigma is None else _within(window, sigma, desmear_uncertainty, times),
    )


def _within(
    window: tuple[slice, slice] | None,
    plane: NDArray[np.float32],
    function: Callable[[NDArray[np.float32], float, float, float], NDArray[np.float32]],
    times: SmearTimes,
) -> NDArray[np.float32]:
    """A function of the smear applied to the part of a plane that saw light; NaN around it."""
    inner = function(plane if window is None else plane[window], times.diagonal, times.below, times.above)
    if window is None:
        return inner
    result = np.full(plane.shape, np.nan, dtype=np.float32)
    result[window] = inner
    return result


def _tell_exposure(frame: Frame, seconds: float) -> None:
    """SOLARNET's cards of the time that was divided out (recommendations, section 5.2)."""
    number = facts.images_summed(frame)
    frame.header["XPOSURE"] = (seconds, "[s] divided out: all summed exposures together")
    frame.header["TEXPOSUR"] = (seconds / number, "[s] one exposure")
    frame.header["NSUMEXP"] = (number, "exposures summed on board")


def smear_times(frame: Frame, direction: Literal["auto", "normal", "inverted"] = "auto") -> SmearTimes:
    """The times of a frame's smear matrix, in seconds.

    An image line of b CCD lines collects at its own place what these smear into
    each other, too: of each pair of them the one behind passes the other in
    ``LINE_RO``, the one before in ``LINE_CLR``. For light that does not change
    within the b lines that is ``N (b − 1)/2 · (LINE_RO + LINE_CLR)`` on the
    diagonal, which the mission's hi_desmear leaves out: 3·10⁻⁵ of a science sum,
    2·10⁻⁴ of a beacon image.

    Raises
    ------
    BadInput
        When a time is absent or the lines never stood still.
    """
    number = facts.images_summed(frame)
    exposure = frame.keyword("EXPTIME", float)
    diagonal = exposure + number * (
        facts.ESTIMATED_CLEAR - frame.keyword("CLEARTIM", float) + frame.keyword("RO_DELAY", float)
    )
    lines = facts.binning(frame)
    once_out, once_cleared = frame.keyword("LINE_RO", float), frame.keyword("LINE_CLR", float)
    diagonal += number * (lines - 1) / 2 * (once_out + once_cleared)
    readout, clear = number * lines * once_out, number * lines * once_cleared
    if exposure <= 0 or diagonal <= max(readout, clear):
        raise BadInput(
            "the exposure is shorter than the shift of a line; its smear cannot be removed",
            file=frame.source,
            keyword="EXPTIME",
            found=frame.header["EXPTIME"],
            advice="correct EXPTIME or leave the file out",
        )
    inverted = facts.orientation(frame).turned if direction == "auto" else direction == "inverted"
    return SmearTimes(diagonal, clear, readout) if inverted else SmearTimes(diagonal, readout, clear)


def bridged(data: NDArray[np.float32], lost: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Lost pixels replaced by straight lines between their neighbours in the column.

    A column lost altogether is zero; at an end the nearest value is repeated.

    Parameters
    ----------
    data, lost
        Image and mask, shape (y, x).

    Returns
    -------
    numpy.ndarray
        A copy of `data`, filled.
    """
    result = data.copy()
    gone = lost.all(axis=0)
    result[:, gone] = 0.0
    columns = np.flatnonzero(lost.any(axis=0) & ~gone)
    part, missing = data[:, columns], lost[:, columns]
    lines, end = np.arange(data.shape[0])[:, None], data.shape[0]
    before = np.maximum.accumulate(np.where(missing, -1, lines), axis=0)
    after = np.minimum.accumulate(np.where(missing, end, lines)[::-1], axis=0)[::-1]
    before, after = np.where(before < 0, after, before), np.where(after == end, before, after)
    low, high = np.take_along_axis(part, before, axis=0), np.take_along_axis(part, after, axis=0)
    share = (lines - before) / np.maximum(after - before, 1)
    result[:, columns] = low + (high - low) * share
    return result


def _normalised_only(frame: Frame, bad: list[str]) -> Frame:
    """Without line times the smear stays (§1: "else leave"); the exposure is still divided out."""
    exposure = frame.keyword("EXPTIME", float)
    if exposure <= 0:
        raise BadInput(
            "neither the times of the smear nor the exposure are known",
            file=frame.source,
            keyword=", ".join([*bad, "EXPTIME"]),
            found=", ".join(str(frame.header[name]) for name in (*bad, "EXPTIME")),
            advice="leave the file out, or fetch a later version of it",
        )
    _tell_exposure(frame, exposure)
    frame.header["SMEARDIR"] = ("none", "the smear was not removed")
    quality = frame.quality | np.uint16(Quality.LOW_CONFIDENCE)
    normalised = frame.replace(
        data=frame.data / np.float32(exposure),
        quality=quality,
        uncertainty=frame.uncertainty_times(1.0 / exposure),
    )
    return normalised.with_caveat(
        f"the smear was not removed because {', '.join(bad)} is negative; only EXPTIME was divided out"
    )
