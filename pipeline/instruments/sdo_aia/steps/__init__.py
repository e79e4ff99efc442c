"""The steps of SDO/AIA; importing this package registers them."""

from pipeline.instruments.sdo_aia.steps import register

__all__ = ["register"]
