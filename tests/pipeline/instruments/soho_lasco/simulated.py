"""Simulated images of whole cameras, made once, with the calibration files that go with them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

from pipeline.frame import Frame
from pipeline.instruments.soho_lasco.simulate import (
    SimulatedFrame,
    SimulationConfig,
    simulate,
    write_calibration,
)
from pipeline.known_references import recognise_reference
from pipeline.step import ReferenceFile
from pipeline.testing import reference


@lru_cache(maxsize=8)
def image(config: SimulationConfig) -> SimulatedFrame:
    """A simulated image; nobody may change it."""
    made = simulate(config)
    for plane in (made.data, made.truth, made.noise):
        plane.flags.writeable = False
    return made


def frame(config: SimulationConfig) -> Frame:
    """The same as the pipeline gets it."""
    made = image(config)
    return Frame.of(made.data, made.header, made.filename)


@lru_cache(maxsize=8)
def references(*configs: SimulationConfig) -> tuple[ReferenceFile, ...]:
    """The calibration files of some images, known by their names."""
    found = []
    for path in write_calibration(Path(mkdtemp(prefix="lasco-")), configs):
        known = recognise_reference(path)
        assert known is not None, path.name
        assert known.instrument == "soho_lasco"
        assert known.simulated
        found.append(reference(known.need, path))
    return tuple(found)
