"""What faults are brought upon: a home with two sites, one that keeps its files in a folder, one in S3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil
from sqlalchemy import text

from bench.faults.proxy import Proxy
from bench.home import small_files
from cluster.crew.crew import EXECUTOR
from cluster.home.home import Home
from cluster.services import down, records
from cluster.sites.book import Book
from lake.catalogue.session import transaction
from lake.lake import Lake

T = TypeVar("T")

NORTH: Final = "north"
SOUTH: Final = "south"
_FIRST: Final = datetime(2015, 1, 1, tzinfo=UTC)
RECIPE: Final = "aia-l15"
_HOUSE: Final = Path(__file__).resolve().parents[2]


@dataclass
class World:
    """A home whose services run, and raw files for as many runs as are asked for.

    Parameters
    ----------
    home
        Where.
    scratch
        For raw files.
    size
        Pixels a side of each frame: what decides how long a run takes.
    day
        Of the last raw files; each run has its own.
    """

    home: Home
    scratch: Path
    size: int = 1024
    day: int = 0

    @property
    def book(self) -> Book:
        """What the home knows of its sites."""
        return Book(self.home)

    @contextmanager
    def lake(self) -> Iterator[Lake]:
        """The lake, from which all storages are seen."""
        with Lake.open(self.book.lake_config()) as opened:
            yield opened

    def heliolake(
        self, *words: str, environment: dict[str, str] | None = None, before: Sequence[str] = ()
    ) -> Command:
        """Start a command as an operator would, behind such words as have it run elsewhere."""
        line = [
            *before,
            sys.executable,
            "-c",
            "from heliolake.cli import main; main()",
            "--home",
            str(self.home.path),
        ]
        return Command([*line, *words], {**os.environ, **(environment or {})})

    def told(self, *words: str) -> dict[str, Any]:
        """The JSON document of a command that has to work."""
        done = self.heliolake(*words, "--json").wait(600)
        if done.code:
            raise RuntimeError(
                f"heliolake {' '.join(words[:3])} ended with {done.code}: {done.errors[-2000:]}"
            )
        return dict(json.loads(done.output))

    def up(self) -> None:
        """What an operator does first when something does not answer."""
        self.heliolake("up", "--json").wait(600)

    def take_in(self, counts: dict[str, int]) -> str:
        """New raw files at each site, all of one new observation; its name."""
        self.day += 1
        moment = _FIRST + timedelta(days=self.day)
        folder = self.scratch / f"raw{self.day}"
        rest = small_files(folder, sum(counts.values()), self.size, self.day)
        for site, count in counts.items():
            here, rest = rest[:count], rest[count:]
            if here:
                self.told("ingest", "--site", site, *map(str, here))
        for path in folder.iterdir():
            path.unlink()
        return f"aia171_{moment:%Y%m%d}"

    def members(self, service: str, site: str = "") -> list[psutil.Process]:
        """The processes of a service, of the home's own or of a site's."""
        home = self.book.part(site) if site else self.home
        return records.members(home, service)

    def executor(self, site: str) -> list[psutil.Process]:
        """The executor that was sent to a site."""
        return self.members(f"{EXECUTOR}-{site}")

    def workers(self, site: str) -> list[psutil.Process]:
        """The worker processes of a site's Dask."""
        return [one for one in self.members("dask", site) if _is_worker(one)]

    def run_of(self, observation: str) -> str:
        """The last run that makes products of an observation; '' where there is none."""
        query = text("SELECT run_id FROM unit WHERE product LIKE :name ORDER BY run_id LIMIT 1")
        with self.lake() as lake, transaction(lake.sessions) as session:
            return str(session.execute(query, {"name": f"%{observation}%"}).scalar() or "")

    def sql(self, statement: str, **values: Any) -> None:
        """Change the catalogue behind everybody's back."""
        with self.lake() as lake, transaction(lake.sessions) as session:
            session.execute(text(statement), values)

    @contextmanager
    def by_proxy(self, service: str, site: str = "") -> Iterator[Proxy]:
        """Have everybody who begins from now on reach a service through a way that can be broken."""
        home = self.book.part(site) if site else self.home
        port = home.port(service)
        assert port is not None
        proxy = Proxy(port)
        home.record_port(service, proxy.port)
        try:
            yield proxy
        finally:
            home.record_port(service, port)
            proxy.close()


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    errors: str


class Command:
    """A command under way, in a session of its own so that it can be killed with all its own."""

    def __init__(self, line: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=_HOUSE,
            env=environment,
            start_new_session=True,
        )

    @property
    def is_over(self) -> bool:
        """Whether it ended."""
        return self.process.poll() is not None

    def wait(self, limit: float) -> Ended:
        """Until it ends.

        Raises
        ------
        subprocess.TimeoutExpired
            When it does not, within so many seconds; it is killed then.
        """
        try:
            output, errors = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return Ended(self.process.returncode, output, errors)


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL, at once."""
    _send(processes, signal.SIGKILL)


def freeze(processes: Iterable[psutil.Process]) -> None:
    """SIGSTOP: still there, and does nothing."""
    _send(processes, signal.SIGSTOP)


def thaw(processes: Iterable[psutil.Process]) -> None:
    """SIGCONT."""
    _send(processes, signal.SIGCONT)


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(number)


def eventually(true: Callable[[], T], limit: float = 180.0, *, every: float = 0.05) -> T:
    """What becomes true sooner or later.

    Raises
    ------
    TimeoutError
        When it does not within the limit.
    """
    deadline = time.monotonic() + limit
    while not (found := true()):
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not come to be")
        time.sleep(every)
    return found


def _is_worker(process: psutil.Process) -> bool:
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return "spawn_main" in line or "forkserver" in line


@contextmanager
def running_world(folder: Path, size: int) -> Iterator[World]:
    """A world of its own for as long as the block lasts."""
    world = World(Home(folder / "home"), folder / "scratch", size)
    world.scratch.mkdir(parents=True)
    try:
        done = world.heliolake("up", "--site", NORTH, "--site", f"{SOUTH}=s3", "--json").wait(600)
        if done.code:
            raise RuntimeError(done.errors)
        yield world
    finally:
        down(world.home)
        disk = world.book.part(NORTH).rse_root
        if disk.is_mount():  # of the faults of disks
            subprocess.run(["umount", str(disk)], check=True)
