"""What is looked for month by month is found as by a plain look at all, wherever in time it lies."""

from __future__ import annotations

import fnmatch
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from lake.catalogue.session import transaction
from lake.governance.policy import PUBLIC
from lake.lake import Lake
from lake.releases import facets as counting
from lake.releases import finding
from lake.releases.facts import Shows
from lake.releases.finding import Wanted
from lake.releases.stretches import Stretch, begin_of, month_of
from tests.conftest import FUZZ

SCOPE = "found_by_month"
START = datetime(1975, 11, 20, tzinfo=UTC)
DAYS = 1500


@dataclass(frozen=True)
class Kept:
    """A release of the catalogue, as a test knows it."""

    name: str
    status: str
    begin: datetime | None
    end: datetime | None
    wave: float | None
    target: str
    held: bool

    @property
    def dataset(self) -> str:
        return f"{self.name}.l0.v0001"

    @property
    def words(self) -> list[str]:
        return [*self.target.split(), self.name.split("_")[0]]


def kept() -> list[Kept]:
    """Over four years with gaps, short and long ones, some without a time; the second camera came late."""
    chance, found = random.Random(7), []
    for number in range(160):
        late = number % 3 == 0
        begin = START + timedelta(days=DAYS * (0.8 + 0.2 * chance.random() if late else chance.random() ** 2))
        length = chance.choice([0.01, 0.01, 1.0, 40.0, 9000.0 if number % 40 == 1 else 0.0])
        found.append(
            Kept(
                f"{'late' if late else 'early'}_{begin:%Y%m%d}_{number:03d}",
                chance.choice(["ACTIVE", "ACTIVE", "SUPERSEDED", "WITHDRAWN", "DRAFT"]),
                None if number % 19 == 0 else begin,
                None if number % 19 == 0 else begin + timedelta(days=length),
                None if number % 7 == 0 else 500.0 + number % 5,
                f"spot {number % 4}",
                number % 5 == 0,
            )
        )
    return found


KEPT = kept()
_ROW = """
    WITH o AS (INSERT INTO observation (scope, name, meta, date_beg, date_end)
               VALUES (:scope, :name, CAST(:meta AS jsonb), :seen, :end) RETURNING id),
         p AS (INSERT INTO product (observation_id, level, name, last_version)
               SELECT id, '0', :product, 1 FROM o RETURNING id)
    INSERT INTO release (product_id, version, status, scope, level, dataset, draft_key, date_beg, date_end,
                         wave_min, wave_max, targets, embargo_until)
    SELECT id, 1, :status, :scope, '0', :dataset, 'k', :begin, :end, :wave, :wave, ARRAY[:target], :until
    FROM p
"""


@pytest.fixture(scope="module")
def filled(lake: Lake) -> Lake:
    with transaction(lake.sessions) as session:
        for number, one in enumerate(KEPT):
            values = {
                "scope": SCOPE,
                "name": one.name,
                "meta": f'{{"target": "{one.target}", "camera": "{one.name.split("_")[0]}"}}',
                # Of an observation without a time any month is thought of.
                "seen": None if number % 6 == 0 else one.begin,
                "product": f"{SCOPE}:{one.name}.l0",
                "dataset": one.dataset,
                "status": one.status,
                "begin": one.begin,
                "end": one.end,
                "wave": one.wave,
                "target": one.target,
                "until": datetime(2999, 1, 1, tzinfo=UTC) if one.held else None,
            }
            session.execute(text(_ROW), values)
    return lake


def plainly(wanted: Wanted) -> list[Kept]:
    """What should be found, said without any index."""

    def matches(one: Kept) -> bool:
        low, high = wanted.shows.wave_min, wanted.shows.wave_max
        return (
            one.status == (wanted.status or "ACTIVE")
            and (wanted.since is None or (one.end is not None and one.end >= wanted.since))
            and (wanted.until is None or (one.begin is not None and one.begin < wanted.until))
            and (wanted.pattern is None or fnmatch.fnmatchcase(one.name, wanted.pattern))
            and (wanted.words is None or any(fnmatch.fnmatchcase(word, wanted.words) for word in one.words))
            and (wanted.shows.target is None or one.target == wanted.shows.target)
            and (low is None or (one.wave is not None and one.wave >= low))
            and (high is None or (one.wave is not None and one.wave <= high))
            and not (wanted.available and one.held)
        )

    ordered = sorted(KEPT, key=lambda one: (one.begin is None, one.begin or START, one.dataset))
    return [one for one in ordered if matches(one)]


