"""The steps of SDO/AIA; importing this package registers them."""

from pipeline.instruments.sdo_aia.steps import degradation, pointing, psf, register, saturation, spikes

__all__ = ["degradation", "pointing", "psf", "register", "saturation", "spikes"]
