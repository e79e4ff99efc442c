"""Simulated HI images with known truth, for tests and demonstrations. No observation is in them."""

from pipeline.instruments.stereo_hi.simulate.config import Front, SimulationConfig, Source
from pipeline.instruments.stereo_hi.simulate.detector import photon_noise
from pipeline.instruments.stereo_hi.simulate.series import SimulatedFrame, simulate_series, write_series

__all__ = [
    "Front",
    "SimulatedFrame",
    "SimulationConfig",
    "Source",
    "photon_noise",
    "simulate_series",
    "write_series",
]
