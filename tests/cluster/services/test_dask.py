"""How workers are set up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client
from distributed.security import Security

from cluster.connect import connected
from cluster.home.home import Home
from cluster.services.compute import worker_count


@pytest.fixture(scope="module")
def client(home: Home) -> Iterator[Any]:
    with connected(home.scheduler()) as client:
        yield client


def test_there_is_one_worker_with_one_thread_per_core(client: Any) -> None:
    assert list(client.nthreads().values()) == [1] * worker_count()


def test_libraries_keep_to_one_thread_and_kernels_are_shared(client: Any) -> None:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    for environment in client.run(lambda: dict(os.environ)).values():
        assert [environment[name] for name in names] == ["1"] * len(names)
        assert environment["NUMBA_CACHE_DIR"].endswith("heliolake/numba")


def test_workers_never_download_earth_rotation_tables(client: Any) -> None:
    def setting() -> bool:
        from astropy.utils.iers import conf

        return bool(conf.auto_download)

    assert set(client.run(setting).values()) == {False}


def test_tasks_of_a_notebook_keep_the_whole_of_their_names(client: Any) -> None:
    """Names that are cut to a few digits of a hash would let one stack get the images of another."""
    name = "step→" * 40
    graph = {(f"{name}first", 0): (np.arange, 3), (f"{name}last", 0): (np.negative, (f"{name}first", 0))}
    future = client.compute(da.Array(graph, f"{name}last", chunks=((3,),), dtype=int))
    assert list(future.result()) == [0, -1, -2]
    keys = client.run_on_scheduler(lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks])
    assert any(f"{name}first" in key for key in keys)
    assert any(f"{name}last" in key for key in keys)


def test_workers_write_only_below_the_home(client: Any, home: Home) -> None:
    folders = client.run(lambda dask_worker: dask_worker.local_directory).values()
    assert all(str(folder).startswith(str(home.dask)) for folder in folders)


def test_the_workers_together_leave_memory_to_the_rest(client: Any) -> None:
    import psutil

    limits = client.run(lambda dask_worker: dask_worker.memory_manager.memory_limit).values()
    assert 0 < sum(limits) <= 0.9 * psutil.virtual_memory().total


def test_nobody_without_the_key_of_the_home_is_let_in(home: Home) -> None:
    scheduler = home.scheduler()
    assert home.dask_key.stat().st_mode & 0o077 == 0
    with pytest.raises((OSError, TimeoutError)):
        Client(scheduler.address.replace("tls://", "tcp://"), timeout=3)
    with pytest.raises((OSError, TimeoutError)):
        Client(scheduler.address, timeout=3, security=Security.temporary())
