"""Simulated LST exposures at a ninth of the resolution, made once, with their calibration files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from pipeline.frame import Frame
from pipeline.instruments.aso_s_lst.simulate import (
    SimulatedFrame,
    SimulationConfig,
    simulate,
    write_calibration,
)
from pipeline.known_references import recognise_reference
from pipeline.step import ReferenceFile
from pipeline.testing import Ran, reference, run_recipe

SIZE: Final = 512
SDI: Final = SimulationConfig(size=SIZE)
WST: Final = SimulationConfig(telescope="WST", gain="SINGLE", size=SIZE)
SCIUV: Final = SimulationConfig(telescope="SCIUV", size=SIZE, front=1.7)
SCIWL: Final = SimulationConfig(telescope="SCIWL", size=SIZE, front=1.7)


@lru_cache(maxsize=16)
def image(config: SimulationConfig) -> SimulatedFrame:
    """A simulated exposure; nobody may change it."""
    made = simulate(config)
    for plane in (made.data, made.truth, made.blurred, made.noise, made.flags):
        plane.flags.writeable = False
    return made


def frames(config: SimulationConfig, **cards: Any) -> list[Frame]:
    """What makes one image of level 1: both channels of SDI and SCIUV, one of the others."""
    channels = ["LOW", "HIGH"] if config.telescope in ("SDI", "SCIUV") else [config.gain]
    made = []
    for gain in channels:
        one = image(config.model_copy(update={"gain": gain}))
        header = one.header.copy()
        header.update(cards)
        made.append(Frame.of(one.data, header, one.filename))
    return made


@lru_cache(maxsize=8)
def references(config: SimulationConfig) -> tuple[ReferenceFile, ...]:
    """All that an exposure is calibrated with, known by the names of the files."""
    found = []
    for path in write_calibration(Path(mkdtemp(prefix="lst-")), [config]):
        known = recognise_reference(path)
        assert known is not None, path.name
        assert (known.instrument, known.simulated) == ("aso_s_lst", True)
        assert known.selectors == {"telescope": config.telescope.lower()}
        found.append(reference(known.need, path))
    return tuple(found)


def recipe_of(config: SimulationConfig) -> str:
    """The recipe that makes level 1."""
    return "aso_s_lst-l1-hdr" if config.telescope in ("SDI", "SCIUV") else "aso_s_lst-l1"


@lru_cache(maxsize=8)
def level_1(config: SimulationConfig) -> Ran:
    """Level 1 of an exposure."""
    given = frames(config)
    (ran,) = run_recipe(recipe_of(config), given, references=references(config), members=len(given))
    return ran
