"""A cluster that somebody else runs: who holds the right key works on it, others learn why they do not."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from distributed import Client

from cluster.connect import connected
from cluster.scheduler import Scheduler
from cluster.sites.schedulers.opening import opened
from cluster.sites.site import AddressDask
from lake.errors import Fatal, Retriable
from pipeline.outcome import Status
from tests.cluster.run.test_execute import carried_out, job
from tests.cluster.sites.schedulers.authority import Authority, Pair
from tests.guarded import Guarded
from tests.pipeline.conftest import toy_instrument  # noqa: F401 - a fixture

_START_S = 60


@contextmanager
def a_cluster(
    folder: Path, tls: Sequence[str], *worker: str, path: Path, before: Sequence[str] = ()
) -> Iterator[str]:
    """The address of a scheduler with one worker, started as an administrator would.

    Words `before` the worker's command have it run elsewhere.
    """
    folder.mkdir()
    known = folder / "scheduler.json"
    dask = (sys.executable, "-P", "-m")  # not what lies in this folder, but what is installed
    quiet = ("--no-dashboard", "--scheduler-file", str(known), *tls)
    variables = {"PYTHONPATH": os.pathsep.join([str(path), *filter(None, [os.environ.get("PYTHONPATH")])])}
    protocol = "tls" if tls else "tcp"
    with ExitStack() as stack:
        asked = (
            *dask,
            "distributed.cli.dask_scheduler",
            "--host",
            f"{protocol}://127.0.0.1",
            "--port",
            "0",
            *quiet,
        )
        scheduler = stack.enter_context(Guarded(asked, folder / "scheduler.log"))
        while not (known.exists() and known.stat().st_size):  # it is made first and written then
            assert scheduler.runs, scheduler.said()
            time.sleep(0.05)
        asked = (
            *before,
            *dask,
            "distributed.cli.dask_worker",
            "--nthreads",
            "1",
            "--memory-limit",
            "1GiB",
            *worker,
            *quiet,
        )
        stack.enter_context(Guarded(asked, folder / "worker.log", variables))
        yield str(json.loads(known.read_text())["address"])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "site")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Pair:
    return authority.sign("client")


@pytest.fixture(scope="module")
def address(
    authority: Authority,
    toy_instrument: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    pair = authority.sign("cluster")
    tls = (
        "--tls-ca-file",
        str(authority.ca),
        "--tls-cert",
        str(pair.certificate),
        "--tls-key",
        str(pair.key),
    )
    with a_cluster(tmp_path_factory.mktemp("dask") / "tls", tls, path=toy_instrument) as address:
        yield address


def described(address: str, ca: Path, pair: Pair) -> AddressDask:
    return AddressDask(address=address, ca=ca, certificate=pair.certificate, key=pair.key, patience=_START_S)


@pytest.fixture(scope="module")
def scheduler(
    address: str, authority: Authority, ours: Pair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scheduler]:
    folder = tmp_path_factory.mktemp("way")
    with opened(described(address, authority.ca, ours), folder, environment={"WHO": "site"}) as scheduler:
        yield scheduler


@pytest.fixture(scope="module")
def client(scheduler: Scheduler) -> Iterator[Client]:
    with connected(scheduler) as client:
        yield client


def test_who_holds_the_right_key_has_recipes_carried_out(client: Client, tmp_path: Path) -> None:
    manifests = carried_out(client, [job(tmp_path, f"t{n}") for n in range(3)])
    assert {one.outcome.status for one in manifests.values()} == {Status.DONE}


def test_workers_started_by_others_never_download_and_know_their_variables(client: Client) -> None:
    def setting() -> tuple[bool, bool, str, str]:
        from astropy.utils.data import conf as data
        from astropy.utils.iers import conf as iers

        environment = (os.environ["WHO"], os.environ["NUMBA_NUM_THREADS"])
        return bool(iers.auto_download), bool(data.allow_internet), *environment

    assert set(client.run(setting).values()) == {(False, False, "site", "1")}


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone is told to keep its memory")
def test_workers_started_by_others_keep_their_memory(client: Client) -> None:
    def faults() -> int:
        import resource

        import numpy as np

        for _ in range(3):
            np.ones(2**18)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            np.ones(2**18)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    # Memory that went back to the kernel would be faulted in anew, the 512 pages of each 2 MiB array.
    assert max(client.run(faults).values()) < 20 * 512 / 4


def test_a_stranger_is_refused_and_told_why(address: str, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "elsewhere").sign("stranger")
    with pytest.raises(Fatal, match=r"refuses certificate .*stranger\.pem: .*unknown ca.*signed by"):
        _opened(described(address, authority.ca, stranger), tmp_path)


def test_a_certificate_that_has_expired_is_refused_and_told_why(
    address: str, authority: Authority, tmp_path: Path
) -> None:
    late = authority.sign("late", days=-2)
    with pytest.raises(Fatal, match=r"refuses certificate .*late\.pem: .*expired"):
        _opened(described(address, authority.ca, late), tmp_path)


def test_a_cluster_of_another_authority_is_not_trusted(address: str, ours: Pair, tmp_path: Path) -> None:
    other = Authority(tmp_path / "elsewhere")
    with pytest.raises(Fatal, match=r"that ca .*elsewhere/ca\.pem does not vouch for"):
        _opened(described(address, other.ca, ours), tmp_path)


@pytest.mark.parametrize(
    ("part", "content", "said"),
    [
        ("ca", None, r"ca .*/wrong\.pem cannot be read: No such file"),
        ("key", None, r"key .*/wrong\.pem cannot be read: No such file"),
        ("certificate", "nonsense", r"certificate .*/wrong\.pem holds no certificate"),
        ("key", "nonsense", r"key .*/wrong\.pem holds no private key"),
        ("ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", r"ca .*/wrong\.pem"),
    ],
)
def test_a_file_that_is_missing_or_wrong_is_named(
    part: str, content: str | None, said: str, authority: Authority, ours: Pair, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.pem"
    if content is not None:
        wrong.write_text(content)
    dask = described("tls://127.0.0.1:1", authority.ca, ours).model_copy(update={part: wrong})
    with pytest.raises(Fatal, match=said):
        _opened(dask, tmp_path)


def test_a_key_that_belongs_to_another_certificate_or_is_locked_is_named(
    authority: Authority, ours: Pair, tmp_path: Path
) -> None:
    other, locked = authority.sign("other"), authority.sign("locked", passphrase="open sesame")
    for pair in (Pair(ours.certificate, other.key), locked):
        with pytest.raises(Fatal, match=rf"key {pair.key} cannot be used together.*passphrase"):
            _opened(described("tls://127.0.0.1:1", authority.ca, pair), tmp_path)


def test_an_address_where_nobody_listens_is_named(authority: Authority, ours: Pair, tmp_path: Path) -> None:
    for dask in (
        described("tls://127.0.0.1:1", authority.ca, ours),
        AddressDask(address="tcp://127.0.0.1:1"),
    ):
        with pytest.raises(Retriable, match=r"//127\.0\.0\.1:1 does not answer.*can be reached from here"):
            _opened(dask, tmp_path)


def test_workers_of_several_threads_are_refused(toy_instrument: Path, tmp_path: Path) -> None:  # noqa: F811
    with (
        a_cluster(tmp_path / "threads", (), "--nthreads", "3", path=toy_instrument) as address,
        pytest.raises(Fatal, match=r"has workers of 3 threads.*one thread"),
    ):
        _opened(AddressDask(address=address, patience=_START_S), tmp_path)


def test_a_cluster_with_another_version_is_refused_in_words(tmp_path: Path) -> None:
    info = tmp_path / "other" / "heliolake-9.9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: heliolake\nVersion: 9.9\n")
    with (
        a_cluster(tmp_path / "versions", (), path=info.parent) as address,
        pytest.raises(Fatal, match=r"its workers have heliolake 9\.9 \(here .*\); install the same"),
    ):
        _opened(AddressDask(address=address, patience=_START_S), tmp_path)


def _opened(dask: AddressDask, folder: Path) -> None:
    with opened(dask, folder / "way"):
        pass
