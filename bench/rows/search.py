"""Searching a million releases: the slowest of forty questions, each kind as we put it and as it reads."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, select, text

from bench.home import running_home
from bench.measure import Aim, Row, Sample, Skipped
from bench.setting import Setting
from lake.catalogue.models import Observation, Product, Release
from lake.catalogue.session import transaction
from lake.governance.policy import PUBLIC
from lake.lake import Lake
from lake.releases import finding
from lake.releases.facts import Shows
from lake.releases.finding import Wanted
from lake.releases.naming import of_names
from lake.releases.search import listing
from lake.releases.stretches import Place

PAGE: Final = 100
FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
MINUTES: Final = 10
"""Between two releases of any instrument."""
_FILL: Final = """
WITH n AS (
  SELECT n, 'instrument' || n % 25 AS scope, (ARRAY['0', '1', '1', '1.5'])[1 + n / 25 % 4] AS level,
         timestamptz '2000-01-01' + n * interval '10 minutes' AS begun,
         -- Most are short; one of a hundred lasts a day, one of ten thousand a month.
         CASE WHEN n % 10000 = 7 THEN interval '30 days' WHEN n % 100 = 7 THEN interval '1 day'
              ELSE interval '20 minutes' END AS length
  FROM generate_series(1, :number) n),
o AS (
  INSERT INTO observation (scope, name, date_beg, meta)
  SELECT scope, 'obs' || n % 7 || '_' || to_char(begun, 'YYYYMMDD_HH24MI'), begun,
         jsonb_build_object('target', 'region ' || n % 9973, 'wavelength', 100 + n % 40, 'number', n)
  FROM n RETURNING id, scope, name, (meta ->> 'number')::int AS n),
p AS (
  INSERT INTO product (observation_id, level, name, last_version)
  SELECT o.id, n.level, o.scope || ':' || o.name || '.l' || replace(n.level, '.', 'p'), 1
  FROM o JOIN n USING (n) RETURNING id, observation_id, name)
INSERT INTO release (
  product_id, version, status, scope, level, dataset, draft_key, date_beg, date_end, wave_min, wave_max,
  mu_min, mu_max, targets)
SELECT p.id, 1,
       CASE WHEN n.n % 5000 = 0 THEN 'WITHDRAWN' WHEN n.n % 3 = 0 THEN 'SUPERSEDED' ELSE 'ACTIVE' END,
       o.scope, n.level, split_part(p.name, ':', 2) || '.v0001', 'k', n.begun, n.begun + n.length,
       100 + n.n % 4001 * 0.1, 101 + n.n % 4001 * 0.1, n.n % 100 * 0.01, n.n % 100 * 0.01,
       ARRAY['region ' || n.n % 9973]
FROM p JOIN o ON o.id = p.observation_id JOIN n USING (n)
"""


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """A page of each kind of question, at any time of twenty years."""
    number = setting.pick(1_000_000, 5_000)
    with running_home(setting, "releases", kept=True) as home, Lake.open(home.lake_config()) as lake:
        fill(lake, number)
        chance = random.Random(1)
        gc.collect()
        gc.freeze()  # as the archive does: what was loaded is not looked through in the midst of a question
        for name, ask in kinds(number).items():
            worst = [_slowest(lake, ask, chance, setting.pick(40, 2)) for _ in range(setting.pick(5, 2))]
            plain = [_plainly(lake, *ask(chance)) for _ in range(setting.pick(3, 2))]
            yield Row(
                f"search of {number} releases: {name}, slowest of {setting.pick(40, 2)}",
                Sample(tuple(worst)),
                Sample(tuple(plain)),
                "the question as it reads",
                aim=Aim(most=0.1, text="≤ 100 ms"),
            )


def fill(lake: Lake, number: int) -> None:
    """Releases of twenty-five instruments, ten minutes apart, with what they show."""
    with transaction(lake.sessions) as session:
        if session.scalar(select(Release.id).where(Release.scope == "instrument0").limit(1)):
            return  # in a quick run subjects share a home
        session.execute(text(_FILL), {"number": number})
    with lake.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


Asked = tuple[Wanted, str]
"""What is wanted, and behind which place."""


def kinds(number: int) -> dict[str, Callable[[random.Random], Asked]]:
    """Questions by name, each at random times and of random things."""
    years = timedelta(minutes=number * MINUTES)

    def within(chance: random.Random, wanted: Wanted, length: timedelta) -> Asked:
        since = FIRST + chance.random() * years
        return replace(wanted, since=since, until=since + length), ""

    def instrument(chance: random.Random) -> str:
        return f"instrument{chance.randrange(25)}"

    day = timedelta(days=1)

    def far(chance: random.Random) -> str:
        return Place(FIRST + chance.random() * years, "instrument1", "obs1").token

    return {
        "a day of an instrument": lambda one: within(one, Wanted(instrument(one)), day),
        "a day of all": lambda one: within(one, Wanted(), day),
        "years of an instrument and a level": lambda one: within(
            one, Wanted(instrument(one), "1.5"), 2000 * day
        ),
        "a page from the midst of all": lambda one: (Wanted(), far(one)),
        "a page from the midst of an instrument's active ones": lambda one: (
            Wanted(instrument(one), status="ACTIVE"),
            far(one),
        ),
        "what was withdrawn": lambda one: within(one, Wanted(status="WITHDRAWN"), 300 * day),
        "a name that ends so": lambda one: (
            Wanted(pattern=f"*{(FIRST + one.random() * years):%m%d_%H}*"),
            "",
        ),
        "a name with a year in it": lambda one: (Wanted(pattern=f"*_20{one.randrange(19):02d}*"), ""),
        "two words": lambda one: (Wanted(words=f"region {one.randrange(9973)}"), ""),
        "a word that a fortieth have": lambda one: (Wanted(words=f"{100 + one.randrange(40)}"), ""),
        "wavelengths that a few hundred have": lambda one: (
            Wanted(shows=Shows(wave_max=100.01 + 0.0001 * one.randrange(900))),
            "",
        ),
        "a target": lambda one: (Wanted(shows=Shows(target=f"region {one.randrange(9973)}")), ""),
        "a searchable value": lambda one: (Wanted(meta={"target": f"region {one.randrange(9973)}"}), ""),
    }


def _slowest(lake: Lake, ask: Callable[[random.Random], Asked], chance: random.Random, times: int) -> float:
    taken = []
    for _ in range(times):
        wanted, after = ask(chance)
        began = time.perf_counter()
        listing(lake, wanted, limit=PAGE, after=after)
        taken.append(time.perf_counter() - began)
    return max(taken)


def _plainly(lake: Lake, wanted: Wanted, after: str) -> float:
    """Seconds for the question as it reads: two comparisons of times, all sorted, places counted up to."""
    query: Select[Any] = (
        select(Release, Observation)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .where(*finding.conditions(wanted, PUBLIC), *of_names(wanted.pattern, wanted.words, wanted.meta))
        .order_by(Release.date_beg, Product.name, Release.version)
        .limit(PAGE)
    )
    if wanted.since is not None:
        query = query.where(Release.date_end >= wanted.since)
    if wanted.until is not None:
        query = query.where(Release.date_beg < wanted.until)
    if after:
        place = Place.of(after).begun or FIRST
        query = query.offset(int((place - FIRST) / timedelta(minutes=MINUTES)))
    began = time.perf_counter()
    with transaction(lake.sessions) as session:
        session.execute(query).all()
    return time.perf_counter() - began
