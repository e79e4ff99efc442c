"""Pointing update from the master pointing table."""

from __future__ import annotations

import math
from typing import Final, Literal

from astropy.io import fits

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.channels import channel_of
from pipeline.instruments.sdo_aia.geometry import NOMINAL_SCALE, detector_corner, pointing_of
from pipeline.instruments.sdo_aia.levels import require_unregistered
from pipeline.instruments.sdo_aia.pointing_table import PointingTable, read_pointing_table
from pipeline.instruments.sdo_aia.times import observed_at
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import KEPT

_NEED: Final = "pointing_table"
#: A plate scale farther than this from 0.6″ is no measurement of AIA's (aiapy 0.12 warns at 1 %).
_SCALE_TOLERANCE: Final = 0.01
#: Cards that would contradict the new pointing: other forms of the roll, the old place of the field's centre.
_REPLACED: Final = (
    *("PC1_1", "PC1_2", "PC2_1", "PC2_2", "CD1_1", "CD1_2", "CD2_1", "CD2_2", "CROTA1", "XCEN", "YCEN"),
)


class UpdatePointingParams(Params):
    """Parameters of the pointing update.

    Attributes
    ----------
    on_gap
        What to do when the table has no usable values for a frame, or the
        header no SAT_ROT: ``refuse`` the frame, or ``keep`` the pointing of
        its header and say so in a caveat.
    """

    on_gap: Literal["refuse", "keep"] = "refuse"


class _GapError(BadInput):
    """The table, or the header, has no complete set of values for this frame."""


@step(
    "update_pointing",
    version=2,
    prstep="SPATIAL-COORDINATE-CORRECTION",
    instrument="sdo_aia",
    needs=(
        ReferenceNeed(_NEED, "the master pointing table of LMSAL or JSOC as CSV (master_aia_pointing3h.csv)"),
    ),
    memory_factor=1.5,
    uncertainty=KEPT,
)
def update_pointing(frame: Frame, params: UpdatePointingParams, references: References) -> Frame:
    """Take the Sun's centre, plate scale and roll from the limb fits of the frame's three hours.

    CRPIX = X0 + 1, CDELT = IMSCALE, CROTA2 = INSTROT + SAT_ROT, the row with
    T_START ≤ T_OBS < T_STOP (science.md §3). All of it is replaced or nothing
    is: a pointing that is half old and half new belongs to no moment.

    Raises
    ------
    BadInput
        When the frame is not on the detector's grid, or there is no complete
        set of values and `on_gap` is ``refuse``.
    """
    require_unregistered(frame, "update_pointing")
    corner = detector_corner(frame, pointing_of(frame))
    reference = references[_NEED]
    table = reference.load(read_pointing_table)
    try:
        values, start = _values(frame, table)
    except _GapError as gap:
        if params.on_gap == "refuse":
            raise
        return frame.with_caveat(f"update_pointing: the header's pointing was kept, because {gap.reason}")
    header = _updated(frame.header, values, corner)
    header["MPO_REC"] = (f"{reference.did}[{start}]", "pointing row")
    return frame.replace(header=header)


def _values(frame: Frame, table: PointingTable) -> tuple[dict[str, float], str]:
    channel = channel_of(frame)
    moment = observed_at(frame)
    if not table.has_channel(channel):
        raise _GapError(
            f"the pointing table has no columns for the channel {channel} Å",
            file=frame.source,
            keyword="WAVELNTH",
            found=channel,
            advice="add a pointing table with this channel to the context",
        )
    row = table.row_at(moment)
    if row is None:
        raise _GapError(
            "the pointing table has no row for the time of this frame",
            file=frame.source,
            keyword="T_OBS",
            found=moment,
            advice="add a pointing table that covers it, or set update_pointing.on_gap to keep",
        )
    values = table.values(channel, row)
    start = str(table.start[row])
    for cell, value in values.items():
        implausible = cell == "IMSCALE" and abs(value / NOMINAL_SCALE - 1.0) > _SCALE_TOLERANCE
        if not math.isfinite(value) or implausible:
            raise _GapError(
                f"the pointing table's row of {start} has no usable {cell} for {channel} Å",
                file=frame.source,
                keyword=f"A_{channel:03d}_{cell}",
                found=value,
                advice="use a table in which the cell is filled, or set update_pointing.on_gap to keep",
            )
    try:
        values["SAT_ROT"] = frame.keyword("SAT_ROT", float)
    except BadInput as error:
        raise _GapError(
            f"{error.reason}, without which the roll of the image is not known",
            file=frame.source,
            keyword="SAT_ROT",
            found=error.found,
            advice="set update_pointing.on_gap to keep to use CROTA2 of the header",
        ) from error
    return values, start


def _updated(header: fits.Header, values: dict[str, float], corner: tuple[int, int]) -> fits.Header:
    result = header.copy()
    for name in _REPLACED:
        result.remove(name, ignore_missing=True, remove_all=True)
    result["X0_MP"] = (values["X0"], "[pixel] Sun's centre on the detector, from 0")
    result["Y0_MP"] = (values["Y0"], "[pixel] Sun's centre on the detector, from 0")
    result["CRPIX1"] = values["X0"] + 1.0 - corner[0]
    result["CRPIX2"] = values["Y0"] + 1.0 - corner[1]
    result["CRVAL1"] = 0.0
    result["CRVAL2"] = 0.0
    result["CDELT1"] = values["IMSCALE"]
    result["CDELT2"] = values["IMSCALE"]
    result["IMSCL_MP"] = values["IMSCALE"]
    result["INST_ROT"] = values["INSTROT"]
    result["CROTA2"] = values["INSTROT"] + values["SAT_ROT"]
    if "RSUN_OBS" in result:
        result["R_SUN"] = float(result["RSUN_OBS"]) / values["IMSCALE"]
    return result
