"""Bringing a registry to what the catalogue wants of each DOI, whatever was lost or broke off before.

What is wanted stands in the catalogue before anything is sent. Before a request the catalogue forgets what
it knew of the metadata there, so that after a lost answer or a crash they are sent once more: the same DOI,
for it was decided before, and the same words, which change nothing. The registry is always read first, and
its state read back afterwards. One process at a time works on a DOI; the database frees those of the dead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from lake.catalogue.dois import Doi, DoiOutbox
from lake.catalogue.session import transaction, unreachable
from lake.errors import BadInput, Retriable
from lake.governance import audit
from lake.governance.doi import metadata, outbox
from lake.governance.doi.facts import Facts, facts_of
from lake.governance.doi.office import Office
from lake.governance.doi.states import State, Wanted
from lake.lake import Lake

TRIES: Final = 4
_LOCK: Final = 0x444F49  # "DOI": of the two numbers of a lock the one that says what the other counts
_BATCH: Final = 500


@dataclass
class Synced:
    """What a reconciliation did.

    Parameters
    ----------
    told
        DOIs the registry was told something of, and the state of each since.
    same
        How many were as they should be.
    busy
        DOIs another process is at work on.
    refused
        DOIs that could not be brought to what they are to be, and why.
    silent
        Why it was given up, where the registry does not answer.
    """

    told: dict[str, State] = field(default_factory=dict)
    same: int = 0
    busy: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    silent: str = ""


@dataclass(frozen=True)
class Due:
    """What a DOI is to be now: its state and what is said of it."""

    name: str
    doi: str
    wanted: Wanted
    attributes: dict[str, Any]
    known: State
    confirmed: str
    entries: tuple[int, ...]

    @property
    def digest(self) -> str:
        """Of what is said."""
        return metadata.digest(self.attributes)

    def settled_at(self, now: datetime) -> bool:
        """Whether the registry has confirmed all of it."""
        return (
            self.known is not State.NONE
            and self.confirmed == self.digest
            and self.wanted.at(now, self.known) is self.known
        )


def sync(
    lake: Lake,
    office: Office,
    *,
    only: Collection[int] | None = None,
    thorough: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> Synced:
    """Bring the registry to what is wanted. May be run at any time, by several at once.

    Parameters
    ----------
    lake, office
        What is wanted, and where.
    only
        Ids of the DOIs to look at; all when absent, those whose embargo the clock has ended included.
    thorough
        Read back every DOI, also those that have been confirmed.
    pause
        Waits so many seconds.

    Raises
    ------
    Fatal
        When the registry refuses us: no DOI would fare better.
    """
    done = Synced()
    if only is None:
        notice(lake, office, done, thorough=thorough)
    with transaction(lake.sessions) as session:
        waiting = outbox.open_dois(session, office.registry.prefix, only)
    for doi_id in waiting:
        with _alone(lake, doi_id) as mine:
            if not mine:
                done.busy.append(_name(lake, doi_id))
                continue
            try:
                _bring_patiently(lake, office, doi_id, done, pause, thorough=thorough)
            except Retriable as error:
                done.silent = str(error)
                return done
            except BadInput as error:
                done.refused[_name(lake, doi_id)] = str(error)
                _remember(lake, doi_id, str(error))
    return done


def notice(lake: Lake, office: Office, done: Synced, *, thorough: bool = False) -> None:
    """Put into the outbox what changed without it: an embargo that ended, a new version, another creator."""
    now = datetime.now(UTC)
    after = 0
    while True:
        with transaction(lake.sessions) as session:
            query = select(Doi).where(Doi.prefix == office.registry.prefix, Doi.id > after)
            dois = session.scalars(query.order_by(Doi.id).limit(_BATCH)).all()
            facts = facts_of(session, dois)
            waiting = set(outbox.open_dois(session, office.registry.prefix, [one.id for one in dois]))
            for doi in dois:
                if doi.id in waiting:
                    continue
                try:
                    due = due_of(office, doi, facts[doi.id], now)
                except BadInput as error:
                    done.refused[facts[doi.id].name] = str(error)
                    continue
                if thorough or not due.settled_at(now):
                    session.add(DoiOutbox(doi_id=doi.id, because="looked at" if thorough else "changed"))
                else:
                    done.same += 1
        if len(dois) < _BATCH:
            return
        after = dois[-1].id


def due_of(office: Office, doi: Doi, facts: Facts, now: datetime, entries: Sequence[int] = ()) -> Due:
    """What a DOI is to be at a time.

    Raises
    ------
    BadInput
        When it is not said by whom the data are.
    """
    tombstone = None
    if doi.tombstone is not None and doi.hidden is not None:
        tombstone = metadata.Tombstone(doi.tombstone, doi.hidden)
    attributes = metadata.attributes(
        doi.doi,
        facts,
        office.citations.of(facts.product.scope),
        office.registry.landing,
        now,
        tombstone,
    )
    wanted = Wanted(State(doi.asked), doi.tombstone is not None, facts.free_at)
    return Due(facts.name, doi.doi, wanted, attributes, State(doi.known), doi.digest, tuple(entries))


def _bring_patiently(
    lake: Lake,
    office: Office,
    doi_id: int,
    done: Synced,
    pause: Callable[[float], None],
    *,
    thorough: bool,
) -> None:
    for attempt in range(TRIES):
        try:
            return _bring(lake, office, doi_id, done, thorough=thorough)
        except Retriable:
            if attempt == TRIES - 1:
                raise
            pause(0.5 * 2**attempt)
    return None


def _bring(lake: Lake, office: Office, doi_id: int, done: Synced, *, thorough: bool) -> None:
    """One attempt: read, send, read back, settle."""
    now = datetime.now(UTC)
    due = _due(lake, office, doi_id, now)
    if due.settled_at(now) and not thorough:
        done.same += 1
        return _settle(lake, doi_id, due, due.known, now)
    metadata.validate(due.attributes)
    there = State.of(office.registrar.read(due.doi))
    state = due.wanted.at(now, there)
    if there is state and due.confirmed == due.digest:
        done.same += 1
        return _settle(lake, doi_id, due, there, now)
    _forget(lake, doi_id)
    done.told[due.doi] = office.registrar.send(due.attributes, there, state)
    return _settle(lake, doi_id, due, state, now)


def _due(lake: Lake, office: Office, doi_id: int, now: datetime) -> Due:
    with transaction(lake.sessions) as session:
        entries = outbox.entries(session, doi_id)  # first: a change that comes meanwhile is told later
        doi = session.get_one(Doi, doi_id)
        return due_of(office, doi, facts_of(session, [doi])[doi_id], now, entries)


def _forget(lake: Lake, doi_id: int) -> None:
    with transaction(lake.sessions) as session:
        session.get_one(Doi, doi_id, with_for_update={"key_share": True}).digest = ""


def _settle(lake: Lake, doi_id: int, due: Due, state: State, now: datetime) -> None:
    with transaction(lake.sessions) as session:
        doi = session.get_one(Doi, doi_id, with_for_update={"key_share": True})
        before = doi.known
        outbox.settle(session, doi, due.entries, state, due.digest, now)
        if state != before:
            session.flush()
            told = {"doi": doi.doi, "from": before, "to": str(state)}
            audit.record(session, "heliolake", "doi.confirmed", due.name, told)


def _remember(lake: Lake, doi_id: int, why: str) -> None:
    with transaction(lake.sessions) as session:
        session.get_one(Doi, doi_id, with_for_update={"key_share": True}).error = why


def _name(lake: Lake, doi_id: int) -> str:
    with transaction(lake.sessions) as session:
        doi = session.get_one(Doi, doi_id)
        return facts_of(session, [doi])[doi_id].name


@contextmanager
def _alone(lake: Lake, doi_id: int) -> Iterator[bool]:
    """Whether nobody else works on a DOI, who then waits for us; the database frees what the dead held."""
    numbers = {"kind": _LOCK, "one": doi_id % 2**31}
    try:
        connection = lake.engine.connect()
    except OperationalError as error:
        raise unreachable(error, lake.engine) from error
    with connection:
        mine = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:kind, :one)"), numbers))
        connection.commit()
        try:
            yield mine
        finally:
            if mine:
                with suppress(DBAPIError):  # a connection that is given up frees the lock as well
                    connection.execute(text("SELECT pg_advisory_unlock(:kind, :one)"), numbers)
                    connection.commit()


def undelivered(lake: Lake) -> list[int]:
    """Ids of the DOIs whose registry has not confirmed everything yet."""
    with transaction(lake.sessions) as session:
        return list(session.scalars(select(DoiOutbox.doi_id).where(DoiOutbox.settled.is_(None)).distinct()))
