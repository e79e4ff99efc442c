"""The steps of GRIS' chains; importing this registers them."""

from pipeline.instruments.kis_gris.steps import gathering

__all__ = ["gathering"]
