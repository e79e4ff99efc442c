"""Peak memory of a worker that assembles a map of GRIS and inverts it, each in a process of its own.

``python -m bench.inversion memory`` writes the table; ``python -m bench.inversion.memory`` is one
of these processes: it makes what its recipe makes of the FITS files of a folder, as a worker does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from astropy.io import fits

from bench.child import peak
from cluster.run.execute import Job, lazily
from cluster.run.stacks import FrameSource, Loader, Manifest, Target
from lake.storage.store import Ref
from pipeline.instruments.kis_gris.simulate import SimulationConfig, simulate
from pipeline.instruments.kis_gris.simulate.config import SAMPLING
from pipeline.instruments.kis_gris.steps.polarisation import TO_DO
from pipeline.outcome import Status
from pipeline.recipe import Recipe, recipes

DIMS: Final = ("stokes", "wavelength", "y", "x")
#: Pixels along the slit, as GRIS has them; what is drawn of them, again and again.
_ROWS: Final = 437
_DRAWN: Final = (6, 19)
#: Recipes that are measured, their settings, and what they are called.
CASES: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("kis_gris-map", "map of slit files (crosstalk is corrected)", {}),
    ("kis_gris-me-1565", "inversion, with fitted profiles", {}),
    ("kis_gris-me-1565", "inversion, without", {"invert_milne_eddington.profiles": False}),
)


class Took(NamedTuple):
    """What a process held at most [bytes] before it began and in the end, and the size of the cube."""

    before: float
    peak: float
    cube: float


def write_slits(folder: Path, size: float) -> list[Path]:
    """Simulated slit files of a map of so many bytes: a few positions of a spot, tiled, each with its noise.

    They say, as our own level 1 does, that crosstalk is still to be corrected: the map is copied once more.
    """
    steps, rows = _DRAWN
    drawn = simulate(SimulationConfig(steps=steps, rows=rows, step_size=1.5, scale=0.9, noise=0.0))
    number = SAMPLING["1565"].number
    positions = max(2, round(size / (4 * 4 * number * _ROWS)))
    random = np.random.default_rng(5)
    paths = []
    for place in range(positions):
        one = drawn.files[place % steps]
        data = np.tile(one.data, (1, 1, -(-_ROWS // rows), 1))[:, :, :_ROWS]
        data = data + random.standard_normal(data.shape, np.float32) * np.float32(5e-4)
        header = one.header.copy()
        header["STEPS"], header[TO_DO] = positions, "not corrected"
        header["CRVAL1"] = -310.0 + 0.27 * place
        path = folder / f"sim_gris_20260614_083000_l1p_003_{place + 1:04d}.fits"
        fits.PrimaryHDU(data.astype(np.float32), header).writeto(path)
        paths.append(path)
    return paths


def carried_out(recipe: Recipe, paths: list[Path], output: Path) -> list[Manifest]:
    """The recipe on files as a worker carries it out: read, steps, written."""
    with fits.open(paths[0]) as units:
        shape = units[0].shape
    targets = tuple(
        Target(
            unit=name or "main",
            output=name,
            instrument="kis_gris",
            folder=output,
            scope="kis_gris",
            name=f"map_{recipe.name}_{name or 'main'}.fits",
            version=0,
            date="2026-01-01T00:00:00",
            parents=tuple(f"kis_gris:{path.name}" for path in paths[:1]),
        )
        for name in ("", *recipe.outputs)
    )
    sources = tuple(FrameSource(loader=Loader(Ref.of_file(path), 0), source=path.name) for path in paths)
    made = lazily([Job(sources, targets, shape, DIMS, len(paths))], recipe)
    (text,) = made.compute(scheduler="synchronous", optimize_graph=False).values
    return [Manifest.model_validate(one) for one in json.loads(str(text))]


def table(size: float = 1e9) -> Iterator[str]:
    """The table in Markdown, of a simulated map of so many bytes."""
    yield "| what | process before, MB | at most, MB | cube, MB | over the cube | without the process |"
    yield "|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory(prefix="heliolake-gris-") as folder:
        slits = Path(folder) / "slits"
        slits.mkdir()
        write_slits(slits, size)
        for recipe, name, settings in CASES:
            took = measured(recipe, settings, Path(folder))
            numbers = " | ".join(f"{one / 1e6:,.0f}" for one in took)
            yield (
                f"| {name} | {numbers} | {took.peak / took.cube:.2f} "
                f"| {(took.peak - took.before) / took.cube:.2f} |"
            )


def measured(recipe: str, settings: Mapping[str, Any], folder: Path) -> Took:
    """One recipe in a process of its own: of the slit files in a folder, or of the map beside them."""
    command = [
        sys.executable,
        "-m",
        "bench.inversion.memory",
        recipe,
        str(folder),
        json.dumps(dict(settings)),
    ]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    return Took(*json.loads(done.stdout.splitlines()[-1]))


def main(name: str, folder: Path, settings: Mapping[str, Any]) -> Took:
    """What this process takes for one recipe.

    Raises
    ------
    RuntimeError
        When nothing came of it.
    """
    recipe = recipes()[name].with_settings(settings)
    recipe.bind()
    slits, cube = sorted((folder / "slits").glob("*.fits")), folder / "map_kis_gris-map_main.fits"
    paths = slits if recipe.group_by is not None else [cube]
    before = peak()
    for one in carried_out(recipe, paths, folder):
        if one.outcome.status is not Status.DONE:
            raise RuntimeError(f"{name}: {one.outcome.step} {one.outcome.reason} {one.outcome.found}")
    with fits.open(cube) as units:
        size = 4.0 * np.prod(units[0].shape)
    return Took(before, peak(), float(size))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))))
