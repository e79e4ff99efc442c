"""What Prometheus is told at ``/metrics`` of the scheduler: Dask's own numbers, and those of the lake.

No label comes from a file: sites, states, stages, codes of reasons and names of steps are few and known. Each
scheduler of a lake tells of all of it; who asks several takes the largest, not the sum. Counters count from
the moment at which the scheduler first looked.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from distributed.http.prometheus import import_metrics_handler

from cluster.board.board import board
from cluster.board.watch import Seen, Watch
from lake.entries import iso
from lake.errors import Reason
from lake.ledger.overview import Overview
from lake.ledger.units import STATES

#: Seconds for which whoever asks waits for a look at the lake, without keeping the scheduler waiting.
_PATIENCE: Final = 5.0
#: Sites, and steps, that have a number of their own; the rest are told together.
_LABELS: Final = 64
OTHER: Final = "other"
#: Runs whose last numbers are remembered.
_RUNS: Final = 1000
#: Codes of reasons: those of the lake, and which step it was.
_CODE: Final = re.compile("|".join((*(re.escape(str(one)) for one in Reason), r"step-[a-z0-9_#]{1,40}")))
#: Counters, and what of a site they count.
_KINDS: Final = {
    "units_ended": "units",
    "troubles": "troubles",
    "read_bytes": "bytes_in",
    "written_bytes": "bytes_out",
}
_SAID: Final = {
    "units_ended": "Units that ended",
    "troubles": "Units that failed or were put aside",
    "read_bytes": "Bytes that units read",
    "written_bytes": "Bytes that units wrote",
}

_Handler: Any = import_metrics_handler("distributed.http.scheduler.prometheus.core", "PrometheusHandler")


class Metrics(_Handler):  # type: ignore[misc]  # distributed carries no types
    """Answers for Dask and for the lake."""

    async def get(self) -> None:
        """Wait a moment for a look at the lake, then tell all numbers."""
        found = board()
        if found is not None:
            _register(found.watch)
            await found.watch.fresh(_PATIENCE)
        super().get()


class LakeCollector:
    """The numbers of the lake, from what was seen last.

    Parameters
    ----------
    watch
        Who looks.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._counters = Counters()

    def collect(self) -> Iterator[Any]:
        """All families of numbers; only whether the catalogue answers where it never did."""
        from prometheus_client.core import GaugeMetricFamily

        seen = self._watch.latest
        answers = seen.overview is not None and not seen.trouble and not seen.old
        yield GaugeMetricFamily(
            "heliolake_catalogue_up", "Whether the catalogue answers the scheduler", value=float(answers)
        )
        if seen.overview is None:
            return
        yield from _gauges(seen, seen.overview)
        yield from self._counters.told(seen.overview)


def _gauges(seen: Seen, overview: Overview) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    def gauge(name: str, said: str, labels: Iterable[str] = (), rows: Iterable[Any] = ()) -> Any:
        made = GaugeMetricFamily(f"heliolake_{name}", said, labels=tuple(labels))
        for values, number in rows:
            made.add_metric(values, number)
        return made

    going = [one for one in overview.runs if one["status"] == "running"]
    yield gauge("look_seconds", "Duration of the last look at the lake", rows=[((), seen.took)])
    yield gauge("look_age_seconds", "Time since the last look at the lake", rows=[((), seen.age)])
    statuses = (((status,), number) for status, number in overview.statuses.items())
    yield gauge("runs", "Runs by status", ["status"], statuses)
    yield gauge(
        "units", "Units of runs that go on or are held up", ["site", "state"], _units(overview.open).items()
    )
    yield gauge("units_per_second", "Units that end in a second, of late", ["site"], _rates(going).items())
    left = [one["left"] for one in going if one["left"]]
    for bound, which in (("least", 0), ("most", 1)) if left else ():
        rows = [((), max(both[which] for both in left))]
        yield gauge(f"left_{bound}_seconds", "Time until all runs have ended", rows=rows)
    aside: dict[tuple[str, str], int] = {}
    for (stage, code), number in overview.put_aside.items():
        key = (stage, code if _CODE.fullmatch(code) and len(aside) < _LABELS else OTHER)
        aside[key] = aside.get(key, 0) + number
    yield gauge("quarantine_files", "Files that are put aside", ["stage", "code"], aside.items())
    yield gauge("executors", "Executors of open runs", ["site", "state"], _executors(overview).items())
    yield gauge(
        "worker_memory_max_bytes",
        "Most bytes that a worker ever held in an open run",
        rows=[((), max((one["memory"] for one in overview.open), default=0))],
    )


