"""What a person does who finds bytes lost: look with fsck, run what it advises, look again."""

from __future__ import annotations

import gzip
import shlex
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from cluster.home.home import Home
from lake.catalogue.models import File
from lake.catalogue.session import transaction
from lake.checksums import checksums
from lake.lake import Lake
from lake.releases import search
from lake.storage.store import key_of
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from tests.heliolake.conftest import Command, Said
from tests.stored import path_of

SCOPE = "stereo_hi"
DAYS = iter(range(1, 29))


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


@dataclass(frozen=True)
class Day:
    """Two raw frames of one day in the lake, the products made of them, and the folder they came from."""

    here: Command
    lake: Lake
    folder: Path
    stamp: str

    @property
    def observation(self) -> str:
        return f"hi2a_s4_{self.stamp}"

    def stored(self, level: str) -> list[Path]:
        entries = search.granted_files(self.lake, f"{SCOPE}:{self.observation}.l{level}")
        return [path_of(self.lake, entry.scope, entry.name) for entry in entries]

    def differences(self, *options: str) -> list[dict[str, Any]]:
        found = self.here("fsck", "--json", *options).document()["differences"]
        return [one for one in found if self.stamp in f"{one['did']} {one['detail']}"]

    def process(self) -> Said:
        return self.here("process", "stereo_hi-l1", "--observation", self.observation, "--json")


def day_of(here: Command, lake: Lake, folder: Path, day: int) -> Day:
    start = datetime(2013, 5, day, 0, 9, 21, tzinfo=UTC)
    config = SimulationConfig(
        detector="HI2", spacecraft="A", frames=2, size=64, exposures=20, stars=20, start=start
    )
    write_series(folder, config)
    assert here("ingest", folder).code == 0
    return Day(here, lake, folder, f"{start:%Y%m%d}")


@pytest.fixture
def raw(here: Command, lake: Lake, tmp_path: Path) -> Day:
    """A day of raw frames of its own for each test."""
    return day_of(here, lake, tmp_path / "raw", next(DAYS))


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.slow
def test_the_commands_that_fsck_advises_bring_everything_back_as_it_was(
    here: Command, lake: Lake, tmp_path: Path
) -> None:
    day = day_of(here, lake, tmp_path / "raw", 29)
    made = day.process()
    assert made.code == 0, made.err
    files = [*day.stored("0"), *day.stored("1")]
    before = [path.read_bytes() for path in files]
    raw, products = files[:2], files[2:]
    raw[0].unlink()
    damage(raw[1])
    products[0].unlink()
    damage(products[1])
    kinds = {(one["kind"], Path(one["did"].partition(":")[2]).name) for one in day.differences("--deep")}
    assert kinds == {
        ("missing-bytes", raw[0].name),
        ("wrong-bytes", raw[1].name),
        ("missing-bytes", products[0].name),
        ("wrong-bytes", products[1].name),
    }
    ran = []
    while found := day.differences("--deep"):
        advised = [command for one in found for command in one["commands"]]
        assert advised, found
        # As the command prints them: raw files come back before what is made of them.
        first = min(advised, key=lambda line: ("restore", "fsck", "process").index(line.split()[1]))
        assert first not in ran, f"{first} was of no use"
        ran.append(first)
        words = [str(day.folder) if word == "PATH" else word for word in shlex.split(first)[1:]]
        here(*words)
    assert [line.split()[1] for line in ran] == ["restore", "fsck", "process"]
    assert [path.read_bytes() for path in files] == before
    releases = here("search", "--observation", day.observation, "--level", "1", "--json").document()
    assert [(one["version"], one["status"]) for one in releases["releases"]] == [(1, "ACTIVE")]


def test_a_product_that_does_not_come_out_the_same_gets_its_next_version(
    here: Command, lake: Lake, tmp_path: Path
) -> None:
    day = day_of(here, lake, tmp_path / "raw", 30)
    assert day.process().code == 0
    lost, whole = day.stored("1")
    lost.unlink()
    other = checksums(b"as another version of the software made it")._asdict()
    with transaction(lake.sessions) as session:
        session.execute(update(File).where(File.name == lost.name).values(**other))
    report = day.process().document()
    assert [(one["version"], one["files"]) for one in report["releases"]] == [(2, 2)]
    assert not lost.exists(), "a name stands for the same bytes for ever"
    assert {path.name for path in day.stored("1")} == {lost.name.replace(".v0001.", ".v0002."), whole.name}


