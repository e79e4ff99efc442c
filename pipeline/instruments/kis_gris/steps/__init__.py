"""The steps of GRIS' chains; importing this registers them."""

from pipeline.instruments.kis_gris.steps import demodulation, detector, gathering, polarisation, spectrum

__all__ = ["demodulation", "detector", "gathering", "polarisation", "spectrum"]