def _units(runs: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for run in runs:
        for one in run["sites"]:
            for state in STATES:
                key = (one["site"], state)
                found[key] = found.get(key, 0) + one["states"].get(state, 0)
    return found


def _rates(runs: Iterable[Mapping[str, Any]]) -> dict[tuple[str], float]:
    found: dict[tuple[str], float] = {}
    for run in runs:
        for one in run["sites"]:
            found[(one["site"],)] = found.get((one["site"],), 0.0) + one["rate"] / 60.0
    return found


def _executors(overview: Overview) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for run in overview.open:
        for one in run["executors"]:
            if not one["ended"]:
                key = (one["site"], "alive" if one["alive"] else "silent")
                found[key] = found.get(key, 0) + 1
    return found


class Counters:
    """Sums that only grow: what was done since the first look, by site and by step."""

    def __init__(self) -> None:
        self._since = ""
        self._before: OrderedDict[str, dict[tuple[str, str], float]] = OrderedDict()
        self._sums: dict[tuple[str, str], float] = {}

    def told(self, overview: Overview) -> Iterator[Any]:
        """The families of counters, after another look."""
        from prometheus_client.core import CounterMetricFamily, SummaryMetricFamily

        self._count(overview)
        for kind, said in _SAID.items():
            made = CounterMetricFamily(f"heliolake_{kind}", said, labels=["site"])
            for (_, site), number in self._of(kind):
                made.add_metric([site], number)
            yield made
        steps = SummaryMetricFamily(
            "heliolake_step_seconds", "Time that frames took in steps", labels=["step"]
        )
        times = dict(self._of("step_times"))
        for (_, step), seconds in self._of("step_seconds"):
            steps.add_metric([step], count_value=int(times["step_times", step]), sum_value=seconds)
        yield steps

    def _of(self, kind: str) -> list[tuple[tuple[str, str], float]]:
        return sorted((key, number) for key, number in self._sums.items() if key[0] == kind)

    def _count(self, overview: Overview) -> None:
        if not self._since:
            self._since = iso(overview.at) or ""
        for run in overview.runs:
            sums = _sums_of(run)
            # What was done before the first look is not counted; a run that began later counts whole.
            known = self._before.get(run["run"], {} if run["created"] >= self._since else sums)
            for key, number in sums.items():
                self._add(key, max(0.0, number - known.get(key, 0.0)))
            self._before[run["run"]] = sums
            self._before.move_to_end(run["run"])
        while len(self._before) > _RUNS:
            self._before.popitem(last=False)

    def _add(self, key: tuple[str, str], grown: float) -> None:
        kind = key[0]
        room = sum(one == kind for one, _ in self._sums) < _LABELS
        place = key if room or key in self._sums else (kind, OTHER)
        self._sums[place] = self._sums.get(place, 0.0) + grown


def _sums_of(run: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """What was done in a run, by kind and site or step."""
    found: dict[tuple[str, str], float] = {}
    for one in run["sites"]:
        for kind, name in _KINDS.items():
            found[kind, one["site"]] = float(one[name])
    for one in run["steps"]:
        found["step_times", one["step"]] = float(one["times"])
        found["step_seconds", one["step"]] = float(one["seconds"])
    return found


@cache
def _register(watch: Watch) -> None:
    """Have Prometheus' library ask for the lake too, once in a process."""
    try:
        import prometheus_client
    except ImportError:
        return
    prometheus_client.REGISTRY.register(LakeCollector(watch))


routes: Final[list[tuple[str, Any, dict[str, Any]]]] = [(r"metrics", Metrics, {})]
