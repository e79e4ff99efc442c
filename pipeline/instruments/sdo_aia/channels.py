"""The wavelength channels of AIA."""

from __future__ import annotations

from typing import Final

from pipeline.errors import BadInput
from pipeline.frame import Frame

#: Ångström; the seven extreme ultraviolet channels have a filter mesh, and so the PSF of `psf.py`.
EUV: Final = (94, 131, 171, 193, 211, 304, 335)
UV: Final = (1600, 1700, 4500)


def channel_of(frame: Frame) -> int:
    """The channel of a frame, in Ångström.

    Raises
    ------
    BadInput
        When WAVELNTH is not one of AIA's ten channels.
    """
    channel = frame.keyword("WAVELNTH", int)
    if channel not in EUV + UV:
        raise BadInput(
            "AIA has no such channel",
            file=frame.source,
            keyword="WAVELNTH",
            found=channel,
            advice=f"known channels: {', '.join(map(str, EUV + UV))}",
        )
    return channel
