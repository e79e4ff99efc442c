"""What is sent to Dask keeps the name it has."""

from __future__ import annotations

import dask.array as da
from distributed import Client, LocalCluster

from cluster.connect import submit, submit_whole


def test_tasks_of_long_names_keep_them_whole() -> None:
    """Names that are cut to a few digits of a hash would let one block get the images of another."""
    name = "step→" * 40
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster.scheduler_address, set_as_default=False) as client,
    ):
        blocks = [
            da.from_array([n], name=f"{name}source-{n}").map_blocks(abs, name=f"{name}{n}", dtype=int)
            for n in range(3)
        ]
        futures = [submit(client, block) for block in blocks]
        assert [list(future.result()) for future in futures] == [[0], [1], [2]]
        keys = client.run_on_scheduler(lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks])
        long = [key for key in keys if name in key]
        assert all(any(f"{name}{n}" in key for key in long) for n in range(3))


def test_a_block_is_one_task_that_bears_its_name() -> None:
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster.scheduler_address, set_as_default=False) as client,
    ):
        block = da.arange(6, chunks=3).map_blocks(abs) + 1
        futures = [submit_whole(client, block, "recipe→step") for _ in range(2)]
        assert [list(future.result()) for future in futures] == [[1, 2, 3, 4, 5, 6]] * 2
        keys = client.run_on_scheduler(lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks])
        assert sorted(keys) == sorted(future.key for future in futures)
        prefixes = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.task_prefixes))
        assert prefixes == ["recipe→step"]
