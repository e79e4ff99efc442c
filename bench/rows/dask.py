"""The chain through Dask on two workers against the same work done alone, frame by frame."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.chain import checked, drop, full_recipe, jobs, ours
from bench.frames import Level1, level1
from bench.measure import Aim, Row, Sample, Skipped, duration
from bench.residual import DEFAULT
from bench.setting import Setting
from cluster.run.execute import DaskExecution
from cluster.workers import SETTINGS
from pipeline.recipe import Recipe

_WORKERS: Final = 2
_AIM: Final = Aim(ratio=0.85, text="≥ 85 % of ideal")


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """All six steps, and the five without the deconvolution, where reading and writing weigh most."""
    size = setting.pick(4096, 256)
    frame = level1(setting, size)
    with _cluster(setting.folder("dask")) as client:
        yield _row(setting, client, frame, "without deconvolution", None, setting.pick(16, 4))
        if not setting.quick:
            yield _row(setting, client, frame, "all six steps", DEFAULT.iterations, 8)


@contextmanager
def _cluster(folder: Path) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    dask.config.set(SETTINGS)  # as the embedded cluster has it
    with (
        LocalCluster(
            n_workers=_WORKERS,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            local_directory=str(folder),
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _row(setting: Setting, client: Any, frame: Level1, name: str, iterations: int | None, count: int) -> Row:
    recipe = full_recipe(frame, iterations=iterations)
    folder = setting.folder(f"campaign_{iterations or 0}")
    paths = frame.copies(folder / "raw", count)
    batch = _Batch(client, recipe, frame, folder / "lake", paths)
    batch.alone(1)
    batch.together()  # every worker has compiled, read its references and made its point spread function
    alone, together = [batch.alone(2)], []
    for _ in range(setting.pick(2, 1)):
        together.append(batch.together())
        alone.append(batch.alone(2))
    shutil.rmtree(folder)
    ideal = Sample(*(tuple(one[what] / _WORKERS for one in alone) for what in ("all", "processor")))
    found = Sample(
        tuple(one["all"] for one in together), tuple(one["processor"] / _WORKERS for one in together)
    )
    slower = _mean(together, "steps") / _mean(alone, "steps")
    lost = max(0.0, _mean(together, "steps") - _mean(alone, "steps"))
    bound = 1.0 / (1.0 + lost / _mean(alone, "all"))
    return Row(
        f"AIA chain {frame.shape[0]}² through Dask, {name}",
        found,
        ideal,
        f"one process alone, read and write included, / {_WORKERS}",
        aim=_AIM,
        notes=(
            f"seconds per frame; {count} frames in a batch, {duration(count * together[0]['all'])} in all",
            (
                f"the steps themselves take {slower:.2f} × as long when two run at once (both want memory, "
                f"and so may others here): that alone limits the efficiency to {bound:.0%}"
            ),
        ),
        numbers={"slowdown_of_steps_side_by_side": slower},
    )


def _mean(records: list[dict[str, float]], what: str) -> float:
    return sum(record[what] for record in records) / len(records)


class _Batch:
    """One campaign's frames, done alone in this process or by the workers; products are removed at once."""

    def __init__(self, client: Any, recipe: Recipe, frame: Level1, root: Path, paths: list[Path]) -> None:
        self.client, self.recipe, self.frame, self.root, self.paths = client, recipe, frame, root, paths
        self.numbers = itertools.count()
        self.steps = [bound.step.name for bound in recipe.bind()]

    def _jobs(self, count: int) -> Any:
        return jobs(self.frame, self.paths[:count], self.root, f"b{next(self.numbers)}x")

    def alone(self, count: int) -> dict[str, float]:
        """Seconds and processor seconds per frame in this process, and the seconds of its steps."""
        busy, start = time.process_time(), time.perf_counter()
        phases = []
        for job in self._jobs(count):
            phases.append(ours(self.recipe, job))
            drop(job)
        end, busy = time.perf_counter(), time.process_time() - busy
        shutil.rmtree(self.root)
        steps = sum(record[name] for record in phases for name in self.steps)
        return {"all": (end - start) / count, "processor": busy / count, "steps": steps / count}

    def together(self) -> dict[str, float]:
        """The same through Dask; processor time is that of the workers."""
        wanted = self._jobs(len(self.paths))
        busy, start = self._busy(), time.perf_counter()
        by_unit = {target.unit: job for job in wanted for target in job.targets}
        manifests = []
        for manifest in DaskExecution(self.client, self.recipe)(wanted):
            manifests.append(checked(manifest))
            drop(by_unit[manifest.unit])
        end, busy = time.perf_counter(), self._busy() - busy
        shutil.rmtree(self.root)
        steps = sum(manifest.outcome.seconds[name] for manifest in manifests for name in self.steps)
        count = len(wanted)
        return {"all": (end - start) / count, "processor": busy / count, "steps": steps / count}

    def _busy(self) -> float:
        return float(sum(self.client.run(time.process_time).values()))
