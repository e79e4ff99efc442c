"""Reductions as runs: in pieces, resumable, over the frames as often as the method asks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Query
from cluster.run import reducing
from cluster.run.process import resume
from cluster.run.reduce import reduce_to_reference, resume_reduction
from lake.errors import BadInput
from lake.fsck.compare import fsck
from lake.lake import Lake
from lake.ledger import runs
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.storage import volatile
from pipeline.errors import BadInput as PipelineBadInput
from pipeline.instruments.stereo_hi.background import BACKGROUND
from pipeline.reduction import Origin, Reduced, ReductionKind, StackBlock
from tests.cluster.frames import aia_series, at
from tests.stored import path_of

COUNT = 11
NEAR = 1000.0


@dataclass(frozen=True)
class Mean:
    """Mean of what lies near a first guess, of all where there is none; and exposures."""

    guess: NDArray[np.float32] | None = None

    def map(self, block: StackBlock) -> tuple[Any, ...]:
        good = np.isfinite(block.image)
        if self.guess is not None:
            good &= np.abs(block.image - self.guess) <= NEAR
        exposure = sum(float(header["EXPTIME"]) for header in block.headers)
        total = np.where(good, block.image, 0).sum(axis=0, dtype=np.float64)
        return total, good.sum(axis=0), frozenset(block.sources), exposure

    def combine(self, first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
        return first[0] + second[0], first[1] + second[1], first[2] | second[2], first[3] + second[3]

    def finish(self, partial: tuple[Any, ...]) -> Reduced:
        total, count, used, exposure = partial
        values = (total / np.maximum(count, 1)).astype(np.float32)
        return Reduced(values, count.astype(np.int32), used, {"XPOSURE": (exposure, "of all")})


def first_pass(_frames: int) -> Mean:
    return Mean()


def second_pass(_frames: int, before: Reduced) -> Mean:
    return Mean(before.values)


def written(reduced: Reduced, origin: Origin, _caveats: Sequence[str]) -> fits.HDUList:
    header = fits.Header({"BUNIT": origin.unit, "NUMBER": len(origin.frames)})
    header.update({key: value for key, (value, _) in reduced.cards.items()})
    return fits.HDUList([fits.PrimaryHDU(reduced.values, header)])


def open_ended(first: datetime, _last: datetime) -> tuple[datetime | None, datetime | None]:
    return first, None


MEAN = ReductionKind(
    name="mean",
    instrument="sdo_aia",
    level="1",
    need="flat",
    alike=("wavelength",),
    prepare=first_pass,
    write=written,
)
CLIPPED = replace(MEAN, name="clipped", further=(second_pass,), validity=open_ended)


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reducing, "FRAMES", 2)


@pytest.fixture(scope="module")
def images(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float64]:
    """Eleven frames of 2019-01-01 in the lake, one of them much brighter."""
    paths = aia_series(tmp_path_factory.mktemp("raw"), at(2019, 1, 1), COUNT)
    fits.update(paths[4], fits.getdata(paths[4]) + np.int16(5000), fits.getheader(paths[4]))
    assert {item.outcome for item in ingest(lake, paths).items} == {"done"}
    return np.stack([fits.getdata(path) for path in paths]).astype(np.float64)


DAY = Query(observation="aia171_20190101")


def last_run(lake: Lake) -> dict[str, Any]:
    return runs.runs(lake, limit=1)[0]


def values_of(lake: Lake, did: str) -> Any:
    return fits.getdata(path_of(lake, *did.split(":")))


def test_pieces_joined_two_by_two_make_what_all_frames_make(
    home: Home, lake: Lake, images: NDArray[np.float64]
) -> None:
    seen: list[tuple[int, int]] = []
    made = reduce_to_reference(
        lake, home.scheduler(), MEAN, DAY, on_progress=lambda done, total, _: seen.append((done, total))
    )
    (one,) = made.references
    np.testing.assert_allclose(values_of(lake, one.info.did), images.mean(axis=0), rtol=1e-6)
    assert (one.frames, one.given, one.begin) == (COUNT, COUNT, at(2019, 1, 1))
    assert fits.getheader(path_of(lake, *one.info.did.split(":")))["XPOSURE"] == 2.0 * COUNT
    run = last_run(lake)
    assert (run["recipe"], run["status"]) == ("reduce mean", "done")
    assert run["units"]["done"] == 6 + 5 + 1  # pieces of two frames, a tree of joins, the end
    assert seen[0] == (0, COUNT)
    assert seen[-1] == (COUNT, COUNT)
    assert sorted(seen) == seen
    assert run["run"] not in dict(volatile.runs_with_something_kept(lake.store))


def test_a_second_pass_is_given_what_the_first_one_made(
    home: Home, lake: Lake, images: NDArray[np.float64]
) -> None:
    (one,) = reduce_to_reference(lake, home.scheduler(), CLIPPED, DAY).references
    guess = images.mean(axis=0)
    good = np.abs(images - guess) <= NEAR
    expected = np.where(good, images, 0).sum(axis=0) / np.maximum(good.sum(axis=0), 1)
    np.testing.assert_allclose(values_of(lake, one.info.did), expected, rtol=1e-5)
    assert np.abs(expected - guess).max() > 100, "the bright frame was to be left out"
    assert (one.info.valid_from, one.info.valid_until) == (at(2019, 1, 1), None)
    assert last_run(lake)["units"]["done"] == 2 * 12


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


def stop_after(frames: int) -> Any:
    def stop(done: int, _total: int, _what: str) -> None:
        if done >= frames:
            raise Stopped

    return stop


def finished_when(lake: Lake, run_id: str) -> dict[str, Any]:
    """What was done in a run, with the names under which it was kept."""
    return {one.unit_id: one.outcome for one in Run(lake, run_id, "x").outcomes() if one.state == "done"}


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize("lost", [True, False])
def test_what_was_done_before_a_stop_is_not_done_again_unless_it_is_lost(
    home: Home, lake: Lake, by_id: bool, lost: bool
) -> None:
    whole = values_of(lake, reduce_to_reference(lake, home.scheduler(), CLIPPED, DAY).references[0].info.did)
    with pytest.raises(Stopped):
        reduce_to_reference(lake, home.scheduler(), CLIPPED, DAY, on_progress=stop_after(COUNT + 4))
    run = last_run(lake)
    before = finished_when(lake, run["run"])
    assert run["status"] == "stopped"
    assert 12 < len(before) < 24
    if lost:
        volatile.drop_all(lake.store, run["run"])
    told: list[int] = []

    def progress(done: int, _total: int, _what: str) -> None:
        told.append(done)

    if by_id:
        # A kind that only this process knows cannot be found again by its name.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cluster.run.reduce.find_reduction", lambda *_: CLIPPED)
            made = resume_reduction(lake, home.scheduler(), run["run"], on_progress=progress)
    else:
        made = reduce_to_reference(lake, home.scheduler(), CLIPPED, DAY, on_progress=progress)
    after = last_run(lake)
    assert (after["run"], after["status"], after["units"]["done"]) == (run["run"], "done", 24)
    assert told[0] >= COUNT + 4
    same = {unit for unit, outcome in finished_when(lake, run["run"]).items() if before.get(unit) == outcome}
    assert same == (set() if lost else set(before))
    np.testing.assert_array_equal(values_of(lake, made.references[0].info.did), whole)


@pytest.mark.usefixtures("images")
def test_a_stopped_run_keeps_its_results_and_fsck_knows_whose_they_are(home: Home, lake: Lake) -> None:
    with pytest.raises(Stopped):
        reduce_to_reference(lake, home.scheduler(), MEAN, DAY, on_progress=stop_after(4))
    run = last_run(lake)["run"]
    assert dict(volatile.runs_with_something_kept(lake.store))[run]
    volatile.begin(lake.store, "20000101-gone")
    volatile.keep(lake.store, "20000101-gone", "partial", [1])
    found = fsck(lake, repair=True)["differences"]
    left = {one["did"]: one["repaired"] for one in found if one["kind"] == "left-by-run"}
    assert left == {"20000101-gone": True}
    assert "20000101-gone" not in dict(volatile.runs_with_something_kept(lake.store))
    assert not [one for one in found if ".volatile" in one["did"]]
    reduce_to_reference(lake, home.scheduler(), MEAN, DAY)
    assert run not in dict(volatile.runs_with_something_kept(lake.store))


def test_frames_in_different_units_are_refused_by_the_workers(home: Home, lake: Lake, tmp_path: Path) -> None:
    paths = aia_series(tmp_path, at(2019, 1, 2), 5)
    fits.setval(paths[3], "BUNIT", value="DN/s")
    ingest(lake, paths)
    with pytest.raises(PipelineBadInput, match="in different units") as refusal:
        reduce_to_reference(lake, home.scheduler(), MEAN, Query(observation="aia171_20190102"))
    assert refusal.value.found == "DN, DN/s"
    run = last_run(lake)
    assert run["status"] == "failed"
    assert "different units" in run["note"]
    assert run["run"] not in dict(volatile.runs_with_something_kept(lake.store))


def test_a_run_is_gone_on_with_by_the_command_that_knows_it(home: Home, lake: Lake, tmp_path: Path) -> None:
    ingest(lake, aia_series(tmp_path, at(2019, 1, 3), 3))
    reduce_to_reference(lake, home.scheduler(), MEAN, Query(observation="aia171_20190103"))
    run = last_run(lake)["run"]
    with pytest.raises(BadInput, match="is done"):
        resume_reduction(lake, home.scheduler(), run)
    with pytest.raises(BadInput, match="makes references") as refusal:
        resume(lake, home.scheduler(), run)
    assert f"heliolake reduce --run {run}" in refusal.value.advice
    other = Run.create(lake, "p" * 64, {"recipe": {}}, "toy", [], this_process())
    with pytest.raises(BadInput, match="makes products"):
        resume_reduction(lake, home.scheduler(), other.id)
    other.end("done")


_REDUCE = """
import sys
from cluster.home.home import Home
from cluster.plan.plan import Query
from cluster.run import reducing
from cluster.run.reduce import reduce_to_reference
from lake.lake import Lake
from tests.cluster.run.test_reducing import MEAN
reducing.FRAMES = 2
home = Home(sys.argv[1])
reduce_to_reference(Lake.open(home.lake_config()), home.scheduler(), MEAN, Query(observation=sys.argv[2]))
"""


def test_a_reduction_whose_process_was_killed_is_finished_by_the_same_command(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    ingest(lake, aia_series(tmp_path, at(2019, 1, 4), 40))
    newest = last_run(lake)["run"]
    with subprocess.Popen([sys.executable, "-c", _REDUCE, str(home.path), "aia171_20190104"]) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            run = last_run(lake)
            if run["run"] != newest and run["units"]["done"]:
                break
        process.send_signal(signal.SIGKILL)
    before = finished_when(lake, run["run"])
    assert before
    (one,) = reduce_to_reference(
        lake, home.scheduler(), MEAN, Query(observation="aia171_20190104")
    ).references
    assert one.frames == 40
    after = last_run(lake)
    assert (after["run"], after["status"]) == (run["run"], "done")
    assert before.items() <= finished_when(lake, run["run"]).items()


def test_the_days_of_the_frames_are_the_validity_unless_the_kind_says_otherwise() -> None:
    first, last = at(2019, 1, 1), at(2019, 1, 2)
    begin, end = BACKGROUND.validity(first, last)
    assert begin == first
    assert end is not None
    assert 0 < (end - last).total_seconds() < 60
