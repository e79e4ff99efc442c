"""What the demonstration works on: frames that installed packages ship, a folder, and a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np

from heliolake.demo.stories import Truth

#: Frames within sunpy: full-disk AIA 171 Å of level 1 at 128², and a series of EIT frames.
SHIPPED: Final = ("aia_171_level1.fits", "EIT")

SERIES: Final[dict[str, Any]] = {
    "detector": "HI1",
    "spacecraft": "A",
    "kind": "s4",
    "frames": 4,
    "seed": 20090401,
    "stars": 1800,
    "cosmic_rays": 60.0,
    "sources": ({"x": 330.0, "y": 590.0, "rate": 90_000.0},),
    "front": {"elongation": 11.0, "speed": 0.35, "rate": 2.5, "width": 0.7},
}
"""The simulated series: a day's hours of HI-1 A with a planet bright enough to fill its columns."""


@dataclass(frozen=True)
class Simulated:
    """A simulated series on disk, and what its frames should become, by name of the file."""

    paths: tuple[Path, ...]
    truths: Mapping[str, Truth]


def shipped_frames() -> list[Path]:
    """Real frames that come with the packages Heliolake needs anyway."""
    folder = Path(str(resources.files("sunpy.data.test")))
    return [folder / name for name in SHIPPED if (folder / name).exists()]


def simulate(folder: Path, **changes: Any) -> Simulated:
    """Write the simulated series and keep its truth in memory, where no recipe can see it.

    Parameters
    ----------
    folder
        Where the FITS files go. The same series always has the same bytes.
    changes
        Settings other than those of `SERIES`.
    """
    from pipeline.instruments.stereo_hi.simulate import (
        SimulationConfig,
        photon_noise,
        simulate_series,
        write_series,
    )

    config = SimulationConfig.model_validate({**SERIES, **changes})
    paths = write_series(folder, config)
    truths = {}
    for frame in simulate_series(config):
        noise = photon_noise(config, frame.truth)
        # Where a cosmic ray hit or the planet spilled there is no truth to come back to.
        noise[frame.truth_flags != 0] = np.nan
        truths[frame.filename] = Truth(frame.truth, noise)
    return Simulated(tuple(paths), truths)
