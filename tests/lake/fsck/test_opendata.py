"""What Rucio's catalogue of open data says of releases is compared with ours, and put right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from lake.catalogue.dois import Doi
from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.errors import Fatal
from lake.fsck.compare import fsck
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import reserve
from lake.releases.releases import publish
from lake.rucio.opendata import OpenDataState, Record, mirror, record
from tests.lake.conftest import MakeFiles

HOUR = timedelta(hours=1)


@pytest.fixture
def release(lake: Lake, scope: str, make_files: MakeFiles) -> tuple[str, str]:
    """Scope and dataset of a release."""
    draft = reserve(lake, ProductKey(scope, "obs", "0"), "k")
    publish(lake, draft, make_files("a.fits"))
    return scope, draft.dataset


def change(lake: Lake, scope: str, **values: object) -> None:
    with transaction(lake.sessions) as session:
        session.execute(update(Release).where(Release.scope == scope).values(**values))


def look(lake: Lake, scope: str, *, repair: bool = False) -> dict[str, Any]:
    found = fsck(lake, scopes=[scope], repair=repair, grace_seconds=0)["differences"]
    assert all(one["repaired"] for one in found) or not repair
    return {one["kind"]: one["detail"] for one in found}


def state(lake: Lake, release: tuple[str, str]) -> OpenDataState:
    return record(lake.rucio, release).state


def test_a_release_that_is_public_is_shown_as_soon_as_it_is_published(
    lake: Lake, release: tuple[str, str]
) -> None:
    assert state(lake, release) is OpenDataState.PUBLIC
    assert look(lake, release[0]) == {}


def test_the_end_of_an_embargo_is_told_and_mended(
    lake: Lake, scope: str, make_files: MakeFiles, release: tuple[str, str]
) -> None:
    change(lake, scope, embargo_until=datetime.now(UTC) + HOUR)
    assert "public" in look(lake, scope, repair=True)["opendata"]
    assert state(lake, release) is OpenDataState.SUSPENDED
    assert look(lake, scope) == {}
    change(lake, scope, embargo_until=datetime.now(UTC) - HOUR)
    assert "suspended" in look(lake, scope, repair=True)["opendata"]
    assert state(lake, release) is OpenDataState.PUBLIC
    assert look(lake, scope) == {}


def test_what_was_withdrawn_is_suspended_and_stays_so(lake: Lake, release: tuple[str, str]) -> None:
    change(lake, release[0], status="WITHDRAWN")
    assert "suspended" in look(lake, release[0], repair=True)["opendata"]
    assert state(lake, release) is OpenDataState.SUSPENDED
    assert look(lake, release[0]) == {}


def test_a_release_that_somebody_suspended_in_rucio_is_shown_again(
    lake: Lake, release: tuple[str, str]
) -> None:
    mirror(lake.rucio, release, OpenDataState.SUSPENDED)
    assert set(look(lake, release[0], repair=True)) == {"opendata"}
    assert state(lake, release) is OpenDataState.PUBLIC


def test_a_draft_is_in_no_catalogue(lake: Lake, scope: str) -> None:
    draft = reserve(lake, ProductKey(scope, "obs", "0"), "k")
    lake.rucio.ensure_scope(scope)
    lake.rucio.ensure_dataset(scope, draft.dataset)
    lake.rucio.ask("adding", lambda client: client.add_opendata_did(scope=scope, name=draft.dataset))
    found = fsck(lake, scopes=[scope], repair=True)["differences"]
    assert {one["kind"]: one["repaired"] for one in found} == {"abandoned-draft": False, "opendata": True}
    assert state(lake, (scope, draft.dataset)) is OpenDataState.ABSENT


def test_a_publication_whose_record_failed_is_a_publication_and_mended(
    lake: Lake, scope: str, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = reserve(lake, ProductKey(scope, "obs", "0"), "k")

    def refuse(*_: object, **__: object) -> None:
        raise Fatal("Rucio refused it")

    with monkeypatch.context() as patch:
        patch.setattr("lake.rucio.opendata._update", refuse)
        assert publish(lake, draft, make_files("a.fits"))["status"] == "ACTIVE"
    assert fsck(lake, scopes=[scope])["differences"] == []  # its publisher may be at work
    assert set(look(lake, scope, repair=True)) == {"opendata"}
    assert state(lake, (scope, draft.dataset)) is OpenDataState.PUBLIC


def give_doi(lake: Lake, scope: str, doi: str, *, public: bool = True) -> None:
    """As if a registry had confirmed it."""
    now = datetime.now(UTC)
    with transaction(lake.sessions) as session:
        one = session.scalars(select(Release).where(Release.scope == scope)).one()
        session.add(
            Doi(
                doi=doi,
                prefix=doi.partition("/")[0],
                product_id=one.product_id,
                release_id=one.id,
                asked="registered",
                known="registered" if public else "draft",
                public_since=now if public else None,
            )
        )


def test_a_doi_that_was_registered_comes_to_rucio(lake: Lake, release: tuple[str, str]) -> None:
    doi = f"10.21348/{release[0]}"
    give_doi(lake, release[0], doi)
    assert "no DOI" in look(lake, release[0], repair=True)["opendata"]
    assert record(lake.rucio, release) == Record(OpenDataState.PUBLIC, doi)
    assert look(lake, release[0]) == {}
    change(lake, release[0], status="WITHDRAWN")
    look(lake, release[0], repair=True)
    assert record(lake.rucio, release) == Record(OpenDataState.SUSPENDED, doi)


def test_a_release_that_comes_under_embargo_keeps_its_doi(
    lake: Lake, release: tuple[str, str], scope: str
) -> None:
    give_doi(lake, scope, f"10.21348/{scope}")
    change(lake, scope, embargo_until=datetime.now(UTC) + HOUR)
    look(lake, scope, repair=True)
    assert record(lake.rucio, release) == Record(OpenDataState.SUSPENDED, f"10.21348/{scope}")
    assert look(lake, scope) == {}


@pytest.mark.parametrize(("prefix", "public"), [("10.5072", True), ("10.21348", False)])
def test_a_doi_that_may_still_change_stays_away_from_rucio(
    lake: Lake, release: tuple[str, str], prefix: str, public: bool
) -> None:
    give_doi(lake, release[0], f"{prefix}/{release[0]}", public=public)
    assert look(lake, release[0]) == {}


def test_another_doi_in_rucio_is_named_and_stays(lake: Lake, release: tuple[str, str]) -> None:
    mirror(lake.rucio, release, OpenDataState.PUBLIC, f"10.21348/{release[0]}.other")
    give_doi(lake, release[0], f"10.21348/{release[0]}")
    (found,) = fsck(lake, scopes=[release[0]], repair=True)["differences"]
    assert (found["kind"], found["repairable"], found["repaired"]) == ("opendata", False, False)
    assert "stays" in found["detail"]
