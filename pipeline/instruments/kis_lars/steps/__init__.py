"""The steps of LARS's chain; importing this registers them."""

from pipeline.instruments.kis_lars.steps import (
    calibrate,
    doppler,
    exposure,
    normalise,
    velocities,
    wavelength,
)

__all__ = ["calibrate", "doppler", "exposure", "normalise", "velocities", "wavelength"]
