"""Simulated HI images with known truth, for tests and demonstrations. No observation is in them.

Made from the physics of the camera, exposure by exposure at the resolution of its
CCD, with nothing of the steps that undo it but constants of the mission.
"""

from pipeline.instruments.stereo_hi.simulate.calibration import flat_file, flat_name
from pipeline.instruments.stereo_hi.simulate.config import Front, SimulationConfig, Source
from pipeline.instruments.stereo_hi.simulate.detector import photon_noise
from pipeline.instruments.stereo_hi.simulate.series import (
    SimulatedFrame,
    file_names,
    simulate_series,
    write_series,
)

__all__ = [
    "Front",
    "SimulatedFrame",
    "SimulationConfig",
    "Source",
    "file_names",
    "flat_file",
    "flat_name",
    "photon_noise",
    "simulate_series",
    "write_series",
]
