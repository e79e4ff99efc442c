"""Units whose work is next to nothing: files of a few bytes, carried out on a real cluster and registered.

What is left is what the software itself costs: the catalogue, the ledger, the scheduler and Rucio.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from distributed import Client, Future, as_completed

from cluster.run.execute import Job
from cluster.run.orders import Asked
from cluster.run.stacks import Manifest
from lake.checksums import checksums
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.activation import active_version
from lake.releases.drafts import reserve
from lake.releases.releases import publish
from lake.rucio.client import batches
from lake.storage.opening import open_store
from lake.storage.store import key_of
from pipeline import code
from pipeline.outcome import Outcome
from pipeline.recipe import Recipe, recipes

INSTRUMENT: Final = "sdo_aia"
RECIPE: Final = "aia-l15"
#: Files of one observation: a camera's day with a picture every 90 seconds.
PER_DAY: Final = 1000
#: Units of one task of Dask, and tasks that are under way.
_PER_TASK, _UNDER_WAY = 50, 8
_FIRST: Final = datetime(1990, 1, 1, tzinfo=UTC)
_STEPS: Final = ("read", "register", "normalise_exposure", "write")


def recipe() -> Recipe:
    """The recipe in whose name the units are done."""
    return recipes()[RECIPE]


def begin(day: int) -> datetime:
    """When a day begins."""
    return _FIRST + timedelta(days=day)


def raw_file(day: int, number: int) -> tuple[FileEntry, bytes]:
    """What is registered of one simulated raw file, and its bytes."""
    moment = begin(day) + timedelta(seconds=80 * number)
    stem = f"sim_aia171_{moment:%Y%m%d_%H%M%S}"
    content = f"SIMPLE  = a simulated file, not an image {stem}".encode()
    entry = FileEntry(
        INSTRUMENT,
        f"{stem}.fits",
        "1",
        stem,
        *checksums(content),
        date_beg=moment,
        date_end=moment + timedelta(seconds=2),
        shape=(16, 16),
        meta={"wavelength": 171, "exposure_s": 2.0, "telescope": "SDO/AIA", "quality": 0},
    )
    return entry, content


def observation(day: int) -> str:
    """Name of the observation of a day."""
    return f"aia171_{begin(day):%Y%m%d}"


def take_in(lake: Lake, day: int, count: int) -> None:
    """A day's raw files, unless they are there: their bytes stored, and one release of them published."""
    product = ProductKey(INSTRUMENT, observation(day), "1")
    if active_version(lake, product) is not None:
        return
    entries = []
    for number in range(count):
        entry, content = raw_file(day, number)
        lake.store.put(key_of(entry.scope, entry.name), content)
        entries.append(entry)
    publish(lake, reserve(lake, product, f"scale {day}"), entries)


class SimulatedExecution:
    """Carries jobs out on a cluster whose workers write a line instead of an image."""

    def __init__(self, client: Client, recipe: Recipe, asked: Asked) -> None:
        self.client = client
        self.code = code.digest(code.of_recipe(recipe))
        self.seconds = 0.0

    def __call__(self, jobs: Iterable[Job]) -> Generator[Manifest]:
        """A manifest for each job, as they finish."""
        tasks = batches(jobs, _PER_TASK)
        done = as_completed(
            [self._submit(one) for one in islice(tasks, _UNDER_WAY)], loop=self.client.loop, with_results=True
        )
        for _future, texts in done:
            for one in islice(tasks, 1):
                done.add(self._submit(one))
            yield from (Manifest.model_validate(one) for one in json.loads(texts))

    def _submit(self, jobs: Sequence[Job]) -> Future:
        targets = [
            (target.unit, target.store, target.scope, target.name) for job in jobs for target in job.targets
        ]
        return self.client.submit(made, targets, self.code, pure=False)


def made(targets: Sequence[tuple[str, str, str, str]], digest: str) -> str:
    """What a worker does: store a line under each unit's final name, and say so."""
    manifests = []
    for unit, store, scope, name in targets:
        begin = time.perf_counter()
        stored = open_store(store).put(key_of(scope, name), f"a simulated product {name}".encode())
        took = time.perf_counter() - begin
        seconds = dict.fromkeys(_STEPS, 0.001) | {"write": took}
        manifest = Manifest(
            unit=unit,
            outcome=Outcome(seconds=seconds, code=digest),
            worker="simulated",
            shape=(16, 16),
            **stored.checksums._asdict(),
        )
        manifests.append(manifest.model_dump(mode="json"))
    return json.dumps(manifests)
