"""What all terms share: priors that keep parts of a PSF from standing in for each other."""

from __future__ import annotations

import numpy as np

from pipeline.psf.fit import Problem
from pipeline.psf.hankel import Series
from pipeline.psf.model import start_of


def cost(fwhm: float, begins: float, share: float = 0.1) -> float:
    """Of what is known before frames are seen: a core, and where a wing begins, pixels."""
    parameters = start_of("halo", fwhm)
    parameters[6:8] = share, np.log(begins)
    return float(np.sum(Problem([], Series(300.0), "halo", None).parts(parameters)[-1] ** 2))


def test_a_wing_does_not_begin_within_the_core() -> None:
    assert cost(6.2, begins=2.4) > cost(6.2, begins=3.2) + 6.0
    assert cost(3.0, begins=2.4) < cost(3.0, begins=2.1)  # of a narrow core it may begin there


def test_most_of_the_light_is_in_the_core_unless_frames_tell() -> None:
    assert cost(5.0, 6.0, share=0.4) > cost(5.0, 6.0, share=0.1) + 4.0
