"""The steps of LASCO's chains; importing this registers them."""

from pipeline.instruments.soho_lasco.steps import (
    distortion,
    exposure,
    header,
    missing,
    pack,
    photometry,
    pointing,
    polarisation,
    prepare,
)

__all__ = [
    "distortion",
    "exposure",
    "header",
    "missing",
    "pack",
    "photometry",
    "pointing",
    "polarisation",
    "prepare",
]
