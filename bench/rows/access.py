"""What asking who may have what costs: a page of a search over many releases, with the policy and without."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import text

from bench.home import running_home
from bench.measure import Row, Skipped, duration, race
from bench.setting import Setting
from lake.governance.policy import OWNER, PUBLIC, Action, Principal, Terms, may
from lake.lake import Lake
from lake.releases.finding import Wanted
from lake.releases.search import search

_SCOPE = "bench_access"
_PAGE = 100
_FILL = """
WITH o AS (
  INSERT INTO observation (scope, name, date_beg)
  SELECT :scope, 'o' || n, timestamptz '2000-01-01' + n * interval '1 minute'
  FROM generate_series(1, :number) n
  RETURNING id, name, date_beg),
p AS (
  INSERT INTO product (observation_id, level, name, last_version)
  SELECT id, '0', :scope || ':' || name || '.l0', 1 FROM o RETURNING id, observation_id)
INSERT INTO release (product_id, version, status, scope, level, dataset, draft_key, date_beg, date_end,
                     embargo_until, embargo_holders)
SELECT p.id, 1, CASE WHEN o.id % 50 = 0 THEN 'WITHDRAWN' ELSE 'ACTIVE' END, :scope, '0',
       o.name || '.l0.v0001', 'k', o.date_beg, o.date_beg + interval '1 minute',
       CASE WHEN o.id % 3 = 0 THEN timestamptz '2999-01-01' END,
       CASE WHEN o.id % 6 = 0 THEN ARRAY['ada', 'group:team'] ELSE '{}' END
FROM p JOIN o ON o.id = p.observation_id
"""


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """A page of what one may have against a page of all there is; one question of the policy."""
    number = setting.pick(1_000_000, 2_000)
    with running_home(setting, "access") as home, Lake.open(home.lake_config()) as lake:
        with lake.engine.begin() as connection:
            connection.execute(text(_FILL), {"scope": _SCOPE, "number": number})
        with lake.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
        ada = Principal("ada", frozenset({"team"}))
        for principal in (PUBLIC, ada):
            run = race(
                {
                    "filtered": partial(_page, lake, principal, True),
                    "all": partial(_page, lake, OWNER, False),
                },
                rounds=setting.pick(20, 2),
            )
            yield Row(
                f"search of {number} releases, what {principal.shown} may have",
                run.times["filtered"],
                run.times["all"],
                "the same page of all",
                notes=(f"one question of the policy: {duration(_asked(ada))}",),
            )


def _page(lake: Lake, principal: Principal, available: bool) -> list[dict[str, Any]]:
    return search(lake, Wanted(instrument=_SCOPE, available=available), principal=principal, limit=_PAGE)


def _asked(principal: Principal) -> float:
    """Seconds that one question of the policy takes."""
    import timeit

    terms = Terms("ACTIVE", datetime(2999, 1, 1, tzinfo=UTC), ["bo", "group:team"], _SCOPE)
    at = datetime.now(UTC)
    times = 20_000
    return timeit.timeit(lambda: may(principal, Action.BYTES, terms, at), number=times) / times
