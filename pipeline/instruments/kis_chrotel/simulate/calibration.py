"""Darks and flats that go with simulated frames, under names that say so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from astropy.io import fits

from pipeline.instruments.kis_chrotel.simulate import camera
from pipeline.instruments.kis_chrotel.simulate.config import SimulationConfig

_NOTE: Final = "SIMULATED by Heliolake; this is no measurement."


def write_calibration(folder: Path, configs: Sequence[SimulationConfig]) -> list[Path]:
    """One dark of the day, and one flat of each line."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for config in {(one.line, one.begin.date()): one for one in configs}.values():
        day = f"{config.begin:%Y%m%d}"
        for what, values in (("dark", camera.dark(config)), ("flat", camera.flat(config))):
            path = folder / f"sim_chrotel_{config.line}_{what}_{day}.fits"
            hdu = fits.PrimaryHDU(values.astype(np.float32))
            hdu.header["SIMULATD"] = (True, "simulated, not measured")
            hdu.header["BUNIT"] = "adu" if what == "dark" else ""
            hdu.header.add_comment(_NOTE)
            hdu.writeto(path, overwrite=True)
            made.append(path)
    return made
