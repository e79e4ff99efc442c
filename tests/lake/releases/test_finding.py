"""Releases are found in the order of time, page by page, whatever they span and are called."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, func, insert, select, text

from lake.catalogue.models import Observation
from lake.catalogue.session import transaction
from lake.errors import BadInput
from lake.governance.policy import OPERATOR, PUBLIC
from lake.lake import Lake
from lake.releases import finding
from lake.releases.finding import Wanted
from lake.releases.stretches import Place
from tests.conftest import FUZZ

SCOPE = "found_in_order"
START = datetime(1990, 1, 1, tzinfo=UTC)
HOURS = 400


@dataclass(frozen=True)
class Kept:
    """A release of the catalogue, as a test knows it."""

    name: str
    level: str
    status: str
    begin: datetime | None
    end: datetime | None

    @property
    def dataset(self) -> str:
        return f"{self.name}.l{self.level}.v0001"


def moment(hours: float | None) -> datetime | None:
    return None if hours is None else START + timedelta(hours=hours)


def kept() -> Iterator[Kept]:
    """Short ones and long ones, at the same time and apart, without beginning, without end."""
    for number in range(120):
        begin = None if number % 17 == 0 else (number * 7) % HOURS
        length = (0.5, 1, 24, 0, 150)[number % 5]
        end = None if begin is None or number % 23 == 0 else begin + length
        status = ("ACTIVE", "ACTIVE", "SUPERSEDED", "WITHDRAWN", "DRAFT")[number % 5 if number % 3 else 0]
        yield Kept(f"{'abc'[number % 3]}x_{number:03d}", str(number % 2), status, moment(begin), moment(end))


KEPT = tuple(kept())


@pytest.fixture(scope="module")
def filled(lake: Lake) -> Lake:
    """The lake with those releases, which have no files."""
    row = """
        WITH o AS (INSERT INTO observation (scope, name, meta)
                   VALUES (:scope, :name, CAST(:meta AS jsonb)) RETURNING id),
             p AS (INSERT INTO product (observation_id, level, name, last_version)
                   SELECT id, :level, :product, 1 FROM o RETURNING id)
        INSERT INTO release
            (product_id, version, status, scope, level, dataset, draft_key, date_beg, date_end)
        SELECT id, 1, :status, :scope, :level, :dataset, 'k', :begin, :end FROM p"""
    with transaction(lake.sessions) as session:
        for one in KEPT:
            values = {
                "scope": SCOPE,
                "name": one.name,
                "meta": f'{{"target": "spot {one.name[0]}", "wave": 171}}',
                "level": one.level,
                "product": f"{SCOPE}:{one.name}.l{one.level}",
                "status": one.status,
                "dataset": one.dataset,
                "begin": one.begin,
                "end": one.end,
            }
            session.execute(text(row), values)
    return lake


def plainly(wanted: Wanted) -> list[str]:
    """What should be found, said without any index."""

    def matches(one: Kept) -> bool:
        name = f"{SCOPE}:{one.name}.l{one.level}" if ":" in (wanted.pattern or "") else one.name
        return (
            (one.status == wanted.status if wanted.status else one.status != "DRAFT")
            and (wanted.level is None or one.level == wanted.level)
            and (wanted.since is None or (one.end is not None and one.end >= wanted.since))
            and (wanted.until is None or (one.begin is not None and one.begin < wanted.until))
            and (wanted.pattern is None or fnmatch.fnmatchcase(name, wanted.pattern))
            and (wanted.words is None or f"spot {one.name[0]}" == wanted.words)
        )

    order = sorted(KEPT, key=lambda one: (one.begin is None, one.begin or START, one.dataset))
    return [one.dataset for one in order if matches(one)]


def datasets(rows: Iterator[Row[Any]] | list[Row[Any]]) -> list[str]:
    return [release.dataset for release, _ in rows]


TIMES = st.none() | st.integers(-10, HOURS + 200)
WANTED = st.tuples(
    st.none() | st.sampled_from(["0", "1", "2"]),
    TIMES,
    TIMES,
    st.none() | st.sampled_from(["ACTIVE", "SUPERSEDED", "WITHDRAWN"]),
    st.none() | st.sampled_from(["*", "ax*", "*_0?1", "*x_0*", "*:b*", "found*:*.l1", "nothing*", "??_*7"]),
    st.none() | st.sampled_from(["spot a", "spot c"]),
)


@settings(max_examples=60 * FUZZ, deadline=None)
@given(WANTED, st.integers(1, 40))
def test_pages_of_any_question_are_what_a_plain_look_at_all_finds(
    filled: Lake, asked: tuple[Any, ...], size: int
) -> None:
    level, since, until, status, pattern, words = asked
    if since is not None and until is not None:
        since, until = min(since, until), max(since, until) + 1
    wanted = Wanted(SCOPE, level, moment(since), moment(until), status, pattern, words)
    found, after = [], ""
    while True:
        page = finding.page(filled, wanted, PUBLIC, limit=size, after=after)
        assert len(page.rows) <= size
        found += datasets(list(page.rows))
        if not (after := page.more):
            break
    right = plainly(wanted)
    assert found == right
    assert datasets(finding.everything(filled, wanted, PUBLIC)) == right
    assert finding.count(filled, wanted, PUBLIC, 10_000) == len(right)
    assert finding.count(filled, wanted, PUBLIC, 7) == min(7, len(right))


def test_drafts_are_for_operators(filled: Lake) -> None:
    wanted = Wanted(SCOPE, status="DRAFT")
    assert datasets(finding.everything(filled, wanted, PUBLIC)) == []
    assert datasets(finding.everything(filled, wanted, OPERATOR)) == plainly(wanted) != []


def test_a_place_is_told_by_its_token(filled: Lake) -> None:
    for one in KEPT[:20]:
        place = Place(one.begin, SCOPE, one.dataset)
        assert Place.of(place.token) == place


@pytest.mark.parametrize("token", ["x", "é", "W10", "\0", "bnVsbA", Place(None, "a\0", "b").token, "IltbW1s"])
def test_a_token_that_is_none_is_refused_in_words(filled: Lake, token: str) -> None:
    with pytest.raises(BadInput, match="no place in a listing"):
        finding.page(filled, Wanted(SCOPE), PUBLIC, limit=3, after=token)


def test_an_observation_with_more_values_than_words_can_be_kept_is_kept_all_the_same(
    filled: Lake, scope: str
) -> None:
    values = [f"value{number}" for number in range(120_000)]
    with transaction(filled.sessions) as session:
        session.execute(insert(Observation).values(scope=scope, name="many", meta={"position": values}))
        found = select(Observation.name).where(Observation.words.bool_op("@@")(func.to_tsquery("value7")))
        assert session.scalars(found.where(Observation.scope == scope)).all() == ["many"]
