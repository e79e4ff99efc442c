"""Simulated LST images with known truth, for tests and demonstrations. No observation is in them.

A scene, of a model or of another telescope's image of the whole disk, goes through a physical point spread
function and a detector with two gains, with nothing of the steps that undo them. `simulate` makes a raw
image, `observed` one that is calibrated already, for whoever studies sharpness alone; both take any PSF.
"""

from pipeline.instruments.aso_s_lst.simulate.calibration import write_calibration
from pipeline.instruments.aso_s_lst.simulate.config import SimulationConfig
from pipeline.instruments.aso_s_lst.simulate.optics import Pupil, blurred, physical_psf
from pipeline.instruments.aso_s_lst.simulate.picture import scene_of_image
from pipeline.instruments.aso_s_lst.simulate.scene import scene
from pipeline.instruments.aso_s_lst.simulate.series import (
    SimulatedFrame,
    observed,
    simulate,
    write,
)

__all__ = [
    "Pupil",
    "SimulatedFrame",
    "SimulationConfig",
    "blurred",
    "observed",
    "physical_psf",
    "scene",
    "scene_of_image",
    "simulate",
    "write",
    "write_calibration",
]
