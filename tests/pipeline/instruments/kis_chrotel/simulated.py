"""Simulated frames of ChroTel at a quarter of its resolution, made once, with their calibration files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from pipeline.frame import Frame
from pipeline.instruments.kis_chrotel.simulate import (
    SimulatedFrame,
    SimulationConfig,
    simulate,
    write_calibration,
)
from pipeline.instruments.kis_chrotel.simulate.series import scan
from pipeline.known_references import recognise_reference
from pipeline.step import ReferenceFile
from pipeline.testing import reference, run_recipe

SIZE: Final = 512
HALPHA: Final = SimulationConfig(size=SIZE)
CALCIUM: Final = SimulationConfig(size=SIZE, line="ca")
HELIUM: Final = SimulationConfig(size=SIZE, line="he", shake=1.0)
#: What level 2 needs at this resolution: the recipe's 1.5 arcsec are those of 2048 pixels.
SETTINGS: Final = {"register_disk.scale_arcsec": 6.0}


@lru_cache(maxsize=24)
def image(config: SimulationConfig) -> SimulatedFrame:
    """A simulated frame; nobody may change it."""
    made = simulate(config)
    for plane in (made.data, made.field, made.contrast, made.filaments, made.velocity):
        plane.flags.writeable = False
    return made


def frame(config: SimulationConfig) -> Frame:
    """The same as the pipeline gets it."""
    made = image(config)
    return Frame.of(made.data, made.header, made.filename)


@lru_cache(maxsize=8)
def references(config: SimulationConfig) -> tuple[ReferenceFile, ...]:
    """Dark and flat of a frame, known by their names."""
    found = []
    for path in write_calibration(Path(mkdtemp(prefix="chrotel-")), [config]):
        known = recognise_reference(path)
        assert known is not None, path.name
        assert (known.instrument, known.simulated) == ("kis_chrotel", True)
        found.append(reference(known.need, path))
    return tuple(found)


@lru_cache(maxsize=8)
def level_1(config: SimulationConfig) -> Frame:
    """The product of an image."""
    (ran,) = run_recipe("kis_chrotel-l1", [frame(config)], references=references(config))
    return ran.made


@lru_cache(maxsize=8)
def level_2(config: SimulationConfig) -> Frame:
    """The product of level 1."""
    (ran,) = run_recipe("kis_chrotel-l2", [level_1(config)], settings=SETTINGS)
    return ran.made


def scanned(config: SimulationConfig) -> list[Frame]:
    """The seven frames of a scan of He I."""
    return [frame(one) for one in scan(config)]


@lru_cache(maxsize=2)
def cube(config: SimulationConfig) -> Frame:
    """The product of a scan of He I."""
    (ran,) = run_recipe("kis_chrotel-he-l1", scanned(config), references=references(config))
    return ran.made


@lru_cache(maxsize=2)
def flat_cube(config: SimulationConfig) -> Frame:
    """The product of level 1f."""
    (ran,) = run_recipe("kis_chrotel-he-l2", [cube(config)], settings=SETTINGS)
    return ran.made
