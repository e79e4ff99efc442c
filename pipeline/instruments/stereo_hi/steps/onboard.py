"""Step 2: take back what the on-board software did to the numbers (science.md §1)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from pydantic import Field

from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import facts
from pipeline.step import Params, References, step

#: Factor that undoes one occurrence of an on-board code (§1, "SEB-IP undo"); 1, 2, 53 have their own rules.
_FACTORS: Final = {
    16: 64.0,
    17: 64.0,
    50: 4.0,
    82: 2.0,
    83: 4.0,
    84: 8.0,
    85: 16.0,
    86: 32.0,
    87: 64.0,
    88: 128.0,
    118: 3.0,
}
_HALVED: Final = 1
ROOTED: Final = 2
_QUARTERED_IF_SUMMED: Final = 53
_ICER: Final = range(90, 103)
_ICER_FILTERS: Final = range(106, 113)
_BIAS_SUBTRACTED: Final = 103
#: After these codes the bias is gone already: subtracted on board, or by the summing buffers (§1, "Bias").
_WITHOUT_BIAS: Final = frozenset({_BIAS_SUBTRACTED, 37, 38})


class OnboardParams(Params):
    """What `undo_onboard_processing` may do.

    Attributes
    ----------
    beacon_gain
        [1] Further factor for images divided by 64 for the beacon (codes 16 and
        17). The published programs use none (1), which makes them 4 times too
        faint: the last binning takes the mean of its four columns, not their
        sum. A saturated planet in the real HI-2 image of 2011-09-10 lifts
        pixels by whole quarters of 65535 for each column it fills, and the
        median and the 90th and 98th percentiles of that image's half are 15.2,
        15.3 and 15.3 times below those of the summing buffer they were made
        of (percentiles 75, 95 and 99 of a whole science sum, 2025-06-22):
        16 = 64 · 4 / 4², not 4.
    """

    beacon_gain: float = Field(default=4.0, gt=0)


class BiasParams(Params):
    """`subtract_bias` has nothing to choose."""


@step(
    "undo_onboard_processing",
    version=3,
    prstep="MULTIPLICATION",
    instrument="stereo_hi",
    takes=("DN",),
    memory_factor=3.0,
)
def undo_onboard_processing(frame: Frame, params: OnboardParams, references: References) -> Frame:
    """Multiply and square back what IP_00_19 says was divided and rooted on board.

    First the conditional halving before ICER compression (§1, "icerdiv2",
    v1.19), which the code list does not tell by itself, then the codes in the
    order of §1, "SEB-IP undo" (scc_sebip): halvings, square, everything else.
    A root stands between them, so the order matters. Values stay floating.
    """
    header = frame.header.copy()
    frame = frame.replace(header=header)
    halvings = 1.0
    if _was_halved_for_icer(frame):
        halvings = 2.0
        header["DIV2CORR"] = (True, "halving before ICER undone")
        header.add_history("icerdiv2: image x 2")
    codes = facts.codes(frame)
    halvings *= halving_factor(codes, undone=_is_true(header.get("DIV2CORR")))
    divisions = division_factor(codes, summed=frame.keyword("IPSUM", float, default=math.inf) > 0)
    if facts.is_beacon(frame):
        divisions *= params.beacon_gain
        header["BCNGAIN"] = (params.beacon_gain, "factor beyond the published 64 (beacon image)")
        frame = frame.with_caveat(
            "beacon image: bright stars and planets were clipped on board, and the divisor undone "
            f"(64 as published times {params.beacon_gain:g}) rests on one HI-2 image of 2011, to some 5 %",
            mode="BEACON",
        )
    roots = codes.count(ROOTED)
    if halvings * divisions == 1.0 and not roots:
        return frame
    if roots:
        data = (frame.data * np.float32(halvings)) ** np.float32(2**roots) * np.float32(divisions)
        history = f"x {halvings:g}, ^{2**roots}, x {divisions:g}"
    else:
        data = frame.data * np.float32(halvings * divisions)
        history = f"x {halvings * divisions:g}"
    header["SEBFACT"] = (halvings * divisions, "divisions on board undone by this factor")
    header.add_history(f"on-board processing undone: {history}")
    return frame.replace(data=data)


def halving_factor(codes: list[int], *, undone: bool) -> float:
    """The factor that undoes code 1, which halves after a root was taken.

    Parameters
    ----------
    codes
        Codes of IP_00_19, in order.
    undone
        Whether one halving was undone before (DIV2CORR).
    """
    return float(2.0 ** max(codes.count(_HALVED) - int(undone), 0))


def division_factor(codes: list[int], *, summed: bool) -> float:
    """The factor that undoes all other divisions, which come before a root.

    Parameters
    ----------
    codes
        Codes of IP_00_19, in order.
    summed
        Whether IPSUM is above zero; only then does code 53 divide.
    """
    factor = 4.0 ** codes.count(_QUARTERED_IF_SUMMED) if summed else 1.0
    for code in codes:
        factor *= _FACTORS.get(code, 1.0)
    return factor


def _was_halved_for_icer(frame: Frame) -> bool:
    codes = facts.codes(frame)
    if _is_true(frame.header.get("DIV2CORR")) or len(codes) < 2:
        return False
    if codes[-1] not in _ICER or codes[-2] in _ICER_FILTERS or _BIAS_SUBTRACTED in codes:
        return False
    half = frame.keyword("BIASMEAN", float) / 2.0
    return abs(half - frame.keyword("DATAP01", float)) < 0.02 * half


def _is_true(value: object) -> bool:
    return value is True or str(value).strip() == "T"


@step(
    "subtract_bias",
    version=1,
    prstep="BIAS-CORRECTION",
    instrument="stereo_hi",
    takes=("DN",),
)
def subtract_bias(frame: Frame, params: BiasParams, references: References) -> Frame:
    """Subtract the CCD's bias where the spacecraft did not (§1, "Bias").

    The part left in a sum of N exposures is ``b − b/N``, for every one of the
    CCD pixels in an image pixel. OFFSETCR keeps what was subtracted.
    """
    level = bias(frame)
    if level == 0.0:
        return frame
    header = frame.header.copy()
    header["OFFSETCR"] = (level, "[DN] bias subtracted")
    return frame.replace(data=frame.data - np.float32(level), header=header)


def bias(frame: Frame) -> float:
    """Bias still in the image, DN per image pixel."""
    if _WITHOUT_BIAS & set(facts.codes(frame)) or frame.keyword("OFFSETCR", float, default=0.0) > 0:
        return 0.0
    mean = frame.keyword("BIASMEAN", float)
    return (mean - mean / facts.images_summed(frame)) * facts.binning(frame) ** 2
