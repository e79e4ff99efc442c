"""Steps 11 and 12: clock, Sun's centre and roll, and turning north up (kis_lasco.md §1.9, §1.10)."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from astropy.io import fits
from pydantic import Field

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.soho_lasco import centres, facts, optics, tables
from pipeline.instruments.soho_lasco.calibration_file import told
from pipeline.kernels.mesh import warp
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import KEPT

_INTERIM: Final = "WARNING: Interim value"
_FINAL: Final = "Final Correction"
_UNCORRECTED: Final = "WARNING: Original uncorrected value"
_TURNED: Final = ": turned to solar north"
#: Middle of the CCD, about which an image that was taken upside down is turned (reduce_level_1.pro).
_MIDDLE: Final = (tables.CCD_SIZE - 1) / 2.0


class SunCentreParams(Params):
    """`sun_centre` has nothing to choose."""


class RectifyParams(Params):
    """How `rectify` turns images.

    Attributes
    ----------
    least_roll
        [deg] A roll from which the image is turned north up about the Sun's centre; smaller ones stay, and
        CROTA says them. The keyhole turn by 180° is always undone.
    """

    least_roll: float = Field(default=1.0, ge=0)


@step(
    "sun_centre",
    version=2,
    prstep="SPATIAL-COORDINATE-CORRECTION",
    instrument="soho_lasco",
    libraries=("numpy", "scipy"),
    uncertainty=KEPT,
    needs=(
        ReferenceNeed(
            "sun_table",
            "Sun's centre and roll by stars: {c2,c3}_{pre,post}_recovery_adj_xyr_medv2.sav of the mission",
            optional=True,
        ),
        ReferenceNeed(
            "last_day",
            "c2_c3_last_post_recovery_day.sav of the mission: the day until which its tables hold",
            optional=True,
        ),
        ReferenceNeed(
            "clock_errors", "c2_time_offsets.dat of the mission: errors of the clock on board", optional=True
        ),
    ),
)
def sun_centre(frame: Frame, params: SunCentreParams, references: References) -> Frame:
    """Correct the time by the clock's error, and take Sun's centre and roll then from the mission's table.

    Linear between its times, clamped at its ends. Behind its last day, or without one, the medians are taken
    and the cards say 'WARNING: Interim value'.
    """
    begin = facts.begin_of(frame.header)
    if begin is None:
        raise BadInput(
            "the header has no date of observation",
            file=frame.source,
            keyword="DATE-OBS, TIME-OBS",
            found="absent",
            advice="correct the header",
        )
    frame = frame.replace(header=frame.header.copy())
    last = _last_day(references)
    valid = last is None or begin.date() <= last.date()
    frame, moment = _timed(frame, references, begin, valid=valid)
    table = references["sun_table"].load(centres.read_sun_table) if "sun_table" in references else None
    if table is not None:
        valid = valid and (last is not None or moment <= table.last + timedelta(days=1))
    header = frame.header
    detector = facts.detector(frame)
    if table is None or not valid:
        x, y, roll = tables.SUN_MEDIAN[detector] if table is None else table.medians()
        if facts.is_flipped(header):
            roll += 180.0
        comment, origin = _INTERIM, "the mission's medians" if table is None else "medians of the table"
        frame = frame.with_caveat(
            f"Sun's centre and roll are interim values, {origin}: no table of star positions holds for it",
            mode="INTERIM-POINTING",
        )
    else:
        x, y, roll = table.at(moment)
        comment, origin = _FINAL, references["sun_table"].did.partition(":")[2]
    until = f" last_day={last:%Y-%m-%d}" if last else ""
    facts.history(header, f"sun_centre: {x:.5f}, {y:.5f}, {roll:.6f} Deg, {origin}{until}")
    header["SUNXCCD"] = (x, "[pixel] Sun's centre on the whole CCD as read out, from 0")
    header["SUNYCCD"] = (y, "[pixel] the same along rows")
    header["CROTA"] = (roll, comment)
    frame = frame.replace(header=header)
    return frame if table is None else told(frame, references["sun_table"], simulated=table.simulated)


def _last_day(references: References) -> datetime | None:
    if "last_day" not in references:
        return None
    return references["last_day"].load(centres.read_last_day).day


def _timed(frame: Frame, references: References, begin: datetime, *, valid: bool) -> tuple[Frame, datetime]:
    """The frame with its dates corrected where the clock's error is known, and its beginning."""
    header = frame.header
    middle = facts.mjd_of(begin) + 0.5 * frame.keyword("EXPTIME", float, default=0.0) / 86400.0
    if frame.keyword("MID_DATE", float, default=0.0) > 0:
        middle = facts.middle_day(frame) + frame.keyword("MID_TIME", float, default=0.0) / 86400.0
    seconds, comment = 0.0, _UNCORRECTED
    if valid and "clock_errors" in references:
        found = references["clock_errors"].load(centres.read_clock_errors)
        seconds, comment = found.at(begin), _FINAL
        frame = told(frame, references["clock_errors"], simulated=found.simulated)
        header = frame.header
        facts.history(header, f"Original date_obs: {begin:%Y/%m/%d} {_time(begin)}; clock {seconds:+.3f} s")
    else:
        frame = frame.with_caveat(
            "times are those of the clock on board, not corrected", mode="TIME-UNCORRECTED"
        )
    moment = begin - timedelta(seconds=seconds)
    middle -= seconds / 86400.0
    rounded = moment.replace(tzinfo=None) + timedelta(microseconds=500)
    stamp = rounded.isoformat(timespec="milliseconds")
    header["DATE-OBS"] = (stamp, comment)
    header["TIME-OBS"] = ("", "Obsolete")
    header["DATE_OBS"] = (stamp, comment)
    header["MID_DATE"] = (math.floor(middle), comment)
    header["MID_TIME"] = (round((middle - math.floor(middle)) * 86400.0, 3), comment)
    return frame.replace(header=header), moment


