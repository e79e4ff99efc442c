"""The steps of LST's chains; importing this registers them."""

from pipeline.instruments.aso_s_lst.steps import (
    calibrate,
    cosmics,
    gains,
    judge,
    noise,
    pointing,
    polarisation,
    quick_look,
    radiometry,
)

__all__ = [
    "calibrate",
    "cosmics",
    "gains",
    "judge",
    "noise",
    "pointing",
    "polarisation",
    "quick_look",
    "radiometry",
]
