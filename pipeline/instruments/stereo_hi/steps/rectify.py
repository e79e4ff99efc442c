"""Turning images that were not turned north-up on the ground yet (science.md §1, "Rectify")."""

from __future__ import annotations

import math

import numpy as np

from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import facts
from pipeline.step import Params, References, step


class RectifyParams(Params):
    """`rectify` has nothing to choose."""


@step(
    "rectify",
    version=1,
    prstep="DEROTATION",
    instrument="stereo_hi",
)
def rectify(frame: Frame, params: RectifyParams, references: References) -> Frame:
    """Turn an image as read out by 180° where that puts north up; most level-0 files were turned before.

    STEREO-B always, STEREO-A while it flew rolled (§1, secchi_rectify v1.29):
    ``CRPIX → NAXIS − CRPIX + 1``. It comes after the de-smearing so that the
    direction of the readout needs no second thought.
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
    return marked.replace(
        data=np.ascontiguousarray(frame.data[::-1, ::-1]),
        quality=np.ascontiguousarray(frame.quality[::-1, ::-1]),
    )


def _turn_axes(frame: Frame, suffix: str) -> None:
    """Turn the linear part of the coordinate system along with the image."""
    header = frame.header
    for name in ("PC1_1", "PC1_2", "PC2_1", "PC2_2"):
        if name + suffix in header:
            header[name + suffix] = -frame.keyword(name + suffix, float)
    if not suffix and "CROTA" in header:
        header["CROTA"] = math.remainder(frame.keyword("CROTA", float) + 180.0, 360.0)
