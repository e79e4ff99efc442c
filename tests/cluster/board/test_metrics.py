"""What Prometheus reads at the scheduler: numbers of the lake, few labels, counters that never go back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from cluster.board.metrics import Counters, _gauges
from cluster.board.watch import Seen
from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Query, make_plan
from cluster.run.process import process
from cluster.services.base import fetch
from lake.lake import Lake
from pipeline.recipe import recipes
from tests.cluster.board.conftest import until
from tests.cluster.board.seeing import HOSTILE, overview, pace
from tests.cluster.frames import aia_series, at

COUNT = 5


def told(home: Home) -> dict[tuple[str, ...], float]:
    """All numbers of the lake, by name and labels."""
    text = fetch(f"{home.url('dashboard')}/metrics").decode()
    assert "dask_scheduler_workers" in text, "Dask's own are there too"
    return {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("heliolake_")
    }


def test_a_run_is_counted_at_the_scheduler(home: Home, lake: Lake, tmp_path: Path) -> None:
    told(home)  # from now on is counted
    ingest(lake, aia_series(tmp_path, at(2014, 3, 1), COUNT))
    process(
        lake, home.scheduler(), make_plan(lake, recipes()["aia-l15"], Query(observation="aia171_20140301"))
    )
    (tmp_path / "no.fits").write_bytes(b"no FITS at all")
    ingest(lake, [tmp_path / "no.fits"])
    found = until(lambda: counted(home))
    assert found["heliolake_catalogue_up",] == 1.0
    assert found["heliolake_runs", "status=done"] >= 1
    assert found["heliolake_quarantine_files", "code=not-fits", "stage=ingest"] >= 1
    assert found["heliolake_read_bytes_total", "site="] > 0
    assert found["heliolake_written_bytes_total", "site="] > 0
    assert found["heliolake_step_seconds_count", "step=register"] >= COUNT
    assert found["heliolake_step_seconds_sum", "step=register"] > 0
    assert found["heliolake_look_seconds",] > 0


def counted(home: Home) -> dict[tuple[str, ...], float] | None:
    """All numbers, once the run is among them."""
    found = told(home)
    return found if found.get(("heliolake_units_ended_total", "site="), 0) >= COUNT else None


def sums(counters: Counters, *runs: dict[str, Any]) -> dict[str, float]:
    families = counters.told(overview(*runs))
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in families
        for sample in family.samples
    }


def grown(run: dict[str, Any], units: int) -> dict[str, Any]:
    return run | {"sites": [run["sites"][0] | {"units": units}]}


def test_counters_count_from_the_first_look_and_never_go_back() -> None:
    counters, old = Counters(), pace("20261122-old")
    name = "heliolake_units_ended_total['north']"
    assert sums(counters, old)[name] == 0, "what was done before is not counted"
    assert sums(counters, grown(old, 50))[name] == 10
    late = pace("20261122-late", created="2026-11-22T07:00:01.000Z")
    assert sums(counters, grown(old, 50), late)[name] == 50, "a run that began later counts whole"
    assert sums(counters, late)[name] == 50, "one that is listed no more is not forgotten"
    assert sums(counters, grown(old, 51), late)[name] == 51
    assert sums(counters, grown(old, 20), late)[name] == 51


def test_steps_are_told_with_number_and_seconds() -> None:
    counters = Counters()
    sums(counters)
    found = sums(counters, pace(created="2026-11-22T07:00:01.000Z"))
    assert found["heliolake_step_seconds_count['read']"] == 40
    assert found["heliolake_step_seconds_sum['read']"] == 4.0


def test_labels_stay_few_whatever_is_found() -> None:
    counters = Counters()
    sums(counters)
    steps = [pace()["steps"][0] | {"step": f"step{n}"} for n in range(200)]
    found = sums(counters, pace(created="2026-11-22T07:00:01.000Z", steps=steps))
    assert len([one for one in found if "step_seconds_count" in one]) <= 65
    assert found["heliolake_step_seconds_count['other']"] == 40 * (200 - 64)


def test_no_label_comes_from_a_file() -> None:
    seen = Seen(overview(put_aside={("process", HOSTILE): 3, ("process", "step-register"): 2}))
    assert seen.overview is not None
    text = str([sample for family in _gauges(seen, seen.overview) for sample in family.samples])
    assert "onerror" not in text
    assert "step-register" in text
