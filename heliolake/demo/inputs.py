"""What the demonstration works on: frames that installed packages ship, a folder, and a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from heliolake.demo.stories import Truth

if TYPE_CHECKING:
    from pipeline.instruments.stereo_hi.simulate import SimulationConfig

#: Frames within sunpy: full-disk AIA 171 Å of level 1 at 128², and a series of EIT frames.
SHIPPED: Final = ("aia_171_level1.fits", "EIT")

SERIES: Final[dict[str, Any]] = {
    "detector": "HI1",
    "spacecraft": "A",
    "kind": "s4",
    "frames": 4,
    "start": datetime(2009, 4, 2, 0, 8, 31, tzinfo=UTC),
    "seed": 20090401,
    "size": 512,
    "sources": ({"x": 165.0, "y": 295.0, "rate": 90_000.0},),
    "front": {"elongation": 11.0, "speed": 0.35, "rate": 2.5, "width": 0.7},
}
"""The simulated series: hours of the middle of HI-1 A, with a planet bright enough to fill its columns."""


@dataclass(frozen=True)
class Simulated:
    """A simulated series on disk, what its frames should become, by name of the file, and its flat field."""

    paths: tuple[Path, ...]
    truths: Mapping[str, Truth]
    flat: Path


def shipped_frames() -> list[Path]:
    """Real frames that come with the packages Heliolake needs anyway."""
    folder = Path(str(resources.files("sunpy.data.test")))
    return [folder / name for name in SHIPPED if (folder / name).exists()]


def simulate(folder: Path, truth_folder: Path, **changes: Any) -> Simulated:
    """The simulated series. Made once: a lake keeps the first bytes of a name, and truth goes with them.

    Parameters
    ----------
    folder
        Where the FITS files are, or go.
    truth_folder
        Where the truth is, or goes; apart from the files, so that no ingest meets it.
    changes
        Settings other than those of `SERIES`.
    """
    from pipeline.instruments.stereo_hi.simulate import SimulationConfig, file_names

    config = SimulationConfig.model_validate({**SERIES, **changes})
    paths = [folder / name for name in file_names(config)]
    if not all(path.exists() and (truth_folder / f"{path.stem}.npz").exists() for path in paths):
        paths = _write(config, folder, truth_folder)
    truths = {path.name: _load(truth_folder / f"{path.stem}.npz") for path in paths}
    return Simulated(tuple(paths), truths, _flat(config, truth_folder))


def _flat(config: SimulationConfig, folder: Path) -> Path:
    """The camera's flat field; apart from the images, for it is no observation to be ingested."""
    from pipeline.instruments.stereo_hi.simulate import flat_file, flat_name

    path = folder / flat_name(config)
    if not path.exists():
        flat_file(config).writeto(path)
    return path


def _write(config: SimulationConfig, folder: Path, truth_folder: Path) -> list[Path]:
    from astropy.io import fits

    from pipeline.instruments.stereo_hi.simulate import photon_noise, simulate_series

    paths = []
    for made in (folder, truth_folder):
        made.mkdir(parents=True, exist_ok=True)
    for frame in simulate_series(config):
        path = folder / frame.filename
        fits.PrimaryHDU(frame.data, frame.header).writeto(path, overwrite=True, output_verify="silentfix")
        noise = photon_noise(config, frame.truth)
        # Where a cosmic ray hit or the planet spilled there is no truth to come back to.
        noise[frame.truth_flags != 0] = np.nan
        np.savez(truth_folder / f"{path.stem}.npz", image=frame.truth, noise=noise)
        paths.append(path)
    return paths


def _load(path: Path) -> Truth:
    with np.load(path) as saved:
        return Truth(saved["image"], saved["noise"])
