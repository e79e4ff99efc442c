"""The steps of ChroTel's chains; importing this registers them."""

from pipeline.instruments.kis_chrotel.steps import (
    calibrate,
    doppler,
    filaments,
    large_scale,
    scan,
    statistics,
)

__all__ = ["calibrate", "doppler", "filaments", "large_scale", "scan", "statistics"]