def _time(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds").partition(" ")[2]


@step(
    "rectify",
    version=1,
    prstep="DEROTATION",
    instrument="soho_lasco",
    memory_factor=5.0,
    libraries=("numpy", "numba"),
)
def rectify(frame: Frame, params: RectifyParams, references: References) -> Frame:
    """Turn images taken upside down by 180°, larger rolls away about the Sun's centre; write coordinates.

    The centre of an image that was turned lies where a turn about the middle of the CCD puts it
    (reduce_level_1.pro): ``CRPIX = (c - R1COL + 20) / sum + 1``.
    """
    readout = facts.readout(frame)
    x, y = (frame.keyword(name, float) for name in ("SUNXCCD", "SUNYCCD"))
    roll = frame.keyword("CROTA", float)
    header = frame.header.copy()
    data, quality = frame.data, frame.quality
    rectified, said = 0.0, "No roll correction applied."
    if facts.is_flipped(frame.header):
        x, y, roll, rectified = 2.0 * _MIDDLE - x, 2.0 * _MIDDLE - y, roll - 180.0, 180.0
        data, quality = np.ascontiguousarray(data[::-1, ::-1]), np.ascontiguousarray(quality[::-1, ::-1])
        said = "Image rotated 180 degrees."
        readout = _turn_window(header, readout)
    roll = math.remainder(roll, 360.0)
    centre = readout.in_full(x, y)
    comment = header.comments["CROTA"]
    if abs(roll) >= params.least_roll and roll != 0.0:
        mesh = optics.turned_about(centre, roll, frame.data.shape)
        data, quality = warp(data, quality, mesh.x, mesh.y, mesh.pitch, mesh.origin)
        said = f"Turned by {roll:.6f} degrees CCW about {centre[0]:.3f}, {centre[1]:.3f}."
        rectified, roll, comment = rectified + roll, 0.0, f"{comment}{_TURNED}"
    facts.history(header, said)
    header["RECTIFY"] = (rectified, "[deg] by which the image was turned, CCW")
    _coordinates(header, readout, centre, roll, comment)
    return frame.replace(data=data, quality=quality, header=header)


def _turn_window(header: fits.Header, readout: facts.Readout) -> facts.Readout:
    """The place of a part of the CCD once the image is turned."""
    across, up = readout.summing
    ny, nx = readout.shape
    first = (
        tables.CCD_SIZE - readout.first[0] - nx * across,
        tables.CCD_SIZE - readout.first[1] - ny * up,
    )
    for name, start, pixels, offset in (
        ("COL", first[0], nx * across, tables.FIRST_COLUMN),
        ("ROW", first[1], ny * up, tables.FIRST_ROW),
    ):
        header[f"R1{name}"] = start + offset
        header[f"R2{name}"] = start + offset + pixels - 1
    return facts.Readout(readout.detector, readout.chip, readout.leb, first, readout.shape)


def _coordinates(
    header: fits.Header, readout: facts.Readout, centre: tuple[float, float], roll: float, comment: str
) -> None:
    """Coordinates of the Sun's centre, as reduce_level_1.pro 1.68 writes them."""
    scale = tables.PLATE_SCALE[readout.detector]
    names = ("HPLN-TAN", "HPLT-TAN")
    origin = comment.removesuffix(_TURNED)
    for axis, (place, size, sums) in enumerate(
        zip(centre, reversed(readout.shape), readout.summing, strict=True), start=1
    ):
        header[f"CTYPE{axis}"] = names[axis - 1]
        header[f"CUNIT{axis}"] = "arcsec"
        header[f"CRPIX{axis}"] = (place + 1.0, f"sun center pixel ({'XY'[axis - 1]}), {origin}")
        header[f"CRVAL{axis}"] = 0.0
        header[f"CDELT{axis}"] = (scale * sums, "Arcsec/pixel")
        header[f"CROTA{axis}"] = (roll, comment)
        header[f"{'XY'[axis - 1]}CEN"] = (scale * sums * ((size + 1) / 2.0 - (place + 1.0)), "Arcsec")
    header["CROTA"] = (roll, comment)
    header.add_comment("FITS coordinate for center of full image is (512.5,512.5).")
    header.add_comment("Rotate image CROTA degrees CCW to correct.")
