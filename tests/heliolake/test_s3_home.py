"""A home that keeps its files in S3: what a person does and sees is what it is in one with a folder."""

from __future__ import annotations

import pickle
import secrets
import shlex
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cluster.home.home import Home
from cluster.home.process import ProcessRecord
from cluster.services import records, status, up
from lake.governance.policy import CUSTODY
from lake.lake import Lake
from lake.releases import search
from lake.rucio.server.settings import posix_protocol
from lake.storage.store import key_of
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from tests.conftest import HOUSE, rucio_client, running_home
from tests.heliolake.conftest import Command
from tests.objects import require_seaweedfs
from tests.stored import damage, remove

SCOPE = "stereo_hi"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def s3_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose services run, and whose files lie in SeaweedFS."""
    require_seaweedfs()
    with running_home(tmp_path_factory.mktemp("s3home") / "home", "s3") as running:
        yield running


@pytest.fixture(scope="module")
def here(run: Command, s3_home: Home) -> Command:
    return lambda *arguments: run("--home", s3_home.path, *arguments)


@pytest.fixture(scope="module")
def lake(s3_home: Home) -> Lake:
    return Lake.open(s3_home.lake_config())


def raw(folder: Path, day: int, frames: int = 2) -> str:
    """Simulated frames of a day; the observation they belong to."""
    start = datetime(2013, 6, day, 0, 9, 21, tzinfo=UTC)
    config = SimulationConfig(
        detector="HI2", spacecraft="A", frames=frames, size=64, exposures=20, stars=20, start=start
    )
    write_series(folder, config)
    return f"hi2a_s4_{start:%Y%m%d}"


def stored(lake: Lake, observation: str, level: str) -> list[str]:
    entries = search.granted_files(lake, f"{SCOPE}:{observation}.l{level}")
    return [key_of(entry.scope, entry.name) for entry in entries]


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.2)


def test_raw_files_become_products_that_a_user_gets(here: Command, lake: Lake, tmp_path: Path) -> None:
    observation = raw(tmp_path / "raw", 1)
    assert here("ingest", tmp_path / "raw").code == 0
    made = here("process", "stereo_hi-l1", "--observation", observation)
    assert made.code == 0, made.err
    assert here("get", f"{SCOPE}:{observation}.l1", "-o", tmp_path / "got").code == 0
    got = {path.read_bytes() for path in (tmp_path / "got").glob("*.fits")}
    assert got == {lake.store.read(key) for key in stored(lake, observation, "1")}
    shown = here("show", f"{SCOPE}:{observation}.l1", "--json").document()
    assert all(file["path"].startswith("s3://heliolake/") for file in shown["files"])


def test_the_commands_that_fsck_advises_bring_everything_back_as_it_was(
    here: Command, lake: Lake, tmp_path: Path
) -> None:
    observation = raw(tmp_path / "raw", 2)
    here("ingest", tmp_path / "raw")
    here("process", "stereo_hi-l1", "--observation", observation)
    keys = [*stored(lake, observation, "0"), *stored(lake, observation, "1")]
    before = [lake.store.read(key) for key in keys]
    for key in keys[::2]:
        remove(lake.store, key)
    for key in keys[1::2]:
        damage(lake.store, key)

    def differences() -> list[dict[str, Any]]:
        found = here("fsck", "--deep", "--json").document()["differences"]
        return [one for one in found if observation[-8:] in f"{one['did']} {one['detail']}"]

    assert sorted(one["kind"] for one in differences()) == ["missing-bytes"] * 2 + ["wrong-bytes"] * 2
    ran = []
    while found := differences():
        advised = [command for one in found for command in one["commands"]]
        first = min(advised, key=lambda line: ("restore", "fsck", "process").index(line.split()[1]))
        assert first not in ran, f"{first} was of no use"
        ran.append(first)
        here(*(str(tmp_path / "raw") if word == "PATH" else word for word in shlex.split(first)[1:]))
    assert [line.split()[1] for line in ran] == ["restore", "fsck", "process"]
    assert [lake.store.read(key) for key in keys] == before


def test_a_command_killed_while_it_writes_is_finished_by_the_next(
    here: Command, lake: Lake, s3_home: Home, tmp_path: Path
) -> None:
    observation = raw(tmp_path / "raw", 3, frames=6)
    here("ingest", tmp_path / "raw")
    words = ["--home", str(s3_home.path), "process", "stereo_hi-l1", "--observation", observation]
    code = "import sys; from heliolake.cli.app import app; app(sys.argv[1:])"
    victim = subprocess.Popen([sys.executable, "-c", code, *words], cwd=HOUSE)
    try:
        stamp = observation[-8:]
        wait_for(
            lambda: (
                any(stamp in one.path and ".l1.v" in one.path for one in lake.store.scan(SCOPE))
                or victim.poll() is not None
            ),
            "a first product",
        )
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    again = here("process", "stereo_hi-l1", "--observation", observation, "--json")
    assert again.code == 0, again.err
    assert len(stored(lake, observation, "1")) == 6
    assert not [
        one
        for one in here("fsck", "--deep", "--json").document()["differences"]
        if stamp in f"{one['did']} {one['detail']}"
    ]


def test_what_a_killed_ingest_left_is_taken_in_from_where_fsck_says_it_lies(
    here: Command, lake: Lake, tmp_path: Path
) -> None:
    observation = raw(tmp_path / "raw", 4)
    for path in (tmp_path / "raw").iterdir():
        lake.store.put(key_of(SCOPE, path.name), path.read_bytes())  # as far as it got
    found = [
        one
        for one in here("fsck", "--json").document()["differences"]
        if observation[-8:] in one["did"] and one["kind"] == "orphan-bytes"
    ]
    (command,) = {command for one in found[:1] for command in one["commands"]}
    words = shlex.split(command)
    assert words[1] == "ingest"
    assert words[2].startswith("s3://heliolake/")
    assert here(*words[1:]).code == 0
    assert here("ingest", f"s3://heliolake/{SCOPE}").code in (0, 1)  # all below; others are there already
    assert len(stored(lake, observation, "0")) == 2
    assert here("ingest", f"s3://heliolake/{SCOPE}/absent.fits").code == 1


@pytest.fixture(scope="module")
def folder(s3_home: Home) -> str:
    """A second storage element, a folder, joined to the first."""
    rucio, name = rucio_client(s3_home), f"FOLDER-{secrets.token_hex(4).upper()}"
    path = s3_home.storage / name
    path.mkdir()
    rucio.add_rse(name, deterministic=True)
    rucio.add_rse_attribute(name, "lfn2pfn_algorithm", "hash")
    rucio.add_protocol(name, posix_protocol(path))
    rucio.set_local_account_limit("root", name, -1)
    for source, target in ((s3_home.rse, name), (name, s3_home.rse)):
        rucio.add_distance(source, target, {"distance": 1})
    return name


def replicate(rucio: Any, scope: str, name: str, rse: str) -> str:
    (rule,) = rucio.add_replication_rule([{"scope": scope, "name": name}], copies=1, rse_expression=rse)
    return str(rule)


@pytest.mark.parametrize("direction", ["to the folder", "to S3"])
def test_a_rule_of_rucio_copies_between_a_folder_and_s3_and_checks_what_it_copies(
    lake: Lake, s3_home: Home, folder: str, direction: str
) -> None:
    rucio, scope = rucio_client(s3_home), f"t_{secrets.token_hex(5)}"
    rucio.add_scope("root", scope)
    content = secrets.token_bytes(1000) * 9000  # more than one request takes
    key, bad = key_of(scope, "good.fits"), key_of(scope, "bad.fits")
    root = s3_home.storage / folder
    source, target = (s3_home.rse, folder) if direction == "to the folder" else (folder, s3_home.rse)
    for one, held in ((key, content), (bad, content[:-1] + b"?")):
        if source == s3_home.rse:
            lake.store.put(one, held)
        else:
            (root / one).parent.mkdir(parents=True, exist_ok=True)
            (root / one).write_bytes(held)
    told = {"scope": scope, "bytes": len(content), "adler32": f"{zlib.adler32(content):08x}"}
    rucio.add_replicas(source, [told | {"name": name} for name in ("good.fits", "bad.fits")])
    rules = [replicate(rucio, scope, name, target) for name in ("good.fits", "bad.fits")]
    states = ["OK", "STUCK"]
    wait_for(lambda: [rucio.get_replication_rule(rule)["state"] for rule in rules] == states, str(states))
    assert "adler32" in rucio.get_replication_rule(rules[1])["error"]
    if target == folder:
        assert (root / key).read_bytes() == content
        assert not (root / bad).exists()
    else:
        assert lake.store.read(key) == content
        assert lake.store.stat(bad) is None


def test_bytes_lie_under_the_key_that_rucio_computes_itself(lake: Lake, s3_home: Home) -> None:
    answers = rucio_client(s3_home).lfns2pfns(s3_home.rse, [f"{SCOPE}:a.fits"])
    assert answers[f"{SCOPE}:a.fits"].endswith(f"/heliolake/{key_of(SCOPE, 'a.fits')}")


def test_an_old_home_keeps_its_kind_and_says_so(here: Command, s3_home: Home) -> None:
    refused = here("up", "--storage", "posix")
    assert refused.code == 2
    assert "keeps its files in s3" in refused.err
    assert {state.state for state in status(s3_home)} == {"running"}
    assert here("up", "--storage", "tape").code == 2


def test_workers_are_sent_no_credentials_and_nobody_prints_them(lake: Lake, s3_home: Home) -> None:
    secret = s3_home.secret("s3")
    assert secret.encode() not in pickle.dumps((lake.store, lake.ref(CUSTODY, SCOPE, "a.fits", "0" * 64)))
    seen = [" ".join(process.cmdline()) for process in records.members(s3_home)]
    seen += [log.read_text(errors="replace") for log in s3_home.log.iterdir()]
    assert not [text for text in seen if secret in text]
    assert s3_home.store_credentials.stat().st_mode & 0o077 == 0


def test_a_killed_storage_is_noticed_and_healed_with_nothing_lost(lake: Lake, s3_home: Home) -> None:
    key, content = key_of(SCOPE, f"{secrets.token_hex(4)}.fits"), secrets.token_bytes(100_000)
    lake.store.put(key, content)
    record = ProcessRecord.load(s3_home.run, "seaweedfs")
    assert record is not None
    process = record.process()
    assert process is not None
    process.kill()
    wait_for(lambda: "dead" in {state.state for state in status(s3_home)}, "the loss to be noticed")
    assert {state.state for state in up(s3_home)} == {"running"}
    assert Lake.open(s3_home.lake_config()).store.read(key) == content
