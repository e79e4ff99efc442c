"""A reduction of 10², 10³ and 10⁴ small frames: its cost is to be linear, its memory flat."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from bench.home import command, running_home, small_files, worker_peak
from bench.measure import Aim, Row, Sample, Skipped
from bench.setting import Setting
from pipeline.reduction import Origin, Reduced, ReductionKind, StackBlock

_AIM: Final = Aim(ratio=0.8, text="cost per frame no higher than of a tenth")
_MEGABYTE: Final = 1e6
#: Of no other subject.
_DAY: Final = 5_000


@dataclass(frozen=True)
class Mean:
    """Mean of all frames: as little as a method can do."""

    def map(self, block: StackBlock) -> tuple[Any, ...]:
        """Sums of a block."""
        good = np.isfinite(block.image)
        total = np.where(good, block.image, 0).sum(axis=0, dtype=np.float64)
        return total, good.sum(axis=0), frozenset(block.sources)

    def combine(self, first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
        """Sums of both."""
        return first[0] + second[0], first[1] + second[1], first[2] | second[2]

    def finish(self, partial: tuple[Any, ...]) -> Reduced:
        """The mean."""
        total, count, used = partial
        values: NDArray[np.float32] = (total / np.maximum(count, 1)).astype(np.float32)
        return Reduced(values, count.astype(np.int32), used)


def prepared(_frames: int) -> Mean:
    """The reduction for any number of frames."""
    return Mean()


def written(reduced: Reduced, origin: Origin, _caveats: Sequence[str]) -> fits.HDUList:
    """As a FITS file."""
    return fits.HDUList([fits.PrimaryHDU(reduced.values, fits.Header({"BUNIT": origin.unit}))])


KIND = ReductionKind("mean", "sdo_aia", "1", "flat", ("wavelength",), prepared, written)

_CODE = """
import json, sys, time
from bench.child import peak
from bench.rows.reductions import KIND
from cluster.home.home import Home
from cluster.plan.plan import Query
from cluster.run.reduce import reduce_to_reference
from lake.lake import Lake
from heliolake.times import moment
home = Home(sys.argv[1])
query = Query(moment(sys.argv[2]), moment(sys.argv[3]))
begin = time.perf_counter()
(one,) = reduce_to_reference(Lake.open(home.lake_config()), home.scheduler(), KIND, query).references
print(json.dumps({"seconds": time.perf_counter() - begin, "peak": peak(), "frames": one.frames}))
"""


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """The largest number against a tenth of it, per frame."""
    counts = setting.pick((100, 1_000, 10_000), (4, 40))
    found: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    spans = {}
    with running_home(setting, "reductions") as home:
        for place, count in enumerate(counts):
            paths = small_files(setting.folder(f"frames{count}"), count, 64, _DAY + 100 * place, cards=20)
            command(home, "ingest", str(paths[0].parent), "--json")
            days = [path.stem.split("_")[2] for path in (paths[0], paths[-1])]
            spans[count] = [
                f"{day[:4]}-{day[4:6]}-{day[6:]}T{hour}" for day, hour in zip(days, ENDS, strict=True)
            ]
        peaks = {}
        for _ in range(setting.pick(2, 1)):
            for count in counts:
                found[count].append(_reduce(home.path, spans[count]))
                peaks[count] = worker_peak(home)
    most, tenth = counts[-1], counts[-2]
    memory = ", ".join(
        f"{count} frames {found[count][0]['peak'] / _MEGABYTE:.0f} MB and {peaks[count] / _MEGABYTE:.0f} MB"
        for count in counts
    )
    yield Row(
        f"reduction of {most} frames, 64²",
        _each(found[most], most),
        _each(found[tenth], tenth),
        f"the same of {tenth} frames",
        aim=_AIM,
        notes=("seconds per frame, all included", f"peak memory of the client and of a worker: {memory}"),
    )


ENDS: Final = ("00:00:00", "23:59:59")


def _each(found: Sequence[dict[str, float]], count: int) -> Sample:
    return Sample(tuple(one["seconds"] / count for one in found))


def _reduce(home: Path, span: Sequence[str]) -> dict[str, float]:
    line = [sys.executable, "-c", _CODE, str(home), *span]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told: dict[str, float] = json.loads(done.stdout)
    return told
