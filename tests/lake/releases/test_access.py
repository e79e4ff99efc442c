"""The filter of the database and the policy agree, and accesses to what is under embargo are noted."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from lake.catalogue.models import Observation, Product, Release
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.errors import BadInput
from lake.governance import audit, embargo
from lake.governance.policy import OPERATOR, OWNER, PUBLIC, Action, Principal, Scope, Terms, may
from lake.governance.target import Target
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases import search
from lake.releases.access import readable, require_inputs
from lake.releases.finding import Wanted
from lake.releases.releases import extend

MakeFiles = Callable[..., list[FileEntry]]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
NUMBER = 400
PRINCIPALS = [
    PUBLIC,
    OPERATOR,
    OWNER,
    Principal("ada"),
    Principal("ada", frozenset({"team"})),
    Principal("", frozenset({"team"})),
    Principal("group:team"),
    Principal("ada", scopes=frozenset({Scope.WRITE})),
    Principal("cy", curates=frozenset({"*"})),
]


def test_the_filter_of_the_database_is_the_policy(lake: Lake, scope: str) -> None:
    chance = random.Random(scope)
    rows = []
    for version in range(1, NUMBER + 1):
        until = chance.choice([None, NOW, *(NOW + timedelta(seconds=one) for one in (-1, 1, 1e7, -1e7))])
        holders = chance.choice([[], ["ada"], ["bo", "group:team"], ["group:ada"], [""]])
        # One ACTIVE release of a product is all there can be: each has its own.
        status = chance.choice(["ACTIVE", "SUPERSEDED", "WITHDRAWN", "DRAFT"])
        rows.append((version, status, until, holders, f"{scope}_{version % 2}"))
    with transaction(lake.sessions) as session:
        about = Observation(scope=scope, name="many")
        session.add(about)
        session.flush()
        for version, status, until, holders, instrument in rows:
            product = Product(observation_id=about.id, level=str(version), name=f"{scope}:many.{version}")
            session.add(product)
            session.flush()
            values = {"product_id": product.id, "version": version, "status": status, "scope": instrument}
            values |= {"level": "0", "dataset": f"d{version}", "draft_key": "k", "refs": [scope]}
            session.execute(insert(Release).values(embargo_until=until, embargo_holders=holders, **values))
    of_one = Principal("cy", curates=frozenset({f"{scope}_1"}))
    for principal in [*PRINCIPALS, of_one]:
        with transaction(lake.sessions) as session:
            found = set(
                session.scalars(
                    select(Release.version).where(Release.refs.contains([scope]), readable(principal, NOW))
                )
            )
        wanted = {
            version
            for version, status, until, holders, instrument in rows
            if may(principal, Action.BYTES, Terms(status, until, holders, instrument), NOW)
        }
        assert found == wanted, principal


@pytest.fixture
def held(lake: Lake, scope: str, make_files: MakeFiles) -> str:
    """A release under embargo, which ada holds."""
    made = extend(lake, ProductKey(scope, "one", "0"), make_files("a.fits"))
    assert made is not None
    until = datetime.now(UTC) + timedelta(days=9)
    embargo.put(lake, Target(scope, "one"), until, holders=["ada"], reason="paper", principal=OWNER)
    return f"{made['product']}@v0001"


def test_every_access_to_what_is_under_embargo_is_in_the_audit_trail(lake: Lake, held: str) -> None:
    search.granted_files(lake, held, Principal("ada"))
    with pytest.raises(BadInput, match="under embargo until"):
        search.granted_files(lake, held)
    noted = [(one.who, one.what) for one in audit.entries(lake, subject=held)]
    assert sorted(noted) == [("ada", "access.granted"), ("public", "access.refused")]


def test_search_says_what_one_may_have_and_lists_only_that_if_asked(
    lake: Lake, scope: str, held: str
) -> None:
    (one,) = search.search(lake, Wanted(instrument=scope))
    assert (one["under_embargo"], one["available"]) == (True, False)
    assert search.search(lake, Wanted(instrument=scope, available=True)) == []
    (one,) = search.search(lake, Wanted(instrument=scope, available=True), principal=Principal("ada"))
    assert (one["under_embargo"], one["available"]) == (True, True)
    assert held.startswith(one["product"])


def test_who_may_not_have_the_bytes_learns_nothing_that_confirms_a_guess(lake: Lake, held: str) -> None:
    (file,) = search.show(lake, held)["files"]
    assert not {"sha256", "adler32", "path", "unit_id"} & file.keys()
    (file,) = search.show(lake, held, Principal("ada"))["files"]
    assert {"sha256", "adler32", "path"} <= file.keys()


def test_inputs_that_may_not_be_read_are_refused_by_name(lake: Lake, held: str) -> None:
    with pytest.raises(BadInput, match=held):
        require_inputs(lake, PUBLIC, [held])
    assert require_inputs(lake, Principal("ada"), [held]).who == "ada"
