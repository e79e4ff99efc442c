"""Simulated series, in memory or as FITS files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline.instruments.stereo_hi.simulate import headers
from pipeline.instruments.stereo_hi.simulate.config import SimulationConfig
from pipeline.instruments.stereo_hi.simulate.detector import Detector
from pipeline.instruments.stereo_hi.simulate.scene import Scene


class SimulatedFrame(NamedTuple):
    """One simulated level-0 image and what is behind it.

    Attributes
    ----------
    filename
        Begins with ``sim_``; else like the mission's.
    header
        Level-0 header, marked as simulated.
    data
        int32, shape (y, x), in the orientation of the file.
    truth
        float32, DN/s per CCD pixel, mean of the exposures, north up.
    truth_flags
        `Quality` bits, uint16, north up: where no chain can bring the truth back.
    """

    filename: str
    header: fits.Header
    data: NDArray[np.int32]
    truth: NDArray[np.float32]
    truth_flags: NDArray[np.uint16]


def file_names(config: SimulationConfig) -> list[str]:
    """Names of the files of a series, in order of time."""
    return [headers.file_name(config, number) for number in range(config.frames)]


def simulate_series(config: SimulationConfig) -> Iterator[SimulatedFrame]:
    """The frames of a series, one after the other; the same configuration gives the same bytes."""
    scene, detector = Scene(config, headers.template(config)), Detector(config)
    for number in range(config.frames):
        exposed = detector.expose(scene.exposures(number), number)
        yield SimulatedFrame(
            filename=headers.file_name(config, number),
            header=headers.header(config, number, exposed),
            data=exposed.data,
            truth=exposed.truth,
            truth_flags=exposed.flags,
        )


def write_series(folder: Path, config: SimulationConfig, truth: Path | None = None) -> list[Path]:
    """Write a series as FITS files.

    Parameters
    ----------
    folder
        Where the level-0 files go; made if need be.
    config
        What to simulate.
    truth
        A folder for ``<stem>.truth.npy`` and ``<stem>.flags.npy``; keep it apart
        from `folder`, so that a chain under test cannot read it.

    Returns
    -------
    list of Path
        The FITS files, in order of time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if truth is not None:
        truth.mkdir(parents=True, exist_ok=True)
    paths = []
    for frame in simulate_series(config):
        path = folder / frame.filename
        fits.PrimaryHDU(frame.data, frame.header).writeto(path, overwrite=True)
        if truth is not None:
            np.save(truth / f"{path.stem}.truth.npy", frame.truth)
            np.save(truth / f"{path.stem}.flags.npy", frame.truth_flags)
        paths.append(path)
    return paths
