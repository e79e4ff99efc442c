"""Frames for the tests of the HI chains: simulated ones, and how to send them through."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.frame import Frame
from pipeline.instruments.stereo_hi.simulate import (
    SimulatedFrame,
    SimulationConfig,
    flat_file,
    flat_name,
    simulate_series,
)
from pipeline.outcome import Outcome
from pipeline.recipe import recipes_of
from pipeline.registry import instrument
from pipeline.running import run_chain
from pipeline.step import ReferenceFile, find_step

LEVEL_1 = "stereo_hi-l1"
#: Physical units without a flat have to be asked for.
MSB: dict[str, Any] = {"photometric_calibration__units": "MSB", "photometric_calibration__without_flat": True}


def simulated(**settings: Any) -> SimulatedFrame:
    """The first frame of a small simulated series; made once, so nobody may change it."""
    return _first(SimulationConfig(**{"size": 128, "frames": 1, **settings}))


@lru_cache(maxsize=64)
def _first(config: SimulationConfig) -> SimulatedFrame:
    frame = next(iter(simulate_series(config)))
    for plane in (frame.data, frame.truth, frame.truth_flags):
        plane.flags.writeable = False
    return frame


def changeable(**settings: Any) -> SimulatedFrame:
    """The same with an image of its own, which a test may change."""
    frame = simulated(**settings)
    return frame._replace(data=frame.data.copy())


def as_frame(frame: SimulatedFrame, **cards: Any) -> Frame:
    """A simulated image as the pipeline gets it, with some header cards changed; `None` removes one."""
    header = frame.header.copy()
    for name, value in cards.items():
        keyword = name.replace("_", "-") if name.startswith("DATE_") else name
        if value is None:
            del header[keyword]
        else:
            header[keyword] = value
    return Frame.of(frame.data, header, frame.filename)


def frame_of(**settings: Any) -> Frame:
    """The first simulated frame as the pipeline gets it."""
    return as_frame(simulated(**settings))


def level_1(
    frame: Frame, references: Mapping[str, ReferenceFile] | None = None, **settings: Any
) -> tuple[Frame, Outcome]:
    """A frame through the level-1 recipe; settings are written ``step__parameter=value``."""
    recipe = recipes_of(instrument("stereo_hi"))[LEVEL_1]
    changed = recipe.with_settings({key.replace("__", "."): value for key, value in settings.items()})
    result, outcome = run_chain(frame, changed.bind(), dict(references or {}), level="1")
    assert result is not None, outcome
    return result, outcome


def apply_step(
    name: str, frame: Frame, references: Mapping[str, ReferenceFile] | None = None, **params: Any
) -> Frame:
    """One step alone, without the framework around it."""
    instrument("stereo_hi")
    step = find_step("stereo_hi", name)
    return step.function(frame, step.params_model(**params), references or {})


def reference(name: str, path: Path) -> dict[str, ReferenceFile]:
    """A file as the reference of this name."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {name: ReferenceFile(name, f"references:{path.name}", str(path), sha256)}


def flat_of(config: SimulationConfig, folder: Path) -> dict[str, ReferenceFile]:
    """The flat field of a simulated camera as a reference."""
    path = folder / flat_name(config)
    if not path.exists():
        flat_file(config).writeto(path)
    return reference("flat", path)