@st.composite
def questions(draw: st.DrawFn) -> Wanted:
    """Of time, name, words, what is shown, and what may be had, any together."""
    days = st.none() | st.integers(-100, DAYS + 300)
    since, until = draw(days), draw(days)
    if since is not None and until is not None:
        since, until = min(since, until), max(since, until) + 1
    shows = Shows(
        wave_min=draw(st.none() | st.sampled_from([400.0, 502.0])),
        wave_max=draw(st.none() | st.sampled_from([503.5, 600.0])),
        target=draw(st.none() | st.sampled_from(["spot 0", "spot 3"])),
    )
    return Wanted(
        SCOPE,
        since=None if since is None else START + timedelta(days=since),
        until=None if until is None else START + timedelta(days=until),
        status=draw(st.sampled_from(["ACTIVE", "SUPERSEDED"])),
        pattern=draw(st.none() | st.sampled_from(["late*", "*_1979*", "*_19?9*", "*ly_*5"])),
        words=draw(st.none() | st.sampled_from(["spot", "late", "lat*", "2"])),
        available=draw(st.booleans()),
        shows=shows,
    )


@settings(max_examples=40 * FUZZ, deadline=None)
@given(questions(), st.integers(4, 40), st.sampled_from([0, 4, 1000]))
def test_pages_and_counts_are_those_of_a_plain_look_at_all(
    filled: Lake, wanted: Wanted, size: int, few: int
) -> None:
    right = [one.dataset for one in plainly(wanted)]
    found, after = [], ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "_FEW", few)
        patch.setattr(finding, "_LONGEST", 5)
        while True:
            page = finding.page(filled, wanted, PUBLIC, limit=size, after=after)
            found += [release.dataset for release, _ in page.rows]
            if not (after := page.more):
                break
    assert found == right
    assert finding.count(filled, wanted, PUBLIC, 10_000) == len(right)
    assert finding.count(filled, wanted, PUBLIC, 3) == min(3, len(right))


@settings(max_examples=20 * FUZZ, deadline=None)
@given(questions())
def test_facets_count_what_may_be_seen_and_nothing_else(filled: Lake, wanted: Wanted) -> None:
    right = plainly(wanted)
    told = counting._counted(filled, wanted, PUBLIC)
    assert (told["count"], told["more"]) == (len(right), False)
    values = {name: {one["value"]: one["count"] for one in each} for name, each in told["facets"].items()}
    assert values["target"] == Counter(one.target for one in right)
    assert values["year"] == Counter(one.begin.year for one in right if one.begin is not None)
    assert values["instrument"] == ({SCOPE: len(right)} if right else {})


def test_a_month_begins_where_the_one_before_ends() -> None:
    for moment in (datetime(1, 1, 1, tzinfo=UTC), datetime(1999, 12, 31, 23, tzinfo=UTC), START):
        month = month_of(moment)
        begin, end = begin_of(month), begin_of(month + 1)
        assert begin is not None
        assert end is not None
        assert begin <= moment < end
        assert month_of(end) == month + 1
    assert begin_of(month_of(datetime(9999, 12, 1, tzinfo=UTC)) + 1) is None


def test_the_database_counts_months_alike(lake: Lake) -> None:
    query = text("SELECT heliolake_months(:first, :last)")
    one, long = datetime(2011, 12, 31, 23, 59, tzinfo=UTC), datetime(2055, 1, 1, tzinfo=UTC)
    times: list[tuple[Any, Any, list[int]]] = [
        (one, None, [month_of(one)]),
        (one, one + timedelta(days=40), [month_of(one) + number for number in range(3)]),
        (one, one - timedelta(days=40), [month_of(one)]),
        (one, long, [0]),
        (None, one, [0]),
    ]
    with transaction(lake.sessions) as session:
        for first, last, months in times:
            asked = query.bindparams(first=first, last=last)
            assert session.scalar(asked) == months
    assert not list(Stretch(since=one).months(of_observations=True))  # open: any month may be
