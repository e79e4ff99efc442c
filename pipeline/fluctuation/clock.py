"""Whether a stack's frames follow each other in equal steps, and where they do not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BadInput


class Clock(NamedTuple):
    """The times of a stack.

    Attributes
    ----------
    step
        Seconds from a frame to the next.
    linked
        For each frame whether it follows the one before by one step; never the first.
    missing
        Frames that gaps of whole steps have room for.
    broken
        Frames that follow by no whole number of steps, or by none.
    """

    step: float
    linked: NDArray[np.bool_]
    missing: int
    broken: int

    def told(self) -> tuple[str, ...]:
        """Sentences about what is not regular."""
        said = []
        if self.missing:
            said.append(
                f"{self.missing} frames are missing: no transition was counted over the gaps they leave"
            )
        if self.broken:
            said.append(
                f"{self.broken} frames are off the step of {self.step:g} s and begin a series of their own"
            )
        return tuple(said)


def clock(times: NDArray[np.datetime64], regular: float) -> Clock:
    """The clock of a stack.

    Parameters
    ----------
    times
        Of the frames, rising.
    regular
        Part of a step by which a frame may be off.

    Raises
    ------
    BadInput
        When most frames follow no step, or there are too few.
    """
    if len(times) < 3:
        raise BadInput(
            "a series needs three frames or more",
            keyword="time",
            found=f"{len(times)} frames",
            advice="stack more frames: heliolake stack … --for series",
        )
    seconds = np.diff(times).astype("timedelta64[us]").astype(np.float64) * 1e-6
    step = float(np.median(seconds))
    if step <= 0:
        raise BadInput(
            "the frames of the stack do not follow each other in time",
            keyword="time",
            found=f"median step {step:g} s",
            advice="sort them by time, each once",
        )
    steps = np.rint(seconds / step)
    off = np.abs(seconds / step - steps) > regular
    one = ~off & (steps == 1)
    if np.count_nonzero(one) < 0.5 * len(seconds):
        raise BadInput(
            "the frames of the stack have no common time step: the theorem needs equal steps",
            keyword="time",
            found=f"{np.count_nonzero(one)} of {len(seconds)} steps are {step:g} s within {regular:.0%}",
            advice="choose frames of one cadence, or allow more: --regular 0.3",
        )
    gaps = ~off & (steps > 1)
    return Clock(
        step,
        np.concatenate([[False], one]),
        int(np.sum(steps[gaps] - 1)),
        int(np.count_nonzero(off | (steps == 0))),
    )
