"""Spans of a store written by the workers of a Dask cluster, a few in flight at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Final
from uuid import uuid4

import xarray as xr
from distributed import Client, Future, KilledWorker, wait

from lake.errors import Fatal, Retriable
from pipeline.cube.layout import Layout
from pipeline.cube.writer import write_span

Span = tuple[int, int]
Job = tuple[Path, xr.Dataset, int, Layout]

#: Spans per worker that are submitted and not finished.
_WINDOW: Final = 2
#: Seconds to wait for a worker where none is left.
_PATIENCE: Final = 30


def on_cluster(client: Client, jobs: Iterator[tuple[Span, Job]], name: str) -> Iterator[Span]:
    """Write spans; each is given back when its shards are on disk.

    Parameters
    ----------
    client
        Connected to the cluster.
    jobs
        Spans, each once, with what `write_span` takes; made only when there is room.
    name
        What the dashboard shows.

    Raises
    ------
    lake.errors.Retriable
        When the cluster is lost, or loses every worker that tries a span.
    """
    running: dict[Future, Span] = {}
    try:
        while True:
            while len(running) < _WINDOW * _workers(client) and (job := next(jobs, None)):
                span, arguments = job
                running[client.submit(write_span, *arguments, key=f"{name}-{uuid4().hex}")] = span
            if not running:
                return
            future = _first_ended(client, running)
            _require_done(future)
            yield running.pop(future)
    finally:
        client.cancel(list(running), force=True)


def _workers(client: Client) -> int:
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except (TimeoutError, OSError) as error:
        raise Retriable(
            "the Dask cluster has no worker; run `heliolake up`, then the same command again"
        ) from error
    return len(client.scheduler_info(n_workers=-1)["workers"])


def _first_ended(client: Client, running: dict[Future, Span]) -> Future:
    while True:
        try:
            with client.as_current():
                return next(iter(wait(list(running), _PATIENCE, "FIRST_COMPLETED").done))
        except CancelledError as error:
            raise _lost() from error
        except TimeoutError:
            _workers(client)


def _require_done(future: Future) -> None:
    try:
        future.result()
    except KilledWorker as error:
        raise Fatal(
            "workers were killed while they wrote frames, probably for their memory; "
            "start fewer workers with more memory each, then give the same command again"
        ) from error
    except CancelledError as error:
        raise _lost() from error


def _lost() -> Retriable:
    return Retriable("the Dask cluster was lost; run `heliolake up`, then the same command again")
