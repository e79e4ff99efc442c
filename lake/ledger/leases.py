"""Leases: who works on which unit, for how long, and what becomes of the units of the dead."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from sqlalchemy import func, or_, select, text, update

from lake.catalogue.models import Unit
from lake.catalogue.session import changed, transaction
from lake.errors import Retriable
from lake.lake import Lake
from lake.ledger import executors
from lake.ledger.executors import BEAT_SECONDS
from lake.ledger.owners import is_dead

log = logging.getLogger(__name__)

LEASE_SECONDS = 300


def heartbeat(lake: Lake, owner: str, lease_seconds: float = LEASE_SECONDS) -> int:
    """Prolong all leases of an owner; returns how many it holds.

    Rows being changed at this moment are left alone: two statements that lock the same rows in different
    orders would wait for each other, and the database ends one of them.
    """
    statement = text(
        """
        WITH mine AS (
            SELECT run_id, unit_id FROM unit WHERE state = 'leased' AND lease_owner = :owner
            FOR UPDATE SKIP LOCKED
        )
        UPDATE unit SET lease_until = now() + make_interval(secs => :seconds)
        FROM mine WHERE unit.run_id = mine.run_id AND unit.unit_id = mine.unit_id
        """
    )
    with transaction(lake.sessions) as session:
        return changed(session.execute(statement, {"owner": owner, "seconds": lease_seconds}))


def take_over(lake: Lake) -> int:
    """Free the units of owners that are certainly dead, and those whose lease has ended.

    Of the former the end of the lease is not waited for. An owner of the latter that comes back finds that
    they are not its own any more: what it says of them is not entered.
    """
    with transaction(lake.sessions) as session:
        owners = session.scalars(select(Unit.lease_owner).where(Unit.state == "leased").distinct()).all()
        dead = [owner for owner in owners if owner is not None and is_dead(owner)]
        return changed(
            session.execute(
                update(Unit)
                .where(Unit.state == "leased")
                .where(or_(Unit.lease_owner.in_(dead), Unit.lease_until < func.now()))
                .values(state="planned", lease_owner=None, lease_until=None)
            )
        )


@contextmanager
def kept(lake: Lake, owner: str) -> Iterator[None]:
    """Prolong an owner's leases while the block lasts; a process that is gone stops doing so."""
    stop = Event()

    def beat() -> None:
        prolonged = time.monotonic()
        while not stop.wait(min(BEAT_SECONDS, LEASE_SECONDS / 4)):
            try:
                executors.beat(lake, owner)
                if time.monotonic() - prolonged >= LEASE_SECONDS / 4:
                    prolonged = time.monotonic()
                    heartbeat(lake, owner)
            except Retriable as error:
                log.warning("no heartbeat: %s", error)

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)
