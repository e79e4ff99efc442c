"""STEREO SECCHI Heliospheric Imagers: HI-1 and HI-2 on STEREO A and B."""

from pipeline.instruments.stereo_hi.background import BACKGROUND, BACKGROUND_UNBIASED

__all__ = ["BACKGROUND", "BACKGROUND_UNBIASED"]
