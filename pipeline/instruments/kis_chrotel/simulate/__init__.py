"""Simulated ChroTel frames with known truth, for tests and demonstrations. No observation is in them.

A model of the chromosphere is taken through atmosphere, Lyot filter and camera, with nothing of the steps
that undo them; darks and flats go with it.
"""

from pipeline.instruments.kis_chrotel.simulate.calibration import write_calibration
from pipeline.instruments.kis_chrotel.simulate.config import SimulationConfig
from pipeline.instruments.kis_chrotel.simulate.series import SimulatedFrame, simulate, write

__all__ = ["SimulatedFrame", "SimulationConfig", "simulate", "write", "write_calibration"]
