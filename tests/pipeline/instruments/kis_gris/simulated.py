"""Simulated scans, made once, as the pipeline gets them."""

from __future__ import annotations

from functools import lru_cache

from pipeline.frame import Frame
from pipeline.instruments.kis_gris.simulate import Scan, SimulationConfig, simulate
from pipeline.testing import Ran, run_recipe

DIMS = ("stokes", "wavelength", "y", "x")
SMALL = SimulationConfig(steps=6, rows=16, binning=3, step_size=1.2, scale=0.9, radius=4.0)


@lru_cache(maxsize=4)
def scan(config: SimulationConfig = SMALL) -> Scan:
    """A scan; nobody may change it."""
    return simulate(config)


def slits(config: SimulationConfig = SMALL) -> list[Frame]:
    """Its level-1 files in the order of their time; headers may be changed."""
    return [Frame.of(one.data, one.header.copy(), one.filename, dims=DIMS) for one in scan(config).files]


@lru_cache(maxsize=1)
def whole() -> Ran:
    """The map of the small scan with all its slit positions; nobody may change it."""
    return mapped(slits())


def mapped(frames: list[Frame], places: int | None = None, **settings: object) -> Ran:
    """What the recipe makes of slit files."""
    (ran,) = run_recipe(
        "kis_gris-map",
        frames,
        members=len(frames),
        places=places,
        settings={key.replace("__", "."): value for key, value in settings.items()},
    )
    return ran
