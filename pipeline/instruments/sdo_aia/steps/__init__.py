"""The steps of SDO/AIA; importing this package registers them."""

from pipeline.instruments.sdo_aia.steps import degradation, pointing, register, spikes

__all__ = ["degradation", "pointing", "register", "spikes"]
