"""Services come up together, stay as they are, heal after a SIGKILL, and leave nothing behind."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import text

from cluster.home.home import Home
from cluster.home.process import ProcessRecord
from cluster.services import ServiceState, down, records, status, unprivileged, up
from cluster.services.postgres import connect
from lake.catalogue.session import transaction
from lake.errors import Fatal
from lake.governance import audit
from lake.lake import Lake
from tests.conftest import HOUSE, carried_out, ending_with_tests, rucio_client, running_home

NOBODY = 65534
UP = "import sys; from cluster.home.home import Home; from cluster.services import up; up(Home(sys.argv[1]))"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home to be maltreated, under a long path with awkward characters that only its owner can enter."""
    folder = tmp_path_factory.mktemp("own") / ("a long name " * 9) / "sun's ü #1"
    folder.mkdir(parents=True, mode=0o700)
    with running_home(folder / "home") as running:
        yield running


def by_name(states: list[ServiceState]) -> dict[str, ServiceState]:
    return {state.name: state for state in states}


def pids(home: Home) -> dict[str, int | None]:
    return {state.name: state.pid for state in status(home)}


def main_process(home: Home, name: str) -> psutil.Process:
    record = ProcessRecord.load(home.run, name)
    assert record is not None
    process = record.process()
    assert process is not None
    return process


def child(home: Home, name: str, title: str) -> psutil.Process:
    return next(
        process for process in main_process(home, name).children() if title in " ".join(process.cmdline())
    )


def backend_of_rucio(home: Home) -> psutil.Process:
    return child(home, "postgres", "postgres: rucio")


VICTIMS: dict[str, tuple[str, Callable[[Home], psutil.Process]]] = {
    "the postmaster": ("postgres", lambda home: main_process(home, "postgres")),
    "the checkpointer of PostgreSQL": ("postgres", lambda home: child(home, "postgres", "checkpointer")),
    "a connection of PostgreSQL": ("postgres", backend_of_rucio),
    "the master of gunicorn": ("rucio", lambda home: main_process(home, "rucio")),
    "a worker of gunicorn": ("rucio", lambda home: main_process(home, "rucio").children()[0]),
    "the daemons": ("rucio-daemons", lambda home: main_process(home, "rucio-daemons")),
    "the scheduler": ("dask", lambda home: main_process(home, "dask")),
    "a Dask worker": ("dask", lambda home: child(home, "dask", "spawn_main")),
}


