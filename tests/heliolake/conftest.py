"""The command as tests call it, and a few small simulated frames of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.home.home import Home
from heliolake.cli.app import app
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series


@dataclass(frozen=True)
class Said:
    """What a command wrote and how it ended."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        """Stdout as the one JSON document it must be."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Command = Callable[..., Said]


@pytest.fixture(scope="session")
def run() -> Command:
    """Run `heliolake` with some arguments."""

    def call(*arguments: object) -> Said:
        result = CliRunner().invoke(app, [str(one) for one in arguments], prog_name="heliolake")
        return Said(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture(scope="session")
def here(run: Command, home: Home) -> Command:
    """Run `heliolake` in the home whose services run."""
    return lambda *arguments: run("--home", home.path, *arguments)


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two simulated frames of HI-2 on STEREO-B on a day no other test uses."""
    start = datetime(2008, 2, 3, 0, 9, 21, tzinfo=UTC)
    config = SimulationConfig(
        detector="HI2", spacecraft="B", frames=2, size=64, exposures=20, stars=20, start=start
    )
    return write_series(tmp_path_factory.mktemp("frames"), config)


OBSERVATION = "hi2b_s4_20080203"
"""The observation the simulated frames belong to."""