def test_restore_touches_what_is_lost_and_counts_the_rest(raw: Day) -> None:
    lost, whole = raw.stored("0")
    content, untouched = lost.read_bytes(), whole.stat().st_ino
    lost.unlink()
    trial = raw.here("restore", raw.folder, "--dry-run", "--json").document()
    assert (trial["restored"], trial["whole"], lost.exists()) == (1, 1, False)
    said = raw.here("restore", raw.folder)
    assert said.code == 0
    assert f"{SCOPE}:{lost.name}" in said.out
    assert lost.read_bytes() == content
    assert whole.stat().st_ino == untouched
    assert raw.here("restore", raw.folder, "--json").document()["whole"] == 2
    assert raw.differences("--deep") == []


def test_what_is_no_copy_of_anything_is_told_with_exit_code_1(raw: Day, tmp_path: Path) -> None:
    (tmp_path / "letter.fits").write_text("Dear Sun")
    said = raw.here("restore", tmp_path / "letter.fits", tmp_path / "nowhere.fits", "--json")
    assert said.code == 1
    document = said.document()
    assert (document["unknown"], document["absent"]) == (1, [str(tmp_path / "nowhere.fits")])


def test_ingest_puts_back_what_the_lake_lost_of_a_file(raw: Day) -> None:
    lost, _ = raw.stored("0")
    content = lost.read_bytes()
    lost.unlink()
    report = raw.here("ingest", raw.folder, "--json").document()
    assert (report["done"], report["skipped"]) == (1, 1)
    assert ["put back" in one["reason"] for one in report["items"]].count(True) == 1
    assert lost.read_bytes() == content
    assert raw.differences("--deep") == []


def test_get_delivers_the_rest_and_names_what_is_lost(raw: Day, tmp_path: Path) -> None:
    lost, whole = raw.stored("0")
    lost.unlink()
    said = raw.here("get", f"{raw.observation}.l0", "-o", tmp_path / "out")
    assert said.code == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == [whole.name]
    assert lost.name in said.err
    assert "fsck" in said.err
    document = raw.here("get", f"{raw.observation}.l0", "-o", tmp_path / "out", "--json").document()
    assert [Path(one["file"]).name for one in document["problems"]] == [lost.name]
    assert [Path(path).name for path in document["files"]] == [whole.name]


def test_a_folder_may_hold_a_gzipped_copy_of_any_name_and_other_things(raw: Day, tmp_path: Path) -> None:
    lost, _ = raw.stored("0")
    lost.unlink()
    copies = tmp_path / "copies"
    copies.mkdir()
    with (raw.folder / lost.name).open("rb") as plain, gzip.open(copies / "any.dat", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    (copies / "notes.txt").write_text("no copy of anything")
    said = raw.here("restore", copies, "--json")
    document = said.document()
    assert (said.code, document["restored"], document["unknown"]) == (0, 1, 0)
    assert document["ignored"] == [str(copies / "notes.txt")]
    assert raw.differences("--deep") == []


def test_what_a_killed_ingest_stored_is_taken_in_by_the_command_that_fsck_names(
    here: Command, lake: Lake, tmp_path: Path
) -> None:
    start = datetime(2013, 6, 1, 0, 9, 21, tzinfo=UTC)
    config = SimulationConfig(
        detector="HI2", spacecraft="A", frames=1, size=64, exposures=20, stars=20, start=start
    )
    (path,) = write_series(tmp_path, config)
    lake.store.put(key_of(SCOPE, path.name), path.read_bytes())  # as far as ingest got
    day = Day(here, lake, tmp_path, "20130601")
    (orphan,) = day.differences()
    assert orphan["kind"] == "orphan-bytes"
    (command,) = orphan["commands"]
    assert here(*shlex.split(command)[1:]).code == 0
    assert day.differences("--deep") == []
    assert [path.name for path in day.stored("0")] == [path.name]


def test_fsck_prints_each_command_once_with_the_home_it_is_for(raw: Day, home: Home) -> None:
    for path in raw.stored("0"):
        path.unlink()
    said = raw.here("fsck")
    assert said.code == 1
    assert said.out.count(f"heliolake --home {home.path} restore PATH") == 1
    assert raw.here("restore", raw.folder).code == 0
