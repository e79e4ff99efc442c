"""What every test may ask for: a home with running services, and the real files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from cluster.home.home import Home
from cluster.services import down, up

#: Multiplies the number of random examples: `HELIOLAKE_FUZZ=50 make test` looks longer.
FUZZ = int(os.environ.get("HELIOLAKE_FUZZ", "1"))

# The first call of a kernel compiles it, which takes longer than any example should.
settings.register_profile("heliolake", deadline=None, max_examples=100 * FUZZ)
settings.load_profile("heliolake")

HOUSE = Path(__file__).resolve().parent.parent

#: Names a folder in which services run already, for tests that are run over and over (`tests.mutants`).
RUNNING = "HELIOLAKE_TESTS_RUNNING"

_STOP_WHEN_TESTS_END = """
import sys
sys.stdin.read()
from cluster.home.home import Home
from cluster.services import down
down(Home(sys.argv[1]))
"""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose services run; shared by all tests, which therefore choose names of their own."""
    if os.environ.get("HELIOLAKE_TESTS_WITHOUT_SERVICES"):
        pytest.skip("HELIOLAKE_TESTS_WITHOUT_SERVICES is set")
    if there := running("home"):
        yield there
        return
    with running_home(tmp_path_factory.mktemp("home")) as started:
        yield started


def running(name: str) -> Home | None:
    """A home whose services somebody else started, where `RUNNING` names a folder of such homes."""
    folder = os.environ.get(RUNNING)
    return Home(Path(folder) / name) if folder else None


@contextmanager
def running_home(path: Path, storage: str = "") -> Iterator[Home]:
    """A home whose services run within a ``with`` block and end with it, or with the test process."""
    home = Home(path)
    with ending_with_tests(home):
        up(home, storage=storage)
        yield home


@contextmanager
def ending_with_tests(home: Home) -> Iterator[None]:
    """Whatever services of a home are started within the block end with it, or with the test process."""
    # Reads until our end of the pipe is closed, which happens even when the tests are killed.
    watcher = subprocess.Popen(
        [sys.executable, "-c", _STOP_WHEN_TESTS_END, str(home.path)],
        stdin=subprocess.PIPE,
        cwd=HOUSE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        down(home)
        watcher.communicate()


def carried_out(command: Sequence[str], **where: Any) -> subprocess.CompletedProcess[str]:
    """A command that starts services and stops them: `subprocess.run` would not give it the time to when
    the tests are interrupted, and it with them."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **where
    ) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; tests that need it are skipped where it is absent."""
    named = os.environ.get("HELIOLAKE_DATA")
    folder = Path(named) if named else HOUSE.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"There are no real files in {folder}. Name their folder in HELIOLAKE_DATA.")
    return folder


@pytest.fixture(scope="session")
def rucio(home: Home) -> Any:
    """A client of the home's Rucio, signed in as the service account."""
    return rucio_client(home)


def rucio_client(home: Home, account: str = "root", password: str = "") -> Any:
    """A client signed in as any account."""
    from rucio.client import Client

    class Impatient(Client):  # type: ignore[misc]  # Rucio carries no types
        AUTH_RETRIES = 1  # Rucio takes a refusal for an expired token, and would ask three times

    config = home.lake_config()
    return Impatient(
        rucio_host=config.rucio_host,
        auth_host=config.rucio_host,
        account=account,
        auth_type="userpass",
        creds={"username": account, "password": password or config.password},
    )
