"""The AIA chain from level 1 to 1.5 per frame, reading and writing included: ours and aiapy's."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bench.frames import CHANNEL, Level1
from cluster.run.execute import Job
from cluster.run.stacks import FrameSource, Loader, Manifest, Target, read, write
from lake.fits.io import local_path
from lake.storage.posix import PosixStore
from lake.storage.store import Ref, key_of
from pipeline.apply import RecipeBlock, task_name
from pipeline.dims import Layout
from pipeline.outcome import Status
from pipeline.recipe import Recipe, recipes
from pipeline.stack import as_objects


def full_recipe(level1: Level1, *, iterations: int | None) -> Recipe:
    """All six steps; without the deconvolution when `iterations` is `None`.

    Steps whose reference is not at hand are left out, here as in `AiapyChain`.
    """
    settings: dict[str, Any] = {
        "update_pointing.enabled": "pointing_table" in level1.references,
        "degradation.enabled": "degradation_table" in level1.references,
        "psf_deconvolve.enabled": iterations is not None,
    }
    if iterations is not None:
        settings["psf_deconvolve.iterations"] = iterations
    return recipes()["aia-l15-full"].with_settings(settings)


def jobs(level1: Level1, paths: Sequence[Path], root: Path, tag: str) -> list[Job]:
    """Units as a run hands them to workers; `tag` keeps the products of different batches apart."""
    root.mkdir(parents=True, exist_ok=True)
    return [
        Job(
            (
                FrameSource(
                    loader=Loader(Ref.of_file(path), 1), source=path.name, references=level1.references
                ),
            ),
            (
                Target(
                    unit=f"{tag}{number}",
                    instrument="sdo_aia",
                    store=root.absolute().as_uri(),
                    scope="sdo_aia",
                    name=f"{path.stem}.l15.{tag}{number:04d}.fits",
                    version=1,
                    date="2026-01-01T00:00:00",
                    parents=(f"sdo_aia:{path.name}",),
                ),
            ),
            level1.shape,
        )
        for number, path in enumerate(paths)
    ]


def ours(recipe: Recipe, job: Job) -> dict[str, float]:
    """One frame through what a worker does: read, recipe, write; seconds by phase.

    Raises
    ------
    RuntimeError
        When the frame was not done: its time would say nothing.
    """
    start = time.perf_counter()
    source = as_objects([job.sources[0].model_dump_json()])
    block = read(xr.Dataset({"source": ("time", source)}), Layout(job.dims, job.shape))
    middle = time.perf_counter()
    done = RecipeBlock(recipe, {}, job.shape)(block)
    behind = time.perf_counter()
    name = task_name(recipe)
    manifest = Manifest.model_validate(json.loads(str(write(done, [job.targets], name)[name].values[0]))[0])
    end = time.perf_counter()
    seconds = checked(manifest).outcome.seconds
    steps = {bound.step.name: seconds[bound.step.name] for bound in recipe.bind()}
    rest = behind - middle - sum(steps.values())
    return {"read": middle - start, **steps, "provenance and copies": rest, "write": end - behind}


def drop(job: Job) -> None:
    """Remove what was made, as the peer writes over its own.

    Its pages in the memory of the system are used again then, as they are in a long campaign. Fresh ones may
    cost a virtual machine more time than all the rest of writing.
    """
    for target in job.targets:
        store = PosixStore(local_path(target.store))
        store.remove(key_of(target.scope, target.name))


def checked(manifest: Manifest) -> Manifest:
    """The manifest of a frame that is done.

    Raises
    ------
    RuntimeError
        When it is not.
    """
    outcome = manifest.outcome
    if outcome.status is not Status.DONE:
        raise RuntimeError(f"a frame of the benchmark was {outcome.status}: {outcome.step} {outcome.reason}")
    return manifest


@dataclass
class AiapyChain:
    """The same chain with aiapy and sunpy, as the notebook of the instrument team has it.

    Tables and the point spread function are read once, as they are by ours.
    """

    level1: Level1
    psf: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        from aiapy.calibrate.util import get_correction_table

        references = self.level1.references
        self.corrections = (
            get_correction_table(references["degradation_table"].path)
            if "degradation_table" in references
            else None
        )
        self.pointing = (
            _pointing_table(references["pointing_table"].path) if "pointing_table" in references else None
        )

    def __call__(self, path: Path, out: Path, *, iterations: int | None) -> dict[str, float]:
        """One frame from file to file; seconds by phase."""
        import sunpy.map
        from aiapy.calibrate import correct_degradation, register, update_pointing
        from aiapy.psf import deconvolve

        clock = _Clock()
        frame = sunpy.map.Map(path)
        _ = frame.data  # memory-mapped until now
        clock.lap("read")
        if self.pointing is not None:
            frame = update_pointing(frame, pointing_table=self.pointing)
            clock.lap("update_pointing")
        frame = self._respiked(frame)
        clock.lap("respike")
        if iterations is not None:
            frame = deconvolve(frame, psf=self.psf, iterations=iterations, use_gpu=False)
            clock.lap("psf_deconvolve")
        frame = register(frame)
        clock.lap("register")
        if self.corrections is not None:
            frame = correct_degradation(frame, correction_table=self.corrections)
            clock.lap("degradation")
        frame = frame / frame.exposure_time
        clock.lap("normalise_exposure")
        frame.save(out, overwrite=True)
        clock.lap("write")
        return clock.laps

    def _respiked(self, frame: Any) -> Any:
        import astropy.units as u
        from aiapy.calibrate import respike
        from astropy.io import fits
        from sunpy.map.mapbase import PixelPair

        # What aiapy.calibrate.fetch_spikes does once it has the file.
        index, values = fits.getdata(self.level1.references["spikes"].path, 1).astype(np.int32)
        rows, columns = np.unravel_index(index, (4096, 4096))
        return respike(frame, spikes=(PixelPair(columns * u.pix, rows * u.pix), values))


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self.since
        self.since = now


def _pointing_table(path: str) -> Any:
    """The table with units and times, as aiapy.calibrate.util.get_pointing_table gives it."""
    import astropy.units as u
    from astropy.io import ascii as astropy_ascii
    from astropy.table import QTable
    from astropy.time import Time

    table = QTable(astropy_ascii.read(path))
    for name in ("T_START", "T_STOP"):
        table[name] = Time([str(text).rstrip("Z") for text in table[name]], scale="utc")
    for cell, unit in (("X0", u.pix), ("Y0", u.pix), ("IMSCALE", u.arcsec / u.pix), ("INSTROT", u.deg)):
        table[f"A_{CHANNEL}_{cell}"].unit = unit
    return table
