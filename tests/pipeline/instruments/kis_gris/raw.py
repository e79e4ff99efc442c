"""A simulated raw scan with its calibration files, made once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from pipeline.frame import Frame
from pipeline.instruments.kis_gris.simulate import RawScan, SimulationConfig, simulate_raw
from pipeline.instruments.kis_gris.simulate.recovery import (
    frames_of,
    recover,
    references_of,
    scan_of,
    settings_of,
)
from pipeline.step import ReferenceFile
from pipeline.testing import Ran, run_recipe

CONFIG = scan_of("1565", steps=4, step_size=1.8)

__all__ = [
    "CONFIG",
    "frames_of",
    "level_1",
    "recover",
    "references",
    "scan",
    "settings_of",
    "with_coefficients",
]


@lru_cache(maxsize=2)
def scan(config: SimulationConfig = CONFIG) -> RawScan:
    """A scan; nobody may change it."""
    return simulate_raw(config)


@lru_cache(maxsize=2)
def references(config: SimulationConfig = CONFIG) -> tuple[ReferenceFile, ...]:
    """Its dark, flat, modulation matrix and atlas."""
    return tuple(references_of(config, Path(mkdtemp(prefix="gris-"))))


def with_coefficients(frame: Frame) -> Frame:
    """A raw file whose header has the demodulation of a tetrahedron."""
    corners = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) / np.sqrt(3.0)
    inverse = np.linalg.inv(np.column_stack([np.ones(4), corners]))
    for row, letter in zip(inverse, "IQUV", strict=True):
        for state, value in enumerate(row, start=1):
            frame.header[f"COEF{letter}-{state}"] = value
    return frame


def level_1(
    frames: list[Frame] | None = None, *, lacking: tuple[str, ...] = ("atlas",), **settings: Any
) -> Ran:
    """What the recipe makes of the first of some raw files, of the scan's by default."""
    given = frames_of(scan())[:1] if frames is None else frames
    wanted = settings_of(CONFIG) | {key.replace("__", "."): value for key, value in settings.items()}
    used = [one for one in references() if one.name not in lacking]
    return run_recipe("kis_gris-l1", given, references=used, settings=wanted)[0]
