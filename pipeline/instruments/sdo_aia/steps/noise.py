"""The uncertainty of level-1 counts, where a recipe asks for it."""

from __future__ import annotations

from typing import Final

from pipeline.errors import BadInput
from pipeline.frame import Frame
from pipeline.instruments.sdo_aia.channels import channel_of
from pipeline.instruments.sdo_aia.levels import require_unregistered
from pipeline.instruments.sdo_aia.noise import BUILT_IN, Calibration, ChannelNoise, read_error_table
from pipeline.step import Params, ReferenceNeed, References, step
from pipeline.uncertainty import starts

_NEED: Final = ReferenceNeed(
    "error_table", "the error table of the instrument team (SolarSoft, aia_V*_error_table.txt)", optional=True
)


class EstimateNoiseParams(Params):
    """Parameters of the noise model.

    Attributes
    ----------
    calibration
        Which calibration's uncertainty is added: ``none`` (how far pixels and
        images may differ by chance), ``preflight`` or ``eve`` (how far the
        values may be off altogether). The latter two need the error table.
    """

    calibration: Calibration = "none"


@step(
    "estimate_noise",
    version=1,
    prstep="NOISE-ESTIMATION",
    instrument="sdo_aia",
    needs=(_NEED,),
    memory_factor=3.0,
    libraries=("numpy", "numba"),
    uncertainty=starts("photon, read, dark, quantisation and compression noise of level-1 counts"),
)
def estimate_noise(frame: Frame, params: EstimateNoiseParams, references: References) -> Frame:
    """Begin the uncertainty of every pixel: 1 σ of its level-1 counts.

    The terms of aia_bp_estimate_error.pro, for one sample (science.md §3).

    Raises
    ------
    BadInput
        When the frame is registered already, or the error table lacks its
        channel, or is not there and `calibration` asks for it.
    """
    require_unregistered(frame, "estimate_noise")
    noise, told = _channel_noise(frame, params, references)
    return told.replace(uncertainty=noise.sigma(frame.data, params.calibration))


def _channel_noise(
    frame: Frame, params: EstimateNoiseParams, references: References
) -> tuple[ChannelNoise, Frame]:
    channel = channel_of(frame)
    if _NEED.name in references:
        table = references[_NEED.name].load(read_error_table)
        if channel in table:
            return table[channel], frame
        raise BadInput(
            f"the error table has no line for the channel {channel} Å",
            file=frame.source,
            keyword="WAVELNTH",
            found=channel,
            advice="add a complete table to the context, or leave uncertainty out",
        )
    if params.calibration != "none":
        raise BadInput(
            f"the {params.calibration} calibration's uncertainty is asked for, and there is no error table",
            file=frame.source,
            keyword="calibration",
            found=params.calibration,
            advice=f"{_NEED.describe}; add it with `heliolake context add`, or set "
            "estimate_noise.calibration to none",
        )
    return BUILT_IN[channel], frame.with_caveat(
        "estimate_noise: no error table is in the context; the gains of its version 3 (2012-02-10) were used",
        mode="BUILT-IN-TABLE",
    )
