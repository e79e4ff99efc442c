"""The parts of the measurement, each in a process of its own: ``python -m bench.scale.parts PART HOME N``.

The last line is a JSON document: what each stage took, and the peak of the memory of the process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import cloudpickle
from sqlalchemy import text

from bench.child import peak
from bench.home import busy
from bench.scale import rows, simulated
from bench.setting import quiet_peers
from cluster.home.home import Home
from cluster.plan.plan import Query, make_plan
from cluster.plan.units import Member, PlannedUnit
from cluster.run.process import process
from lake.entries import FileEntry
from lake.lake import Lake
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.units import UnitSpec
from lake.names import ProductKey
from lake.releases.drafts import reserve
from lake.releases.releases import publish
from lake.releases.spool import Spool
from lake.storage.store import key_of

#: Processes that claim and finish units of one run, and how many each takes at either end of it.
HANDS: Final = 4
WINDOW: Final = 5_000


class Stages:
    """What stages took: seconds by the clock, and of processors, ours and the services'."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.told: dict[str, Any] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure a stage."""
        begin, mine, theirs = time.perf_counter(), time.process_time(), busy(self._home)
        yield
        self.told[name] = {
            "seconds": time.perf_counter() - begin,
            "client": time.process_time() - mine,
            "services": busy(self._home) - theirs,
            "peak": peak(),
        }
        print(name, self.told[name], file=sys.stderr, flush=True)


def through(home: Home, count: int, stages: Stages) -> None:
    """Everything: raw files published, a plan made of them, its units carried out, their products published.

    What was taken in by an earlier attempt is not taken in again.
    """
    cloudpickle.register_pickle_by_value(simulated)  # workers have no benchmarks
    lake = Lake.open(home.lake_config())
    per_day = min(count, simulated.PER_DAY)
    first = 800 + count // 100  # days of their own for each size
    days = range(first, first + count // per_day)
    with stages("raw files registered"):
        for day in days:
            simulated.take_in(lake, day, per_day)
    since = simulated.begin(days[0])
    until = simulated.begin(days[-1]) + timedelta(days=1, seconds=-1)
    with stages("planned"):
        plan = make_plan(lake, simulated.recipe(), Query(since=since, until=until))
    require(len(plan.units), count)
    with stages("carried out and published"):
        report = process(lake, home.scheduler(), plan, means=simulated.SimulatedExecution)
    require(report.counts()["done"], count)


def planning(home: Home, count: int, stages: Stages) -> None:
    """A plan of files that are in the catalogue only."""
    lake = Lake.open(home.lake_config())
    pattern = rows.enter(lake, count)
    with stages("planned"):
        plan = make_plan(lake, simulated.recipe(), Query(observation=pattern))
    require(len(plan.units), count)


def ledger(home: Home, count: int, stages: Stages) -> None:
    """Units entered into a run; claimed and finished by several processes, when it is new and nearly over."""
    lake = Lake.open(home.lake_config())
    with stages("entered"):
        run = Run.create(
            lake, f"scale {count} {time.time()}", {}, simulated.RECIPE, specs(count), this_process()
        )
    window = min(WINDOW, count // (2 * HANDS))
    stages.told["claimed and finished, at the beginning"] = by_hands(home, run.id, window)
    left = HANDS * window
    with lake.engine.begin() as connection:
        connection.execute(
            text("UPDATE unit SET state = 'done' WHERE run_id = :run AND position < :last"),
            {"run": run.id, "last": count - left},
        )
    with lake.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM unit"))  # as the database does by itself, while a run lasts
    stages.told["claimed and finished, at the end"] = by_hands(home, run.id, window)
    with stages("looked at whole"):
        run.counts()
        run.finished_products()


def specs(count: int) -> Iterator[UnitSpec]:
    """Units as a plan has them."""
    for number in range(count):
        day, place = divmod(number, simulated.PER_DAY)
        entry, _ = simulated.raw_file(day, place)
        product = ProductKey(simulated.INSTRUMENT, simulated.observation(day), "1.5")
        unit = PlannedUnit(entry.sha256, product, (Member(entry, "a release@v0001"),))
        yield UnitSpec(unit.unit_id, product.name, {"unit": unit.payload()})


def by_hands(home: Home, run: str, window: int) -> dict[str, float]:
    """Seconds that several processes together need for a window each."""
    command = [sys.executable, "-m", "bench.scale.hand", str(home.path), run, str(window)]
    before = busy(home)
    hands = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(HANDS)
    ]
    for hand in hands:
        require((hand.stdout.readline() if hand.stdout else "").strip(), "ready")
    begin = time.perf_counter()
    told = [json.loads(hand.communicate("go\n")[0]) for hand in hands]
    seconds = time.perf_counter() - begin
    done = sum(one["done"] for one in told)
    require(done, HANDS * window)
    return {
        "units": done,
        "seconds": seconds,
        "client": sum(one["processor"] for one in told),
        "services": busy(home) - before,
        "per_second": done / seconds,
    }


def release(home: Home, count: int, stages: Stages) -> None:
    """One release of so many files, published from disk as a run does it."""
    lake = Lake.open(home.lake_config())
    product = ProductKey(simulated.INSTRUMENT, f"aia171_together_{count}", "1")
    with Spool[FileEntry]() as files:
        for number in range(count):
            entry, content = simulated.raw_file(-20_000 - count // 10, number)
            path = Path(lake.store.place(key_of(entry.scope, entry.name)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)  # storing each for good would take longer, and is measured elsewhere
            files.add(entry)
        with stages("published"):
            told = publish(lake, reserve(lake, product, "scale"), files)
    require(told["files"], count)


def require(found: object, wanted: object) -> None:
    """Refuse to go on with a measurement of something else."""
    if found != wanted:
        raise RuntimeError(f"{wanted} were to be measured, and {found} were")


PARTS: Final[dict[str, Callable[[Home, int, Stages], None]]] = {
    "through": through,
    "planning": planning,
    "ledger": ledger,
    "release": release,
}


def main(part: str, home: Path, count: int) -> dict[str, Any]:
    """Measure one part."""
    stages = Stages(Home(home))
    begin = peak()
    PARTS[part](Home(home), count, stages)
    return {
        "part": part,
        "count": count,
        "stages": stages.told,
        "at_first": begin,
        "peak": peak(),
        "load": os.getloadavg()[1],
    }


if __name__ == "__main__":
    quiet_peers()
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
