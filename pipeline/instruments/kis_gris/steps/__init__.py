"""The steps of GRIS' chains; importing this registers them."""

from pipeline.instruments.kis_gris.steps import (
    context,
    demodulation,
    detector,
    gathering,
    polarisation,
    spectrum,
)

__all__ = ["context", "demodulation", "detector", "gathering", "polarisation", "spectrum"]
