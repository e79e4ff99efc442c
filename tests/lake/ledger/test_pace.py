"""How a run gets on is told from what was counted, and no more is said than is known."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import text

from lake.errors import BadInput
from lake.lake import Lake
from lake.ledger import executors
from lake.ledger.pace import pace, quantile
from lake.ledger.run import Run
from lake.ledger.sites import move
from lake.ledger.tallies import RATIO
from lake.ledger.units import Facts, Finished
from tests.lake.ledger.hands import ELSEWHERE, held


def done(unit_id: str, worker: str = "w/0", **seconds: float) -> Finished:
    return Finished(unit_id, "done", {}, Facts(worker, seconds, 1000, 100, 5))


def failed(unit_id: str, reason: str, step: str = "flat") -> Finished:
    told = {"outcome": {"status": "failed", "reason": reason, "step": step, "advice": "look"}}
    return Finished(unit_id, "failed", told, Facts("w/1"))


def put_back(lake: Lake, run: Run, minutes: float) -> None:
    """Let what was counted so far have happened some minutes ago."""
    with lake.engine.begin() as connection:
        values = {"m": minutes, "run": run.id}
        for statement in (
            "UPDATE tally SET minute = minute - make_interval(secs => 60 * :m) WHERE run_id = :run",
            "UPDATE executor SET started = started - make_interval(secs => 60 * :m) WHERE run_id = :run",
        ):
            connection.execute(text(statement), values)


def test_a_run_that_nobody_began_tells_nothing_that_it_does_not_know(lake: Lake, run: Run) -> None:
    told = pace(lake, run.id)
    assert (told["total"], told["ended"], told["left"]) == (10, 0, None)
    assert told["rate"] == {"lately": 0.0, "overall": 0.0, "bytes_in": 0.0, "bytes_out": 0.0}
    assert told["troubles"] == told["steps"] == told["executors"] == told["workers"] == told["sites"] == []
    with pytest.raises(BadInput, match="there is no run"):
        pace(lake, "20000101-zzzz")


def test_the_time_left_lies_between_what_both_rates_ask_for(lake: Lake, run: Run) -> None:
    mine = held(run, next(ELSEWHERE))
    executors.begin(lake, run.id, mine.owner)
    first, second = mine.claim(3), mine.claim(1)
    mine.finish([done(unit.unit_id) for unit in first])
    put_back(lake, run, 10)
    mine.finish([done(unit.unit_id) for unit in second])
    told = pace(lake, run.id)
    rate = told["rate"]
    assert rate["overall"] == pytest.approx(4 / 10, rel=0.05)
    assert 1 / 5 <= rate["lately"] <= 1 / 4 + 0.01, "of five minutes, of which the last is not full"
    assert told["left"] == [60 * 6 / rate["overall"], 60 * 6 / rate["lately"]]
    put_back(lake, run, 10)
    assert pace(lake, run.id)["left"] is None, "nothing ended of late"


def test_the_paused_and_the_ended_have_no_time_left(lake: Lake, run: Run) -> None:
    mine = held(run, next(ELSEWHERE))
    executors.begin(lake, run.id, mine.owner)
    mine.finish([done(unit.unit_id) for unit in mine.claim(3)])
    assert pace(lake, run.id)["left"] is not None
    run.end("stopped")
    assert pace(lake, run.id)["left"] is None


def test_troubles_with_one_reason_are_told_once_with_the_first_unit(lake: Lake, run: Run) -> None:
    mine = held(run, next(ELSEWHERE))
    units = [unit.unit_id for unit in mine.claim(6)]
    mine.finish([failed(one, "the flat is missing") for one in (units[4], units[1], units[2])])
    mine.finish([failed(units[3], "the line was busy", "read")])
    # What was put aside in a run before is entered with its own words, without a frame around them.
    mine.finish([Finished(units[5], "quarantined", {"reason": "blank", "step": "despike"})])
    told = pace(lake, run.id)["troubles"]
    assert [(one["state"], one["reason"], one["units"], one["example"]) for one in told] == [
        ("failed", "the flat is missing", 3, units[1]),
        ("quarantined", "blank", 1, units[5]),
        ("failed", "the line was busy", 1, units[3]),
    ]


def test_a_step_is_told_with_median_95_of_100_and_its_share(lake: Lake, run: Run) -> None:
    mine = held(run, next(ELSEWHERE))
    units = mine.claim(10)
    ended = [done(unit.unit_id, read=0.01, register=float(n + 1)) for n, unit in enumerate(units)]
    mine.finish(ended)
    register, read = pace(lake, run.id)["steps"]
    assert (register["step"], register["times"], read["step"]) == ("register", 10, "read")
    assert register["median"] == pytest.approx(5.0, rel=RATIO - 1)
    assert register["p95"] == pytest.approx(10.0, rel=RATIO - 1)
    assert register["share"] == pytest.approx(55 / 55.1)


def test_frames_pass_a_step_as_fast_as_their_units_end(lake: Lake, run: Run) -> None:
    mine = held(run, next(ELSEWHERE))
    executors.begin(lake, run.id, mine.owner)
    units = [unit.unit_id for unit in mine.claim(4)]
    mine.finish([done(one, read=0.1, merge=0.2) for one in units[:2]])
    mine.finish([done(one, read=0.1) for one in units[2:]])
    put_back(lake, run, 2)
    told = pace(lake, run.id)
    rates = {one["step"]: one["rate"] for one in told["steps"]}
    assert rates["read"] == pytest.approx(told["rate"]["lately"] / 60)
    assert rates["merge"] == pytest.approx(rates["read"] / 2), "half of the units needed it"
    run.end("stopped")
    told = pace(lake, run.id)
    assert told["steps"][0]["rate"] == pytest.approx(told["rate"]["overall"] / 60 / 2)


def test_quantiles_of_buckets_are_within_an_eighth_of_the_true_ones() -> None:
    rng = random.Random(4)
    times = sorted(rng.lognormvariate(0.0, 1.0) for _ in range(5000))
    buckets: dict[int, tuple[int, float]] = {}
    edge, number = 1e-6, 0
    for one in times:
        while one >= edge * RATIO:
            edge, number = edge * RATIO, number + 1
        count, total = buckets.get(number, (0, 0.0))
        buckets[number] = (count + 1, total + one)
    for share in (0.05, 0.5, 0.95, 0.99):
        true = times[int(share * len(times))]
        assert quantile([buckets[key] for key in sorted(buckets)], share) == pytest.approx(true, rel=0.125)


def test_workers_and_sites_are_told_with_what_they_did(lake: Lake, run: Run) -> None:
    here, there = held(run, next(ELSEWHERE)), held(run, next(ELSEWHERE))
    executors.begin(lake, run.id, here.owner, "kodaikanal")
    executors.begin(lake, run.id, there.owner, "prague")
    here.finish([done(unit.unit_id, f"w/{n % 2}") for n, unit in enumerate(here.claim(5))])
    there.finish([done(unit.unit_id, "v/0") for unit in there.claim(2)])
    told = pace(lake, run.id)
    assert {(one["site"], one["worker"], one["units"]) for one in told["workers"]} == {
        ("kodaikanal", "w/0", 3),
        ("kodaikanal", "w/1", 2),
        ("prague", "v/0", 2),
    }
    assert [(one["site"], one["executors"], one["units"]) for one in told["sites"]] == [
        ("kodaikanal", 1, 5),
        ("prague", 1, 2),
    ]
    assert told["memory"] == 5
    assert [(one["bytes_in"], one["bytes_out"], one["troubles"]) for one in told["sites"]] == [
        (5000, 500, 0),
        (2000, 200, 0),
    ]


def test_units_of_a_site_are_told_by_state_whoever_is_there(lake: Lake, run: Run, scope: str) -> None:
    assert move(run, {f"{scope}-{number:06d}": "prague" for number in range(3)}) == 3
    mine = held(run, next(ELSEWHERE))
    there = mine.claim(2, site="prague")
    mine.finish([done(there[0].unit_id)])
    sites = {one["site"]: one for one in pace(lake, run.id)["sites"]}
    assert sites["prague"]["states"] == {"planned": 1, "leased": 1, "done": 1}
    assert sites["prague"]["executors"] == 0
