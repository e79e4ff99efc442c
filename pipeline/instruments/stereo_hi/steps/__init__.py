"""The steps of the HI chains; importing this registers them."""

from pipeline.instruments.stereo_hi.steps import (
    cosmics,
    desmear,
    missing,
    onboard,
    prepare,
    rectify,
    saturation,
)

__all__ = [
    "cosmics",
    "desmear",
    "missing",
    "onboard",
    "prepare",
    "rectify",
    "saturation",
]
