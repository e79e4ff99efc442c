"""Simulated scans of a sunspot by GRIS with known truth, for tests and demonstrations; no observation.

Level-1 slit files in the documented form, and raw files with detector, modulation, crosstalk and fringes and
the calibration files that go with them. The forward model is an own one, in float64, and shares nothing with
inversions.
"""

from pipeline.instruments.kis_gris.simulate.config import SimulationConfig
from pipeline.instruments.kis_gris.simulate.raw import RawScan, simulate_raw, write_calibration
from pipeline.instruments.kis_gris.simulate.scan import Scan, SlitFile, simulate, write, write_truth

__all__ = [
    "RawScan",
    "Scan",
    "SimulationConfig",
    "SlitFile",
    "simulate",
    "simulate_raw",
    "write",
    "write_calibration",
    "write_truth",
]
