"""The steps of SDO/AIA; importing this package registers them."""

from pipeline.instruments.sdo_aia.steps import degradation, noise, pointing, psf, register, saturation, spikes

__all__ = ["degradation", "noise", "pointing", "psf", "register", "saturation", "spikes"]
