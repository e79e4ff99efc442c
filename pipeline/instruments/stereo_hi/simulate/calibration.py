"""The flat field of a simulated camera, as a reference file like the mission's."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig
from pipeline.instruments.stereo_hi.simulate.optics import response


def flat_name(config: SimulationConfig) -> str:
    """Name of the flat's file: like the mission's, with `sim_` before it."""
    form = "raw" if config.kind == "n4" else "sum"
    return f"sim_flatfld_{form}_h{config.detector[-1]}{config.spacecraft.lower()}.fts"


def flat_file(config: SimulationConfig) -> fits.HDUList:
    """By what a calibrated image of this series is multiplied, on the grid of its images as read out.

    The mission's flats come for single and for summed pixels; this one is
    that of the series' own pixels: one over the mean response of theirs.
    """
    size = config.binning
    ny, nx = (side // size for side in (config.ccd_pixels, config.ccd_pixels))
    mean = response(config).reshape(ny, size, nx, size).mean(axis=(1, 3), dtype=np.float64)
    header = fits.Header()
    header["DETECTOR"] = config.detector
    header["OBSRVTRY"] = f"STEREO_{config.spacecraft}"
    header["P1COL"] = (51, "first column; the underscan is not in this file")
    header["RECTIFY"] = (False, "as read out")
    header["SIMULATD"] = (True, "simulated flat field of a simulated camera")
    header["ORIGIN"] = "Heliolake simulator"
    return fits.HDUList([fits.PrimaryHDU((1.0 / mean).astype(np.float32), header)])
