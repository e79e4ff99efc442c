"""Simulated LASCO images with known truth, for tests and demonstrations. No observation is in them.

Made from a model of the corona through optics and detector, with nothing of the steps that undo them but
constants of the mission; and calibration files in the mission's formats to go with them.
"""

from pipeline.instruments.soho_lasco.simulate.calibration import write_calibration
from pipeline.instruments.soho_lasco.simulate.config import SimulationConfig
from pipeline.instruments.soho_lasco.simulate.series import SimulatedFrame, simulate, write

__all__ = ["SimulatedFrame", "SimulationConfig", "simulate", "write", "write_calibration"]
