"""Simulated cycles of LARS with known velocities, for tests and demonstrations. No observation is in them.

Wavelengths are stretched by the change of the light's travel time from a turning Sun to a moving observatory,
found by differences of positions, and never by the steps' formulas.
"""

from pipeline.instruments.kis_lars.simulate.config import CycleConfig
from pipeline.instruments.kis_lars.simulate.cycle import SimulatedCycle, Truth, simulate, write

__all__ = ["CycleConfig", "SimulatedCycle", "Truth", "simulate", "write"]