@pytest.mark.parametrize(("service", "victim"), VICTIMS.values(), ids=VICTIMS.keys())
def test_a_killed_process_is_noticed_and_healed_with_nothing_lost(
    own: Home, service: str, victim: Callable[[Home], psutil.Process]
) -> None:
    scope = f"kept_{secrets.token_hex(4)}"
    rucio_client(own).add_scope("root", scope)
    victim(own).kill()
    deadline = time.monotonic() + 30
    while (seen := by_name(status(own))[service]).state == "running" and not seen.detail:
        assert time.monotonic() < deadline, "the loss was not noticed"
        time.sleep(0.02)
    healed = up(own)
    assert [(state.state, state.detail) for state in healed] == [("running", "")] * 4
    assert scope in rucio_client(own).list_scopes()
    with psycopg.connect(own.database_url(driver="postgresql")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_up_again_changes_nothing(own: Home) -> None:
    before = pids(own)
    up(own)
    assert pids(own) == before


def test_a_home_made_before_there_was_an_audit_trail_gets_one(own: Home) -> None:
    with connect(own, "heliolake") as database:
        database.execute("DROP SCHEMA audit CASCADE")
        database.execute("ALTER DATABASE heliolake OWNER TO heliolake")
    up(own)
    with Lake.open(own.lake_config()) as lake, transaction(lake.sessions) as session:
        audit.record(session, "owner", "account.add", "somebody")
        query = text("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'heliolake'")
        assert session.scalar(query) == "heliolake_audit"


def test_every_service_tells_where_it_is(own: Home) -> None:
    services = by_name(status(own))
    assert list(services) == ["postgres", "rucio", "rucio-daemons", "dask"]
    assert services["postgres"].url == f"postgresql://127.0.0.1:{own.port('postgres')}"
    assert services["rucio"].url == f"http://127.0.0.1:{own.port('rucio')}"
    assert services["dask"].url == f"http://127.0.0.1:{own.port('dashboard')}/status"


def test_two_homes_run_side_by_side(own: Home, home: Home) -> None:
    assert {state.state for state in status(own) + status(home)} == {"running"}
    names = ("postgres", "rucio", "scheduler", "dashboard")
    assert len({owner.port(name) for owner in (own, home) for name in names}) == 2 * len(names)
    assert str(own.rse_root) in rucio_client(own).get_protocols(own.rse)[0]["prefix"]
    assert str(home.rse_root) in rucio_client(home).get_protocols(home.rse)[0]["prefix"]


def test_servers_listen_on_the_loopback_interface_only(own: Home) -> None:
    listening = {
        connection.laddr.ip
        for process in records.members(own)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_no_password_is_seen_on_a_command_line_or_in_a_log(own: Home) -> None:
    names = ("postgres", "rucio_database", "lake_database", "rucio_root")
    passwords = [own.secret(name) for name in names]
    seen = [" ".join(process.cmdline()) for process in records.members(own)]
    seen += [log.read_text(errors="replace") for log in own.log.iterdir()]
    assert not [text for text in seen for password in passwords if password in text]


def test_only_the_owner_reads_what_is_in_a_home(own: Home) -> None:
    folders = (own.path, own.log, own.run, own.rucio)
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    assert files
    assert not [path for path in files if path.stat().st_mode & 0o077]


def test_a_stranger_without_the_password_is_refused_by_the_database(own: Home) -> None:
    url = f"postgresql://heliolake:wrong@127.0.0.1:{own.port('postgres')}/heliolake"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_a_pid_that_now_belongs_to_another_program_is_not_ours(own: Home) -> None:
    genuine = ProcessRecord.load(own.run, "rucio-daemons")
    assert genuine is not None
    mine = psutil.Process()
    try:
        ProcessRecord("rucio-daemons", mine.pid, mine.create_time() - 1000).save(own.run)
        assert by_name(status(own))["rucio-daemons"].state == "dead"
    finally:
        genuine.save(own.run)


def test_a_leftover_lock_file_naming_a_living_process_does_not_stop_the_database(own: Home) -> None:
    data = own.postgres / "data"
    owner = data.stat()
    root = os.geteuid() == 0
    with subprocess.Popen(["sleep", "100"], user=owner.st_uid if root else None) as other:
        main_process(own, "postgres").kill()
        lock = data / "postmaster.pid"
        lines = lock.read_text().splitlines()
        lock.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        assert {state.state for state in up(own)} == {"running"}
        assert other.poll() is None
        other.kill()


def test_down_ends_everything_even_after_a_kill_and_up_keeps_the_ports_that_are_free(own: Home) -> None:
    before = {name: own.port(name) for name in ("postgres", "rucio", "scheduler", "dashboard")}
    main_process(own, "rucio").kill()
    main_process(own, "dask").kill()
    assert {state.state for state in down(own)} == {"stopped"}
    assert records.members(own) == []
    with pytest.raises(Fatal, match="not running"):
        own.lake_config()
    with socket.create_server(("127.0.0.1", before["dashboard"] or 0)):
        _two_at_once(own)
    after = {name: own.port(name) for name in before}
    assert {name for name in before if before[name] != after[name]} == {"dashboard"}


def _two_at_once(home: Home) -> None:
    """Two commands at the same time start every service once."""
    commands = [subprocess.Popen([sys.executable, "-c", UP, str(home.path)], cwd=HOUSE) for _ in range(2)]
    assert [command.wait() for command in commands] == [0, 0]
    masters = [
        process for process in records.members(home, "rucio") if process.ppid() not in _pids_of(home, "rucio")
    ]
    assert [process.pid for process in masters] == [main_process(home, "rucio").pid]
    assert {state.state for state in status(home)} == {"running"}


def _pids_of(home: Home, name: str) -> set[int]:
    return {process.pid for process in records.members(home, name)}


@pytest.mark.slow
def test_a_first_start_that_is_killed_again_and_again_is_cured_by_starting_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    interrupted = Home(tmp_path_factory.mktemp("interrupted"))
    with ending_with_tests(interrupted):
        for patience in (0.3, 0.7, 1.5, 3.0):
            command = subprocess.Popen([sys.executable, "-c", UP, str(interrupted.path)], cwd=HOUSE)
            time.sleep(patience)
            command.kill()
            command.wait()
        assert {state.state for state in up(interrupted)} == {"running"}
        assert rucio_client(interrupted).whoami()["account"] == "root"
    assert records.members(interrupted) == []


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_can_do_it_too() -> None:
    folder = Path(tempfile.mkdtemp(prefix="heliolake-"))
    os.chown(folder, NOBODY, NOBODY)
    code = (
        "import os, sys; from cluster.home.home import Home; from cluster.services import up, down, records\n"
        "home = Home(sys.argv[1])\n"
        "try: print(os.geteuid(), *[state.state for state in up(home)])\n"
        "finally: down(home)\n"
        "print(len(records.members(home)))"
    )
    become = [sys.executable, "-I", "-S", unprivileged.__file__, str(NOBODY), str(NOBODY)]
    try:
        result = carried_out(
            [*become, sys.executable, "-c", code, str(folder / "home")],
            cwd=HOUSE,
            env=os.environ | {"HOME": str(folder), "XDG_CACHE_HOME": str(folder)},
        )
    finally:
        shutil.rmtree(folder)
    assert result.stdout.split() == [str(NOBODY), *["running"] * 4, "0"], result.stderr
