"""Many files: whoever looks at them, the report and the lake are the same, and nobody's end ends the job."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from astropy.io import fits
from distributed import LocalCluster

from cluster.home.home import Home
from cluster.intake import decisions
from cluster.intake import hands as hands_module
from cluster.intake import ingest as ingest_module
from cluster.intake.arrivals import Looked, keep, look
from cluster.intake.decisions import Intake, Stored, batches_of
from cluster.intake.hands import Hands, Processes, Task, Threads, hands
from cluster.intake.ingest import ingest
from cluster.scheduler import Scheduler
from lake.lake import Lake
from lake.releases import search
from lake.releases.finding import Wanted
from tests.cluster.frames import aia_file, aia_series, at
from tests.stored import path_of


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


@pytest.fixture
def soon_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten files are many, three a batch."""
    monkeypatch.setattr(ingest_module, "MANY_FILES", 5)
    monkeypatch.setattr(decisions, "BATCH_FILES", 3)


def mixture(folder: Path, day: int) -> list[Path]:
    """Good files, bad ones, and such that have something in common, side by side."""
    paths = aia_series(folder, at(2018, 1, day), 6)
    copy, cut = folder / f"b_copy{day}.fits", folder / f"c_cut{day}.fits"
    shutil.copy(paths[0], copy)
    cut.write_bytes(paths[1].read_bytes()[:-3000])
    other = folder / "other" / paths[2].name
    other.parent.mkdir()
    shutil.copy(paths[2], other)
    fits.setval(other, "EXPTIME", value=9.0)
    again = folder / f"d_again{day}.fits"
    shutil.copy(paths[3], again)
    fits.setval(again, "EXPTIME", value=2.5)
    return [paths[0], copy, *paths[1:4], cut, other, again, *paths[4:]]


EXPECTED = [
    ("done", ""),
    ("skipped", ""),
    ("done", ""),
    ("done", ""),
    ("done", ""),
    ("quarantined", "truncated"),
    ("quarantined", "name-conflict"),
    ("done", ""),
    ("done", ""),
    ("done", ""),
]


@pytest.mark.usefixtures("soon_many")
@pytest.mark.parametrize("who", ["workers", "processes"])
def test_what_becomes_of_files_does_not_depend_on_who_looks_at_them(
    home: Home, lake: Lake, tmp_path: Path, who: str
) -> None:
    told: list[str] = []
    paths = mixture(tmp_path, 1 if who == "workers" else 2)
    scheduler = home.scheduler() if who == "workers" else None
    seen: list[tuple[int, int]] = []
    report = ingest(
        lake,
        paths,
        scheduler=scheduler,
        say=told.append,
        on_progress=lambda done, total, _: seen.append((done, total)),
    )
    assert [(item.outcome, item.code) for item in report.items] == EXPECTED
    assert [item.file for item in report.items] == list(map(str, paths))
    assert "shows the same time" in " ".join(report.items[7].caveats)
    assert seen == [(number, 10) for number in range(1, 11)]
    assert told == []
    (release,) = report.more["releases"]
    got = search.get_files(lake, release["product"], tmp_path / "got")
    assert {path.read_bytes() for path in got} == {paths[n].read_bytes() for n in (0, 2, 3, 4, 7, 8, 9)}
    assert {item.outcome for item in ingest(lake, [*paths[:5], *paths[7:]], scheduler=scheduler).items} == {
        "skipped"
    }


@pytest.mark.usefixtures("soon_many")
def test_without_a_cluster_that_answers_this_machine_does_it_and_says_so(lake: Lake, tmp_path: Path) -> None:
    told: list[str] = []
    report = ingest(
        lake,
        aia_series(tmp_path, at(2018, 1, 3), 6),
        scheduler=Scheduler("tcp://127.0.0.1:1"),
        say=told.append,
    )
    assert {item.outcome for item in report.items} == {"done"}
    (sentence,) = told
    assert "does not answer" in sentence


@pytest.mark.slow
@pytest.mark.usefixtures("soon_many")
def test_a_worker_that_hangs_is_not_waited_for_for_ever(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands_module, "INTRODUCTION", 3)
    told: list[str] = []
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        (worker,) = cluster.workers.values()
        stopped = psutil.Process(worker.pid)
        stopped.suspend()
        try:
            report = ingest(
                lake,
                aia_series(tmp_path, at(2018, 3, 9), 6),
                scheduler=Scheduler(cluster.scheduler_address),
                say=told.append,
            )
        finally:
            stopped.resume()
    assert {item.outcome for item in report.items} == {"done"}
    assert told == ["A Dask worker did not answer for 3 s: this machine looks at the files itself."]


@pytest.mark.usefixtures("soon_many")
@pytest.mark.parametrize("which", ["all", "one"])
def test_files_that_workers_do_not_see_are_looked_at_here(
    home: Home, lake: Lake, tmp_path: Path, which: str
) -> None:
    paths = aia_series(tmp_path, at(2018, 1, 4 if which == "all" else 5), 7)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        # What this process calls so, another one does not have.
        mine = [Path(f"/proc/self/fd/{folder}") / path.name for path in paths]
        told: list[str] = []
        given = mine if which == "all" else [*paths[:4], mine[4], *paths[5:]]
        report = ingest(lake, given, scheduler=home.scheduler(), say=told.append)
    finally:
        os.close(folder)
    assert {item.outcome for item in report.items} == {"done"}
    assert ["do not have these files" in sentence for sentence in told] == ([True] if which == "all" else [])


