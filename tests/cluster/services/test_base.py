"""A service is looked at while it may die: what is found is told, never raised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cluster.home.home import Home
from cluster.home.process import ProcessRecord
from cluster.services.base import Service


class Dying(Service):
    """A service whose main process, or one of its children, ends at the very moment it is asked for them."""

    name = "dying"
    main_dies = True

    def command(self, home: Home) -> list[str]:
        return []

    def problem(self, home: Home) -> str:
        return ""

    def witnesses(self, process: psutil.Process) -> tuple[int, ...]:
        if self.main_dies:
            process.kill()
            process.wait()
        raise psutil.NoSuchProcess(process.pid)


@pytest.mark.parametrize(("main_dies", "state"), [(True, "dead"), (False, "running")])
def test_a_service_that_dies_while_it_is_looked_at_is_told_of(
    tmp_path: Path, main_dies: bool, state: str
) -> None:
    home, service = Home(tmp_path), Dying()
    home.run.mkdir(parents=True)
    service.main_dies = main_dies
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        try:
            created = psutil.Process(process.pid).create_time()
            ProcessRecord("dying", process.pid, created, (1,)).save(home.run)
            found = service.probe(home)
        finally:
            process.kill()
    assert (found.state, bool(found.detail)) == (state, True)
