"""A worker writes a block while it computes the next one, and never two at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from cluster.run.beside import beside_the_next

PATIENCE = 120


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of a cluster with one worker of one thread."""
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(tmp_path_factory.mktemp("dask")),
            host="127.0.0.1",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def block(folder: Path, name: str, awaited: str) -> list[str]:
    """Compute, then write until something awaited has happened; who was writing then."""
    (folder / f"{name} computed").touch()
    with beside_the_next():
        (folder / f"{name} writes").touch()
        end = time.monotonic() + PATIENCE
        while not (folder / awaited).exists() and time.monotonic() < end:
            time.sleep(0.01)
        found = sorted(path.name for path in folder.iterdir())
        (folder / f"{name} writes").unlink()
    return found


def failing(folder: Path) -> None:
    with beside_the_next():
        (folder / "failed").touch()
        raise OSError("the disk is gone")


def test_the_next_block_is_computed_while_one_is_written(client: Client, tmp_path: Path) -> None:
    first = client.submit(block, tmp_path, "a", "b computed", pure=False)
    second = client.submit(block, tmp_path, "b", "a computed", pure=False)
    assert first.result(PATIENCE) == ["a computed", "a writes", "b computed"]
    assert second.result(PATIENCE) == ["a computed", "b computed", "b writes"]


def test_a_failure_of_the_storage_is_told_and_the_next_block_is_written(
    client: Client, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="the disk is gone"):
        client.submit(failing, tmp_path, pure=False).result(PATIENCE)
    assert "c writes" in client.submit(block, tmp_path, "c", "failed", pure=False).result(PATIENCE)
