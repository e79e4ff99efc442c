"""A site's Dask cluster, opened: reached, found or started, looked at, and set up like the one of a home."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cluster.scheduler import Scheduler
from cluster.sites.schedulers import address, batch, gateway, kubernetes
from cluster.sites.schedulers.fitness import made_fit
from cluster.sites.site import AddressDask, BatchDask, Dask, GatewayDask, KubernetesDask
from lake.errors import Fatal

_NOTHING: Final[Mapping[str, str]] = {}


@contextmanager
def opened(
    dask: Dask,
    folder: Path,
    *,
    home: Scheduler | None = None,
    environment: Mapping[str, str] = _NOTHING,
) -> Iterator[Scheduler]:
    """The scheduler of a site's Dask cluster, with a worker at least that has what Heliolake needs.

    Parameters
    ----------
    dask
        What ``sites.yaml`` says of it.
    folder
        Where this way may keep keys and notes between runs: private, and of this site alone.
    home
        The scheduler of a ``local`` site, which runs with the home's services.
    environment
        Variables that workers are to have besides, such as the file of their credentials; said to all of
        them, whoever started them.

    Raises
    ------
    lake.errors.Fatal
        When the description, a file it names or the cluster's software is not what it should be.
    lake.errors.Retriable
        When the cluster does not answer, or has no worker in time.
    """
    if dask.kind == "local":
        if home is None:
            raise Fatal("a local Dask cluster runs with the services of its home, and none was named")
        yield home
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _way(dask, folder) as scheduler:
        made_fit(scheduler, environment, dask.patience)
        yield scheduler


@contextmanager
def _way(dask: AddressDask | GatewayDask | KubernetesDask | BatchDask, folder: Path) -> Iterator[Scheduler]:
    match dask:
        case AddressDask():
            yield address.reached(dask)
        case GatewayDask():
            with gateway.running(dask, folder) as scheduler:
                yield scheduler
        case KubernetesDask():
            with kubernetes.running(dask, folder) as scheduler:
                yield scheduler
        case BatchDask():
            with batch.running(dask, folder) as scheduler:
                yield scheduler
