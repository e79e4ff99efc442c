"""Execution on Dask: frames fail alone, even when they take their worker with them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import pytest
from astropy.io import fits
from distributed import Client, LocalCluster

from cluster.run import execute
from cluster.run.execute import DaskExecution, Job
from cluster.run.stacks import FrameSource, Loader, Manifest, Target, open_stack
from lake.fits.product import build_product
from lake.storage.opening import open_store
from lake.storage.store import Ref, key_of
from pipeline import Recipe
from pipeline.errors import Fatal, Retriable
from pipeline.outcome import Outcome, Status
from pipeline.stack import outcome_at
from tests.pipeline.conftest import toy_instrument  # noqa: F401 - a fixture
from tests.toy import RECIPE, toy_frame


@pytest.fixture(scope="module")
def site(toy_instrument: Path) -> Iterator[Path]:  # noqa: F811
    """Where the toy camera is installed, for processes started from now on too."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("PYTHONPATH", str(toy_instrument), prepend=os.pathsep)
        yield toy_instrument


@contextmanager
def a_cluster(scratch: Path, workers: int) -> Iterator[Client]:
    """A client of a cluster of its own, whose workers load the code that lies there now."""
    with (
        # Each loss of a worker costs the seconds in which another starts.
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(scratch),
            host="127.0.0.1",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with a_cluster(tmp_path_factory.mktemp("dask"), 2) as client:
        yield client


def job(folder: Path, name: str, shape: tuple[int, int] = (4, 6), **cards: object) -> Job:
    frame = toy_frame(1.0, shape, **cards)
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.fits"
    fits.writeto(path, frame.data, frame.header)
    root = folder / "rse"
    root.mkdir(exist_ok=True)
    target = Target(
        unit=name,
        instrument="toy",
        store=root.as_uri(),
        scope="toy",
        name=f"{name}.l1.v0001.fits",
        version=1,
        date="2024-01-01T00:00:00",
        parents=("toy:x",),
    )
    return Job((FrameSource(loader=Loader(Ref.of_file(path), 0), source=path.name),), (target,), shape)


def carried_out(client: Client, jobs: list[Job], recipe: str = RECIPE) -> dict[str, Manifest]:
    return {manifest.unit: manifest for manifest in DaskExecution(client, Recipe.parse(recipe))(jobs)}


def test_every_job_gets_one_manifest_whatever_its_shape(client: Client, tmp_path: Path) -> None:
    jobs = [job(tmp_path, f"a{n}", shape=(4, 6) if n % 2 else (5, 3)) for n in range(7)]
    manifests = carried_out(client, jobs)
    assert {unit: manifest.shape for unit, manifest in manifests.items()} == {
        one.targets[0].unit: one.shape for one in jobs
    }
    path = tmp_path / "rse" / key_of("toy", "a3.l1.v0001.fits")
    assert path.stat().st_size == manifests["a3"].size
    assert fits.getdata(path)[0, 0] == 3.0


def test_a_frame_that_kills_its_worker_is_tried_alone_and_then_put_aside(
    client: Client, tmp_path: Path
) -> None:
    jobs = [job(tmp_path, f"k{n}", KILL=n == 2) for n in range(8)]
    manifests = carried_out(client, jobs)
    states = {unit: manifest.outcome.status for unit, manifest in manifests.items()}
    assert states == {f"k{n}": Status.QUARANTINED if n == 2 else Status.DONE for n in range(8)}
    assert "worker was killed" in manifests["k2"].outcome.reason
    assert "memory" in manifests["k2"].outcome.advice


def test_what_may_pass_is_tried_again_but_not_for_ever(client: Client, tmp_path: Path) -> None:
    manifests = carried_out(client, [job(tmp_path, "r", AGAIN=True)])
    assert manifests["r"].outcome.status is Status.FAILED
    assert "the line was busy" in manifests["r"].outcome.reason


def test_a_fatal_error_stops_the_run(client: Client, tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="no frame will work"):
        carried_out(client, [job(tmp_path, f"d{n}", DOOM=True) for n in range(3)])


def test_a_file_that_cannot_be_reached_fails_alone_and_may_be_tried_again(
    client: Client, tmp_path: Path
) -> None:
    jobs = [job(tmp_path, f"g{n}") for n in range(3)]
    (tmp_path / "g1.fits").unlink()
    manifests = carried_out(client, jobs)
    assert [manifests[f"g{n}"].outcome.status for n in range(3)] == [
        Status.DONE,
        Status.FAILED,
        Status.DONE,
    ]
    assert "is the storage mounted" in manifests["g1"].outcome.reason


def test_doing_a_unit_again_gives_the_same_bytes(client: Client, tmp_path: Path) -> None:
    one = job(tmp_path, "same")
    first = carried_out(client, [one])["same"]
    again = carried_out(client, [one])["same"]
    assert first.sha256 == again.sha256


def test_what_an_attempt_before_wrote_is_taken_as_it_is(client: Client, tmp_path: Path) -> None:
    """A unit written by an older version of the software, and killed before it was entered as done."""
    one = job(tmp_path, "older")
    first = carried_out(client, [one])["older"]
    later = replace(one, targets=(one.targets[0].model_copy(update={"date": "2025-01-01T00:00:00"}),))
    assert carried_out(client, [later])["older"].sha256 == first.sha256
    stranger = one.targets[0].model_copy(update={"unit": "another", "date": "2025-01-01"})
    other = replace(one, targets=(stranger,))
    refused = carried_out(client, [other])["another"].outcome
    assert (refused.status, refused.keyword) == (Status.QUARANTINED, "sha256")


def test_other_bytes_than_were_registered_are_not_processed(client: Client, tmp_path: Path) -> None:
    one = job(tmp_path, "flipped")
    source = one.sources[0]
    reading = source.loader._replace(ref=source.loader.ref._replace(sha256="0" * 64))
    wrong = replace(one, sources=(source.model_copy(update={"loader": reading}),))
    outcome = carried_out(client, [wrong])["flipped"].outcome
    assert (outcome.status, outcome.keyword) == (Status.QUARANTINED, "sha256")


def test_a_suspect_runs_alone(client: Client, tmp_path: Path) -> None:
    execution = DaskExecution(client, Recipe.parse(RECIPE))
    one = job(tmp_path, "suspect")
    suspect = [replace(one, alone=True)]
    assert execution._may_start(suspect, [])
    assert not execution._may_start(suspect, [[one]])
    assert not execution._may_start([one], [suspect])
    assert execution._may_start([one], [[one]])


def test_a_cluster_that_lost_all_its_workers_is_not_waited_for_for_ever(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "PATIENCE", 0.3)
    with (
        LocalCluster(
            n_workers=1, processes=False, dashboard_address=None, worker_dashboard_address=None
        ) as cluster,
        Client(cluster.scheduler_address, set_as_default=False) as other,
    ):
        execution = DaskExecution(other, Recipe.parse(RECIPE))
        cluster.scale(0)
        with pytest.raises(Retriable, match="no worker; run `heliolake up`"):
            list(execution([job(tmp_path, "alone")]))


def test_what_was_made_for_another_unit_is_not_believed(client: Client, tmp_path: Path) -> None:
    mine, other = job(tmp_path, "mine"), Manifest(unit="other", outcome=Outcome())
    future = client.submit(lambda: [f"[{other.model_dump_json()}]"])
    with pytest.raises(Fatal, match="unit other made for mine"):
        list(DaskExecution(client, Recipe.parse(RECIPE))._settle(future, [mine], deque()))


def test_an_image_that_no_worker_can_hold_is_refused_before_it_is_read(
    client: Client, tmp_path: Path
) -> None:
    execution = DaskExecution(client, Recipe.parse(RECIPE), worker_memory=100_000)
    with pytest.raises(Fatal, match="fewer workers with more memory"):
        list(execution([Job(job(tmp_path, "big").sources, job(tmp_path, "big2").targets, (400, 400))]))


def test_one_image_that_no_worker_can_hold_fails_alone(client: Client, tmp_path: Path) -> None:
    big = job(tmp_path, "huge")
    execution = DaskExecution(client, Recipe.parse(RECIPE), worker_memory=100_000)
    found = {
        one.unit: one for one in execution([Job(big.sources, big.targets, (400, 400)), job(tmp_path, "slim")])
    }
    assert found["slim"].outcome.status is Status.DONE
    assert found["huge"].outcome.status is Status.FAILED
    assert "fewer workers with more memory" in found["huge"].outcome.reason


def test_blocks_are_filled_but_every_worker_gets_some(client: Client, tmp_path: Path) -> None:
    execution = DaskExecution(client, Recipe.parse(RECIPE))
    one = job(tmp_path, "one")
    sizes = [len(block) for block in execution._blocks([one] * 64)]
    assert sum(sizes) == 64
    assert len(sizes) >= 4
    large = Job(one.sources, one.targets, (4096, 4096))
    assert [len(block) for block in execution._blocks([large] * 3)] == [1, 1, 1]


def test_a_block_is_written_beside_the_next_where_there_is_room_and_its_bytes_are_the_same(
    client: Client, tmp_path: Path
) -> None:
    shape = (60, 90)
    roomy = DaskExecution(client, Recipe.parse(RECIPE), worker_memory=1 << 30)
    need = DaskExecution(
        client, Recipe.parse(RECIPE), worker_memory=int(60 * 90 * (6 + 4 * roomy.factor) / 0.6)
    )
    kind = job(tmp_path, "kind", shape).kind
    assert (roomy._fit(kind).beside, need._fit(kind).beside) == (True, False)
    beside, by_itself = [job(tmp_path / name, "same", shape) for name in ("a", "b")]
    found = [next(iter(way([one]))) for way, one in ((roomy, beside), (need, by_itself))]
    assert found[0].sha256
    of_the_way = {name: getattr(found[0], name) for name in ("outcome", "worker", "memory")}
    assert found[0] == found[1].model_copy(update=of_the_way)


def test_what_names_a_frame_is_small_and_nothing_is_read_before_it_is_needed(tmp_path: Path) -> None:
    source = FrameSource(
        loader=Loader(Ref("file:///nowhere", "x" * 100, "0" * 64), 1, (0, 64)), source="x.fits"
    )
    assert len(pickle.dumps(source.loader)) < 1000
    assert len(source.model_dump_json()) < 1000
    stack = open_stack([source], (64, 8))
    outcome: Outcome = outcome_at(stack.compute(), 0)
    assert (outcome.status, outcome.retriable) == (Status.FAILED, True)


def test_rows_can_be_read_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.fits"
    fits.writeto(path, np.arange(40, dtype=np.int16).reshape(10, 4))
    stack = open_stack([FrameSource(loader=Loader(Ref.of_file(path), 0, (2, 5)), source="rows.fits")], (3, 4))
    np.testing.assert_array_equal(stack.compute()["image"].values[0], np.arange(8, 20).reshape(3, 4))


def test_rows_of_a_product_come_with_their_flags(tmp_path: Path) -> None:
    flags = np.arange(40, dtype=np.uint16).reshape(10, 4)
    header = fits.Header({"UNIT_ID": "a unit"})
    path = tmp_path / "product.fits"
    path.write_bytes(build_product(np.ones((10, 4), np.float32), flags, header))
    source = FrameSource(loader=Loader(Ref.of_file(path), 0, (2, 5)), source=path.name)
    found = open_stack([source], (3, 4)).compute()
    assert outcome_at(found, 0).status is Status.DONE
    np.testing.assert_array_equal(found["quality"].values[0], flags[2:5])


_PROCESS = """
import pickle, sys
from distributed import Client
from cluster.run.execute import DaskExecution
from pipeline import Recipe
from pipeline.errors import Fatal

recipe, jobs = pickle.loads(open(sys.argv[2], "rb").read())
with Client(sys.argv[1]) as client:
    try:
        for manifest in DaskExecution(client, Recipe.parse(recipe))(jobs):
            print(manifest.outcome.status, manifest.outcome.code)
    except Fatal as error:
        print("refused:", error)
"""

_REDUCE = """
import importlib, pickle, sys
from distributed import Client
from cluster.connect import submit
from cluster.run.stacks import open_stack
from pipeline.errors import Fatal
from pipeline.registry import instrument
from pipeline.reduction import lazily

name, jobs = pickle.loads(open(sys.argv[2], "rb").read())
instrument("toy")
reduction = getattr(importlib.import_module("toy_camera.steps"), name)()
stack = open_stack([job.sources[0] for job in jobs], jobs[0].shape)
with Client(sys.argv[1]) as client:
    try:
        found = submit(client, lazily(reduction, stack, instrument="toy")).result()
        print("sum", found.values[0, 0], "of", sorted(found.used))
    except Fatal as error:
        print("refused:", error)
"""


def given_a_command(
    client: Client, jobs: list[Job], folder: Path, script: str = _PROCESS, what: str = RECIPE
) -> str:
    """What a fresh process says that has jobs done on the cluster, as `heliolake process` does."""
    work = folder / "work.pickle"
    work.write_bytes(pickle.dumps((what, jobs)))
    command = [sys.executable, "-c", script, client.scheduler.address, str(work)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def older(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A cluster whose worker has loaded the code from before any change, and goes on with it."""
    with a_cluster(tmp_path_factory.mktemp("older"), 1) as client:
        client.run(_load_instruments)
        yield client


@pytest.mark.slow
def test_a_fresh_process_has_workers_of_the_same_code_do_its_work(older: Client, tmp_path: Path) -> None:
    assert "done" in given_a_command(older, [job(tmp_path, "first")], tmp_path)
    jobs = [job(tmp_path, f"r{n}") for n in range(3)]
    said = given_a_command(older, jobs, tmp_path, _REDUCE, "Total")
    assert said.startswith("sum 3.0 of ['r0.fits', 'r1.fits', 'r2.fits']")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("version=3", "version=4", "step shift is version 3 here and version 4 there"),
        ("np.float32(params.by)", "np.float32(params.by * 1)", "sources of toy differ"),
    ],
)
def test_workers_that_still_run_an_older_step_refuse_the_work(
    site: Path, older: Client, tmp_path: Path, before: str, after: str, told: str
) -> None:
    source = site / "toy_camera" / "steps.py"
    old = source.read_text()
    assert before in old
    second = job(tmp_path, "second")
    try:
        source.write_text(old.replace(before, after, 1))
        said = given_a_command(older, [second], tmp_path)
        assert "refused: a worker runs other code" in said
        assert told in said
        assert "`heliolake down` and `heliolake up`" in said
        target = second.targets[0]
        assert open_store(target.store).stat(key_of("toy", target.name)) is None
        with a_cluster(tmp_path, 1) as client:  # what the sentence asks for
            assert "done" in given_a_command(client, [second], tmp_path)
    finally:
        source.write_text(old)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("first[0] + second[0]", "first[0] - second[0]", "Total"),
        ("class Total", "class Whole", "Whole"),  # the workers never heard of it
    ],
    ids=["changed", "new"],
)
def test_workers_that_still_run_an_older_reduction_refuse_the_work(
    site: Path, older: Client, tmp_path: Path, before: str, after: str, name: str
) -> None:
    source = site / "toy_camera" / "steps.py"
    old = source.read_text()
    assert before in old
    jobs = [job(tmp_path, f"r{n}") for n in range(3)]
    try:
        source.write_text(old.replace(before, after, 1))
        said = given_a_command(older, jobs, tmp_path, _REDUCE, name)
        assert "refused: a worker runs other code than what the reduction of toy" in said
        assert "sources of toy differ" in said
        assert "`heliolake down` and `heliolake up`" in said
        with a_cluster(tmp_path, 1) as client:  # what the sentence asks for
            assert given_a_command(client, jobs, tmp_path, _REDUCE, name).startswith("sum ")
    finally:
        source.write_text(old)


def _load_instruments() -> int:
    from pipeline.registry import instruments

    return len(instruments())