def test_a_process_that_ends_takes_no_file_with_it(lake: Lake, tmp_path: Path) -> None:
    paths = aia_series(tmp_path, at(2018, 1, 6), 60)
    own = Processes(lake.store, 2)
    try:
        found = []
        for number, (_, result) in enumerate(Intake(lake, own).results(paths)):
            found.append(result)
            if number == 0:
                ours = [one for one in psutil.Process().children() if _is_spawned(one)]
                assert ours
                for one in ours:
                    one.kill()
    finally:
        own.close()
    assert all(isinstance(one, Stored) for one in found)
    assert len(found) == 60


def _is_spawned(process: psutil.Process) -> bool:
    return any("spawn_main" in word for word in process.cmdline())


def test_bytes_that_changed_since_they_were_decided_about_are_not_stored(lake: Lake, tmp_path: Path) -> None:
    held, lying = aia_series(tmp_path, at(2018, 1, 7), 2)
    batch = look([held, lying], lake.store)
    sums = {place: one.entry.sha256 for place, one in enumerate(batch.looked) if isinstance(one, Looked)}
    batch.data[1] = None  # as if it were too large to be held
    with lying.open("r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"x")
    refusals = keep(batch, {0: "0" * 64, 1: sums[1]}, lake.store)
    assert [item and item.reason for item in refusals.values()] == ["the file changed while it was read"] * 2
    assert not path_of(lake, "sdo_aia", held.name).exists()
    assert not path_of(lake, "sdo_aia", lying.name).exists()


class _Counted:
    """Threads, and how many batches they had at once."""

    def __init__(self, inner: Hands) -> None:
        self.inner, self.window, self.elsewhere = inner, inner.window, inner.elsewhere
        self.out = self.most = 0

    def look(self, paths: Sequence[Path]) -> Task:
        self.out += 1
        self.most = max(self.most, self.out)
        return _CountedTask(self, self.inner.look(paths))


class _CountedTask:
    def __init__(self, counted: _Counted, task: Task) -> None:
        self.counted, self.task = counted, task

    def looked(self) -> Any:
        return self.task.looked()

    def keep(self, wanted: Mapping[int, str]) -> Any:
        return self.task.keep(wanted)

    def drop(self) -> None:
        self.counted.out -= 1
        self.task.drop()


def test_only_a_few_batches_are_held_however_many_files_there_are(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "BATCH_FILES", 2)
    paths = aia_series(tmp_path, at(2018, 1, 8), 60)
    with hands(lake.store, paths, many=False, scheduler=None, say=print) as threads:
        counted = _Counted(threads)
        assert len(list(Intake(lake, counted).results(paths))) == 60
    assert counted.most <= Threads.COUNT + decisions.STORING + 1
    assert counted.out == 0


def test_a_batch_has_few_files_and_few_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}" for number in range(6)]
    for path, size in zip(paths, (10, 10, 90, 200, 10, 10), strict=True):
        path.write_bytes(b"x" * size)
    monkeypatch.setattr(decisions, "BATCH_BYTES", 100)
    found = batches_of([*paths, tmp_path / "gone"], 2)
    assert [[path.name for path in batch] for batch in found] == [
        ["0", "1"],
        ["2"],
        ["3"],
        ["4", "5"],
        ["gone"],
    ]


def test_files_do_not_wait_for_all_others_to_be_registered(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "WAITING", 8)
    monkeypatch.setattr(ingest_module, "QUIET", 2)
    start = at(2018, 2, 1)
    paths = [aia_file(tmp_path, start + timedelta(hours=12 * number)) for number in range(20)]
    there: list[int] = []

    def count(done: int, _total: int, _name: str) -> None:
        if done in (19, 20):
            there.append(len(search.search(lake, Wanted(instrument="sdo_aia", pattern="aia171_201802*"))))

    report = ingest(lake, paths, on_progress=count)
    assert {item.outcome for item in report.items} == {"done"}
    assert there[0] >= 19 // 2 - 8 // 2  # those of days long past
    assert [release["version"] for release in report.more["releases"]] == [1] * 10


@pytest.mark.slow
def test_an_ingest_that_was_killed_is_finished_by_the_same_command(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    paths = aia_series(tmp_path, at(2018, 1, 9), 260)
    code = (
        "import sys; from cluster.home.home import Home; from lake.lake import Lake;"
        "from cluster.intake.ingest import ingest;"
        "ingest(Lake.open(Home(sys.argv[1]).lake_config()), [sys.argv[2]])"
    )
    command = [sys.executable, "-c", f"if __name__ == '__main__': {code}", str(home.path), str(tmp_path)]
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 60
        while not path_of(lake, "sdo_aia", paths[0].name).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
    assert children
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    report = ingest(lake, [tmp_path])
    assert {item.outcome for item in report.items} == {"done"}
    (release,) = search.search(lake, Wanted(instrument="sdo_aia", pattern="aia171_20180109"))
    assert (release["files"], release["version"]) == (260, 1)
