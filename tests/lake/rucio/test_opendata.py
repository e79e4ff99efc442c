"""Rucio's catalogue of open data follows ours as far as Rucio lets it, and never shows what is not public."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from lake.errors import Fatal, Retriable
from lake.lake import Lake
from lake.rucio.opendata import (
    Did,
    OpenDataState,
    Record,
    mirror,
    mirror_many,
    nearest,
    record,
    states,
    wanted_state,
)
from tests.lake.rucio.conftest import Content

ABSENT, DRAFT, PUBLIC, SUSPENDED = OpenDataState
NOW = datetime(2026, 7, 1, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)

#: Which records can be, by how they come to be.
WAYS: dict[OpenDataState, tuple[str, ...]] = {
    ABSENT: (),
    DRAFT: ("draft",),
    PUBLIC: ("draft", "public"),
    SUSPENDED: ("draft", "public", "suspended"),
}


@pytest.fixture
def release(make_release: Callable[[], Content]) -> Did:
    made = make_release()
    return made.scope, made.dataset


def bring(rucio: Any, did: Did, state: OpenDataState) -> None:
    name = {"scope": did[0], "name": did[1]}
    for step in WAYS[state]:
        if step == "draft":
            rucio.add_opendata_did(**name)
        else:
            rucio.update_opendata_did(**name, state=step)


@pytest.mark.parametrize(
    ("status", "until", "state"),
    [
        ("DRAFT", None, ABSENT),
        ("DRAFT", LATER, ABSENT),
        ("ACTIVE", None, PUBLIC),
        ("ACTIVE", EARLIER, PUBLIC),
        ("ACTIVE", NOW, PUBLIC),
        ("ACTIVE", LATER, DRAFT),
        ("SUPERSEDED", None, PUBLIC),
        ("SUPERSEDED", LATER, DRAFT),
        ("WITHDRAWN", None, SUSPENDED),
        ("WITHDRAWN", LATER, SUSPENDED),
    ],
)
def test_status_and_embargo_decide(status: str, until: datetime | None, state: OpenDataState) -> None:
    assert wanted_state(status, until, NOW) is state


@pytest.mark.parametrize(("now", "wanted"), list(product(OpenDataState, repeat=2)))
def test_the_nearest_state_is_one_to_stay_in_and_shows_nothing_that_is_not_public(
    now: OpenDataState, wanted: OpenDataState
) -> None:
    state = nearest(now, wanted)
    assert nearest(state, wanted) is state
    assert (state is PUBLIC) == (wanted is PUBLIC)


@pytest.mark.parametrize(("now", "wanted"), list(product(OpenDataState, repeat=2)))
def test_rucio_goes_along_from_any_state_to_the_nearest(
    lake: Lake, rucio: Any, release: Did, now: OpenDataState, wanted: OpenDataState
) -> None:
    bring(rucio, release, now)
    for _ in range(2):  # again, as after a crash
        assert mirror(lake.rucio, release, wanted) is nearest(now, wanted)
        assert record(lake.rucio, release).state is nearest(now, wanted)


@pytest.mark.parametrize("now", OpenDataState)
def test_an_embargo_that_ends_makes_it_public_with_its_doi(
    lake: Lake, rucio: Any, release: Did, now: OpenDataState
) -> None:
    bring(rucio, release, now)
    doi = f"10.5072/{secrets.token_hex(6)}"
    hidden = SUSPENDED if now in (PUBLIC, SUSPENDED) else DRAFT
    assert mirror(lake.rucio, release, DRAFT, doi) is hidden
    assert record(lake.rucio, release) == Record(hidden, doi)
    for _ in range(2):
        assert mirror(lake.rucio, release, PUBLIC, doi) is PUBLIC
        assert record(lake.rucio, release) == Record(PUBLIC, doi)
    assert mirror(lake.rucio, release, SUSPENDED, doi) is SUSPENDED
    assert record(lake.rucio, release) == Record(SUSPENDED, doi)  # the tombstone keeps it


@pytest.mark.parametrize("state", [DRAFT, PUBLIC, SUSPENDED])
def test_a_doi_is_set_once(lake: Lake, rucio: Any, release: Did, state: OpenDataState) -> None:
    first, other = (f"10.5072/{secrets.token_hex(6)}" for _ in range(2))
    bring(rucio, release, state)
    mirror(lake.rucio, release, state, first)
    with pytest.raises(Fatal, match=f"DOI {first}.*not {other}"):
        mirror(lake.rucio, release, PUBLIC, other)
    mirror(lake.rucio, release, state)  # without a word of it
    assert record(lake.rucio, release) == Record(state, first)


def test_two_releases_never_have_one_doi(
    lake: Lake, release: Did, make_release: Callable[[], Content]
) -> None:
    other, doi = make_release(), f"10.5072/{secrets.token_hex(6)}"
    mirror(lake.rucio, release, PUBLIC, doi)
    with pytest.raises(Fatal, match="DOI"):
        mirror(lake.rucio, (other.scope, other.dataset), PUBLIC, doi)


def test_what_is_not_closed_is_not_made_public(lake: Lake, draft: Content) -> None:
    with pytest.raises(Fatal, match="closed"):
        mirror(lake.rucio, (draft.scope, draft.dataset), PUBLIC)
    assert mirror(lake.rucio, (draft.scope, draft.dataset), ABSENT) is ABSENT


def test_many_are_mirrored_together_and_told_in_one_answer(
    lake: Lake, make_release: Callable[[], Content]
) -> None:
    dids = [(made.scope, made.dataset) for made in (make_release() for _ in range(6))]
    wanted = dict(zip(dids, map(Record, [PUBLIC, DRAFT, SUSPENDED] * 2), strict=True))
    assert list(mirror_many(lake.rucio, wanted).values()) == [PUBLIC, ABSENT, ABSENT] * 2
    told = states(lake.rucio)
    assert [told.get(did, ABSENT) for did in dids] == [PUBLIC, ABSENT, ABSENT] * 2


def test_a_server_that_does_not_answer_is_retriable(lake: Lake, tmp_path: Any) -> None:
    from dataclasses import replace

    from lake.rucio.client import RucioClient

    nobody = RucioClient(replace(lake.config, rucio_host="http://127.0.0.1:9", token_path=tmp_path / "token"))
    with pytest.raises(Retriable, match="did not answer"):
        mirror(nobody, ("scope", "dataset"), PUBLIC)
