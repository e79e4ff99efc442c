"""The steps of the HI chains; importing this registers them."""

from pipeline.instruments.stereo_hi.steps import (
    background,
    calibrate,
    cosmics,
    desmear,
    missing,
    noise,
    onboard,
    pointing,
    prepare,
    rectify,
    saturation,
)

__all__ = [
    "background",
    "calibrate",
    "cosmics",
    "desmear",
    "missing",
    "noise",
    "onboard",
    "pointing",
    "prepare",
    "rectify",
    "saturation",
]
