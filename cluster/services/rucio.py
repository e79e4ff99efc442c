"""Rucio: its server under gunicorn, and its daemons in one process of their own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import psutil

import lake
from cluster.home.home import Home
from cluster.home.process import write_private
from cluster.services import records
from cluster.services.base import Service, fetch, launch, log_tail, python
from cluster.services.compute import store_environment
from lake.errors import Fatal
from lake.rucio.server.settings import RucioSettings

BOOTSTRAP = "rucio-bootstrap"
"""Name under which the first filling of the database runs."""

_STUCK_AFTER = 180.0  # seconds; a round that copies large files takes its time


def settings(home: Home) -> RucioSettings:
    """The configuration of this home's Rucio; the ports must be recorded already."""
    return RucioSettings(
        folder=home.rucio,
        log_folder=home.log,
        database_url=home.database_url("rucio"),
        server_url=home.url("rucio"),
        password=home.secret("rucio_root"),
        rse=home.rse,
        store=home.store_url,
    )


def write_settings(home: Home) -> None:
    """Write the configuration files where they differ from what they should be."""
    for path, text in settings(home).files().items():
        if not path.exists() or path.read_text() != text:
            write_private(path, text)


def is_bootstrapped(home: Home) -> bool:
    """Whether Rucio's database has been set up for this very folder; a home may have been moved."""
    done = _done(home)
    return done.exists() and done.read_text() == home.store_url


def bootstrap(home: Home) -> None:
    """Give a new Rucio its tables, account and storage element; nothing where that is done."""
    if is_bootstrapped(home):
        return
    command = python("-m", "lake.rucio.server.bootstrap", home.rse, home.store_url)
    child = launch(home, BOOTSTRAP, command, _environment(home))
    try:
        code = child.wait(timeout=120)
    finally:
        records.sweep(home, BOOTSTRAP)
    if code != 0:
        raise Fatal(f"Rucio's database could not be set up.{log_tail(home, 'rucio-bootstrap')}")
    write_private(_done(home), home.store_url)


class RucioServer(Service):
    """The REST server."""

    name = "rucio"
    port_names = ("rucio",)

    def prepare(self, home: Home) -> None:
        """Write the configuration for the present ports."""
        write_settings(home)

    def environment(self, home: Home) -> dict[str, str]:
        """Where the server finds its configuration."""
        return _environment(home)

    def command(self, home: Home) -> Sequence[str]:
        """Gunicorn with our application."""
        config = Path(lake.__file__).with_name("rucio") / "server" / "gunicorn_settings.py"
        address = f"127.0.0.1:{home.port('rucio')}"
        application = "lake.rucio.server.application:application"
        return python("-m", "gunicorn", "--config", str(config), "--bind", address, application)

    def problem(self, home: Home) -> str:
        """Whether the server answers."""
        try:
            fetch(f"{home.url('rucio')}/ping")
        except OSError as error:
            return f"it does not answer: {getattr(error, 'reason', error)}"
        return ""

    def address(self, home: Home) -> str:
        """The address of the REST interface."""
        return home.url("rucio")

    def witnesses(self, process: psutil.Process) -> tuple[int, ...]:
        """The worker processes."""
        return tuple(sorted(child.pid for child in process.children()))


class RucioDaemons(Service):
    """The daemons that evaluate rules, transfer files and repair."""

    name = "rucio-daemons"
    patience = 15.0

    def prepare(self, home: Home) -> None:
        """Forget the sign of life of predecessors."""
        write_settings(home)
        _heartbeat(home).unlink(missing_ok=True)

    def environment(self, home: Home) -> dict[str, str]:
        """Where the daemons find their configuration, and the keys to the stores they copy between."""
        return _environment(home) | store_environment(home)

    def command(self, home: Home) -> Sequence[str]:
        """Our loop."""
        module = "lake.rucio.server.daemons"
        return python("-m", module, str(home.rucio / "transfers"), str(_heartbeat(home)))

    def problem(self, home: Home) -> str:
        """Whether the last round is not long ago."""
        try:
            age = time.time() - _heartbeat(home).stat().st_mtime
        except FileNotFoundError:
            return "its first round has not ended"
        return f"its last round ended {age:.0f} s ago" if age > _STUCK_AFTER else ""


def _done(home: Home) -> Path:
    return home.rucio / "bootstrapped"


def _heartbeat(home: Home) -> Path:
    return home.run / "rucio-daemons.heartbeat"


def _environment(home: Home) -> dict[str, str]:
    return {"RUCIO_CONFIG": str(home.rucio / "server.cfg")}
