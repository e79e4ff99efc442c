"""Turning images that were not turned north-up on the ground yet (science.md §1, "Rectify")."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import facts
from pipeline.step import Params, References, step
from pipeline.uncertainty import exact

#: Lines and columns of the CCD, scans beyond its edges included, are counted to this number (secchi_rectify).
_CCD_LAST: Final = 2176


class RectifyParams(Params):
    """`rectify` has nothing to choose."""


@step(
    "rectify",
    version=2,
    prstep="DEROTATION",
    instrument="stereo_hi",
    uncertainty=exact("turned with the image"),
)
def rectify(frame: Frame, params: RectifyParams, references: References) -> Frame:
    """Turn an image as read out by 180° where that puts north up; most level-0 files were turned before.

    STEREO-B always, STEREO-A while it flew rolled (§1, secchi_rectify v1.29):
    ``CRPIX → NAXIS − CRPIX + 1``, and with it the place of the image on the CCD
    (R1COL … R2ROW) and of the part that saw light in the image (DSTART, DSTOP).
    It comes after the de-smearing so that the direction of the readout needs
    no second thought.
    """
    if frame.keyword("RECTIFY", bool, default=False):
        return frame
    usual = facts.usual_orientation(frame)
    turn = usual.turned
    header = frame.header.copy()
    header["RECTIFY"] = (True, "north is up")
    marked = frame.replace(header=header)
    if usual.doubt:
        marked = marked.with_caveat(usual.doubt)
    header["RECTROTA"] = (2 if turn else 0, "rotate 180" if turn else "no rotation necessary")
    if not turn:
        return marked
    ny, nx = frame.data.shape
    for suffix in ("", "A"):
        for axis, size in (("1", nx), ("2", ny)):
            name = f"CRPIX{axis}{suffix}"
            if name in header:
                header[name] = size - frame.keyword(name, float) + 1
        _turn_axes(marked, suffix)
    _turn_window(marked)
    sigma = frame.uncertainty
    return marked.replace(
        data=np.ascontiguousarray(frame.data[::-1, ::-1]),
        quality=np.ascontiguousarray(frame.quality[::-1, ::-1]),
        uncertainty=None if sigma is None else np.ascontiguousarray(sigma[::-1, ::-1]),
    )


def _turn_axes(frame: Frame, suffix: str) -> None:
    """Turn the linear part of the coordinate system along with the image."""
    header = frame.header
    for name in ("PC1_1", "PC1_2", "PC2_1", "PC2_2"):
        if name + suffix in header:
            header[name + suffix] = -frame.keyword(name + suffix, float)
    if not suffix and "CROTA" in header:
        header["CROTA"] = math.remainder(frame.keyword("CROTA", float) + 180.0, 360.0)


def _turn_window(frame: Frame) -> None:
    """R1COL … R2ROW from P1COL … P2ROW, the CCD as read out, and DSTART, DSTOP in the image."""
    header = frame.header
    for axis in ("COL", "ROW"):
        if f"P1{axis}" in header and f"P2{axis}" in header:
            header[f"R1{axis}"] = _CCD_LAST - frame.keyword(f"P2{axis}", int) + 1
            header[f"R2{axis}"] = _CCD_LAST - frame.keyword(f"P1{axis}", int) + 1
    for axis, size in (("1", frame.data.shape[1]), ("2", frame.data.shape[0])):
        start, stop = f"DSTART{axis}", f"DSTOP{axis}"
        if start in header and stop in header:
            first, last = frame.keyword(start, int), frame.keyword(stop, int)
            header[start], header[stop] = size - last + 1, size - first + 1
