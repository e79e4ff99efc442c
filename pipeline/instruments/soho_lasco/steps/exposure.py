"""Steps 2 and 3: bias and corrected exposure time, from the day's file or from the mission's formula."""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import expfactor, facts, tables
from pipeline.instruments.soho_lasco.calibration_file import told
from pipeline.step import Params, ReferenceNeed, References, step

_EXPFACTOR: Final = ReferenceNeed(
    "expfactor",
    "the camera's exposure corrections of the day, c2_expfactor_YYMMDD.dat, from the mission's expfac folder",
    optional=True,
)


class BiasParams(Params):
    """`subtract_bias` has nothing to choose."""


class ExposureParams(Params):
    """`correct_exposure` has nothing to choose."""


@step(
    "subtract_bias",
    version=2,
    prstep="BIAS-CORRECTION",
    instrument="soho_lasco",
    takes=("DN",),
    memory_factor=3.0,
    needs=(_EXPFACTOR,),
)
def subtract_bias(frame: Frame, params: BiasParams, references: References) -> Frame:
    """Subtract the bias of the read-out port (kis_lasco.md §1.1, §1.2).

    Of exposures that the day's file lists the bias it gives, as it stands; of others the mission's formula,
    times the number of pixels that were added up on board: ``4 (v + b)``. Charge added on the chip meets the
    converter once: ``4 v + b``.
    """
    if _is_derived(frame):
        return frame
    header = frame.header.copy()
    line = _line(frame, references)
    if line is not None:
        value = line.correction.bias
        where = references["expfactor"].did.partition(":")[2]
        facts.history(header, f"subtract_bias: {value:.3f} from {where}")
        return frame.replace(data=frame.data - value, header=header)
    value = _by_formula(frame)
    facts.history(header, f"subtract_bias (offset_bias.pro): {value:.3f}")
    return frame.replace(data=frame.data - value, header=header)


@step(
    "correct_exposure",
    version=2,
    prstep="CALIBRATION",
    instrument="soho_lasco",
    takes=("DN",),
    gives="DN/s",
    memory_factor=3.0,
    needs=(_EXPFACTOR,),
)
def correct_exposure(frame: Frame, params: ExposureParams, references: References) -> Frame:
    """Divide by the exposure time, corrected by the factor of the day's file (kis_lasco.md §1.1).

    EXPTIME becomes the corrected one; without a factor it stays, and HISTORY has the mission's warning.
    """
    seconds = frame.keyword("EXPTIME", float)
    if seconds <= 0:
        raise BadInput(
            "the exposure time is not positive",
            file=frame.source,
            keyword="EXPTIME",
            found=seconds,
            advice="correct EXPTIME, or leave the file out",
        )
    header = frame.header.copy()
    line = _line(frame, references)
    if line is None or not line.correction.is_corrected:
        why = "the day's file says that none was found" if line else "no file of the day lists it"
        facts.history(header, "WARNING: No exposure correction found.")
        made = frame.replace(data=frame.data / seconds, header=header)
        made = made.with_caveat(
            f"the exposure time is that of level 0.5, not corrected: {why}", mode="NO-EXPOSURE-CORRECTION"
        )
        return _said(made, references, line)
    one = line.correction
    facts.history(header, f"correct_exposure: {one.factor:.5f}, Nreg={one.regions}, Sig={one.sigma:.8f}")
    header["EXPTIME"] = (seconds * one.factor, "Corrected exposure time (seconds)")
    return _said(frame.replace(data=frame.data / (seconds * one.factor), header=header), references, line)


class _Line(NamedTuple):
    correction: expfactor.Correction
    simulated: bool


def _line(frame: Frame, references: References) -> _Line | None:
    """The line of the day's file about this exposure."""
    if "expfactor" not in references:
        return None
    found = references["expfactor"].load(expfactor.read_corrections)
    second = frame.keyword("MID_TIME", float, default=-1.0)
    line = found.of(facts.middle_day(frame), second)
    return None if line is None else _Line(line, found.simulated)


def _said(frame: Frame, references: References, line: _Line | None) -> Frame:
    return frame if line is None else told(frame, references["expfactor"], simulated=line.simulated)


def _by_formula(frame: Frame) -> float:
    detector = facts.detector(frame)
    port = frame.keyword("READPORT", str, default="C")
    value = tables.bias(detector, port, facts.middle_day(frame))
    if value is None:
        raise BadInput(
            f"the bias of this read-out port of {detector} is not known",
            file=frame.source,
            keyword="READPORT",
            found=port,
            advice="correct READPORT (A, B, C or D), or leave the file out",
        )
    readout = facts.readout(frame)
    return value * readout.leb[0] * readout.leb[1]


def _is_derived(frame: Frame) -> bool:
    """Whether the image was computed of polarised ones, and holds no bias any more."""
    return facts.polariser(frame) in tables.DERIVED
