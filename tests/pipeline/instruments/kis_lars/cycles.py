"""Simulated cycles of LARS, made once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pipeline.frame import Frame
from pipeline.instruments.kis_lars.simulate import CycleConfig, SimulatedCycle, simulate
from pipeline.outcome import Outcome, Status
from pipeline.testing import run_recipe

#: Without noise.
QUIET = {"photons": 0.0}


@lru_cache(maxsize=16)
def _cycle(config: str) -> SimulatedCycle:
    made = simulate(CycleConfig.model_validate_json(config))
    for data, _ in made.exposures.values():
        data.flags.writeable = False
    return made


def of(**settings: Any) -> SimulatedCycle:
    """A simulated cycle; nobody may change it."""
    return _cycle(CycleConfig(**settings).model_dump_json())


def frames(made: SimulatedCycle, *without: str) -> list[Frame]:
    """The exposures as the pipeline gets them, but for those of some phases."""
    return [
        Frame.of(data, header.copy(), str(header["FILENAME"]), dims=("wavelength",))
        for phase, (data, header) in made.exposures.items()
        if phase not in without
    ]


def level_1(given: list[Frame], **settings: Any) -> Frame:
    """A cycle through the whole recipe; settings are written ``step__parameter=value``."""
    changed = {key.replace("__", "."): value for key, value in settings.items()}
    (ran,) = run_recipe("kis_lars-l1", given, settings=changed, members=len(given))
    return ran.made


def refusal(given: list[Frame]) -> Outcome:
    """Why a cycle could not be made."""
    (ran,) = run_recipe("kis_lars-l1", given, members=len(given))
    assert ran.outcome.status is Status.QUARANTINED
    return ran.outcome
