"""A run that is open: whoever holds it claims units, says how they ended, and asks how far it is.

Units are claimed with `FOR UPDATE SKIP LOCKED` under leases, so several executors share one run.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, null, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lake.catalogue.models import Plan, Product, Release, Unit
from lake.catalogue.models import Run as RunRow
from lake.catalogue.session import changed, to_json, transaction
from lake.errors import Fatal
from lake.lake import Lake
from lake.ledger import executors, leases
from lake.ledger.leases import LEASE_SECONDS
from lake.ledger.tallies import FINISH, RATIO
from lake.ledger.units import STATES, Claimed, Finished, UnitSpec
from lake.rucio.client import batches

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that are mistaken for another when read aloud
_MANY = 10_000  # units that are named together
_AT_ONCE = 2000  # rows that are read together
_SHARE = 0.05  # of the units that the database knows of: with more that are new, it knows too little
_OPEN = ("planned", "leased")
_PLANNED = {"state": "planned", "outcome": None, "facts": null(), "finished": None}


class Run:
    """A run, and who holds it.

    Parameters
    ----------
    lake
        The lake.
    run_id
        Its name, short enough to type: `20261120-k3f9`.
    owner
        Who claims its units; see `lake.ledger.owners.this_process`.
    """

    def __init__(self, lake: Lake, run_id: str, owner: str) -> None:
        self.lake = lake
        self.id = run_id
        self.owner = owner

    def __repr__(self) -> str:
        return f"Run({self.id!r}, owner={self.owner!r})"

    @classmethod
    def create(
        cls,
        lake: Lake,
        plan_id: str,
        document: Mapping[str, Any],
        recipe: str,
        units: Iterable[UnitSpec],
        owner: str,
    ) -> Run:
        """Enter a plan and its units into the ledger, all or nothing.

        Parameters
        ----------
        lake
            The lake.
        plan_id
            Hash of the plan; an equal plan is kept once.
        document
            The plan without its units.
        recipe
            Name of the recipe.
        units
            In the order they should be done; may be a generator of a million.
        owner
            See `lake.ledger.owners.this_process`.

        Returns
        -------
        Run
            Its units all planned.
        """
        with transaction(lake.sessions) as session:
            session.execute(
                insert(Plan)
                .values(id=plan_id, document=dict(document))
                .on_conflict_do_nothing(index_elements=["id"])
            )
            run_id = _new_run_id(session)
            session.add(RunRow(id=run_id, plan_id=plan_id, status="running", recipe=recipe, owner=owner))
            session.flush()
            # COPY, not INSERT: a million units in seconds and constant memory.
            cursor = session.connection().connection.cursor()
            statement = "COPY unit (run_id, unit_id, position, product, site, payload) FROM STDIN"
            with cursor.copy(statement) as rows:
                for position, unit in enumerate(units):
                    payload = to_json(unit.payload)
                    rows.write_row((run_id, unit.unit_id, position, unit.product, unit.site, payload))
            # First claims, planned for the table as it was, would read all of it.
            if _grew(session, cursor.rowcount):
                session.execute(text("ANALYZE unit"))
        return cls(lake, run_id, owner)

    def adopt(self, *, publishes: bool = True) -> None:
        """Go on with a run as its owner; units of owners that are dead are free again, as are our own.

        Parameters
        ----------
        publishes
            Whether its units belong to releases that it reserved.
        """
        self._set({"owner": self.owner, "status": "running", "finished": None}, unless=("cancelled",))
        leases.take_over(self.lake)
        # What an earlier attempt of this very process lost sight of.
        self.give_back()
        if publishes:
            self.replan_given_up()

    def end(self, status: str, note: str = "") -> None:
        """End the run: done, failed or stopped.

        A cancelled run stays so, and one that is stopped while it is paused stays paused.
        """
        kept = ("cancelled", "paused") if status == "stopped" else ("cancelled",)
        self._set({"status": status, "note": note, "finished": func.now()}, unless=kept)

    def end_as_it_is(self) -> None:
        """End a run of which nothing is left to do, as its units ended."""
        failed = self.counts()["failed"]
        self.end("failed" if failed else "done", f"{failed} units failed" if failed else "")

    def status(self) -> str:
        """What becomes of the run at this moment, by whomever it was decided."""
        with transaction(self.lake.sessions) as session:
            return session.scalars(select(RunRow.status).where(RunRow.id == self.id)).one()

    @contextmanager
    def kept(self, site: str = "") -> Iterator[None]:
        """Prolong our leases, and show ourselves as an executor of the run, while the block lasts."""
        executors.begin(self.lake, self.id, self.owner, site)
        try:
            with leases.kept(self.lake, self.owner):
                yield
        finally:
            executors.end(self.lake, self.id, self.owner)

    def say(self, note: str) -> None:
        """Let others read what we are at."""
        executors.say(self.lake, self.id, self.owner, note)

    def claim(
        self, count: int, lease_seconds: float = LEASE_SECONDS, *, site: str | None = None
    ) -> list[Claimed]:
        """Lease up to `count` units that nobody works on, in order; those of ended leases are included.

        None of a run that is paused or cancelled.

        Parameters
        ----------
        count
            How many.
        lease_seconds
            For how long.
        site
            Only units that are to be done there; of all sites where it is None.
        """
        there = "" if site is None else "AND site = :site AND site <> ''"
        statement = text(
            f"""
            WITH picked AS (
                SELECT unit_id FROM unit
                WHERE run_id = :run_id AND state IN ('planned', 'leased') {there}
                  AND (state = 'planned' OR lease_until < now())
                  AND EXISTS (SELECT 1 FROM run WHERE id = :run_id AND status NOT IN ('paused', 'cancelled'))
                ORDER BY position LIMIT :count FOR UPDATE SKIP LOCKED
            )
            UPDATE unit SET state = 'leased', lease_owner = :owner, attempts = unit.attempts + 1,
                            lease_until = now() + make_interval(secs => :seconds)
            FROM picked WHERE unit.run_id = :run_id AND unit.unit_id = picked.unit_id
            RETURNING unit.position, unit.unit_id, unit.product, unit.attempts, unit.payload
            """  # noqa: S608 - one of two texts of ours
        )
        values = {"run_id": self.id, "count": count, "owner": self.owner, "seconds": lease_seconds}
        values |= {} if site is None else {"site": site}
        with transaction(self.lake.sessions) as session:
            rows = sorted(session.execute(statement, values).all(), key=lambda row: int(row.position))
        return [Claimed(row.unit_id, row.product, row.attempts, row.payload) for row in rows]

    def finish(self, finished: Sequence[Finished]) -> int:
        """Record how units ended, in one statement.

        Returns
        -------
        int
            How many were accepted: a unit whose lease went to somebody else meanwhile is left to them.
        """
        told = [None if one.facts is None else to_json(one.facts.document()) for one in finished]
        values = {
            "run_id": self.id,
            "owner": self.owner,
            "ids": [one.unit_id for one in finished],
            "states": [one.state for one in finished],
            "outcomes": [to_json(one.outcome) for one in finished],
            "facts": told,
            "ratio": RATIO,
        }
        with transaction(self.lake.sessions) as session:
            return int(session.execute(FINISH, values).scalar_one())

    def give_back(self, unit_ids: Sequence[str] | None = None) -> int:
        """Return leases unfinished: of some units, to be tried again, or (None) of all, at an orderly end."""
        statement = update(Unit).where(
            Unit.run_id == self.id, Unit.state == "leased", Unit.lease_owner == self.owner
        )
        if unit_ids is not None:
            statement = statement.where(Unit.unit_id.in_(list(unit_ids)))
        with transaction(self.lake.sessions) as session:
            return changed(
                session.execute(statement.values(state="planned", lease_owner=None, lease_until=None))
            )

    def replan(self, states: Sequence[str]) -> int:
        """Plan units of a run again that ended in one of these states; returns how many."""
        statement = update(Unit).where(Unit.run_id == self.id, Unit.state.in_(list(states)))
        with transaction(self.lake.sessions) as session:
            return changed(session.execute(statement.values(**_PLANNED)))

    def replan_units(self, unit_ids: Sequence[str]) -> int:
        """Plan some units again that failed or were put aside; returns how many."""
        statement = update(Unit).where(
            Unit.run_id == self.id,
            Unit.unit_id == func.any(list(unit_ids)),
            Unit.state.in_(("failed", "quarantined")),
        )
        with transaction(self.lake.sessions) as session:
            return changed(session.execute(statement.values(**_PLANNED)))

    def replan_given_up(self) -> None:
        """Plan units of a run again that were done for a release that is neither published nor reserved now.

        Their files carry a version that is never given again (see `lake.releases.drafts.discard`).
        """
        kept = select(Product.name).join(Release).where(Release.draft_key == self.id)
        statement = update(Unit).where(
            Unit.run_id == self.id, Unit.state == "done", Unit.product.not_in(kept)
        )
        with transaction(self.lake.sessions) as session:
            session.execute(statement.values(**_PLANNED))

    def has_live_lease(self) -> bool:
        """Whether anybody has lately said that they work on units of a run."""
        query = select(func.count()).where(
            Unit.run_id == self.id, Unit.state == "leased", Unit.lease_until > func.now()
        )
        with transaction(self.lake.sessions) as session:
            return bool(session.scalar(query))

    def counts(self) -> dict[str, int]:
        """Number of units in each state, zeros included."""
        query = select(Unit.state, func.count()).where(Unit.run_id == self.id).group_by(Unit.state)
        with transaction(self.lake.sessions) as session:
            found = {state: int(number) for state, number in session.execute(query)}
        return {state: found.get(state, 0) for state in STATES}

    def left(self) -> int:
        """Number of units that are still to be done, by whomever."""
        query = select(func.count()).where(Unit.run_id == self.id, Unit.state.in_(_OPEN))
        with transaction(self.lake.sessions) as session:
            return int(session.scalar(query) or 0)

    def outcomes(self, product: str | None = None) -> list[Finished]:
        """State and outcome of the units of a run, or of one product of it, in their order."""
        query = select(Unit.unit_id, Unit.state, Unit.outcome).where(Unit.run_id == self.id)
        if product is not None:
            query = query.where(Unit.product == product)
        with transaction(self.lake.sessions) as session:
            rows = session.execute(query.order_by(Unit.position)).all()
        return [Finished(row.unit_id, row.state, row.outcome or {}) for row in rows]

    def outcomes_of(self, unit_ids: Sequence[str]) -> list[Finished]:
        """State and outcome of some units, of those that belong to the run; in any order."""
        query = select(Unit.unit_id, Unit.state, Unit.outcome).where(
            Unit.run_id == self.id, Unit.unit_id == func.any(list(unit_ids))
        )
        with transaction(self.lake.sessions) as session:
            rows = session.execute(query).all()
        return [Finished(row.unit_id, row.state, row.outcome or {}) for row in rows]

    def holds(self, unit_ids: Iterable[str]) -> bool:
        """Whether all of some units, each named once, belong to the run."""
        for several in batches(unit_ids, _MANY):
            query = select(func.count()).where(Unit.run_id == self.id, Unit.unit_id == func.any(several))
            with transaction(self.lake.sessions) as session:
                if session.scalar(query) != len(several):
                    return False
        return True

    def payloads(self, product: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Payload of each unit of a run, or of one product of it, in their order; read as it is asked for."""
        query = select(Unit.unit_id, Unit.payload).where(Unit.run_id == self.id)
        if product is not None:
            query = query.where(Unit.product == product)
        query = query.order_by(Unit.position).execution_options(yield_per=_AT_ONCE)
        with transaction(self.lake.sessions) as session:
            for row in session.execute(query):
                yield row.unit_id, row.payload

    def members(self, product: str) -> Iterator[tuple[Finished, dict[str, Any]]]:
        """How each unit of a product ended, with its payload, in their order; read as it is asked for."""
        query = select(Unit.unit_id, Unit.state, Unit.outcome, Unit.payload).where(
            Unit.run_id == self.id, Unit.product == product
        )
        query = query.order_by(Unit.position).execution_options(yield_per=_AT_ONCE)
        with transaction(self.lake.sessions) as session:
            for row in session.execute(query):
                yield Finished(row.unit_id, row.state, row.outcome or {}), row.payload

    def any_payload(self, product: str) -> dict[str, Any]:
        """Payload of one of the units of a product, whichever is found first."""
        query = select(Unit.payload).where(Unit.run_id == self.id, Unit.product == product)
        with transaction(self.lake.sessions) as session:
            return dict(session.scalars(query.limit(1)).one())

    def told_in_payloads(self, paths: Sequence[str], product: str | None = None) -> set[str]:
        """Every text that stands at some JSON paths of the payloads of a run, or of one product of it.

        The database looks for them: a run has a million payloads, in which the same few stand over and over.
        """
        of_product = "" if product is None else "AND product = :product"
        statement = text(
            f"""
            SELECT DISTINCT told #>> '{{}}' FROM unit, unnest(CAST(:paths AS jsonpath[])) AS path,
                   jsonb_path_query(payload, path) AS told
            WHERE run_id = :run_id {of_product}
            """  # noqa: S608 - one of two texts of ours
        )
        values = {"run_id": self.id, "paths": list(paths)} | ({} if product is None else {"product": product})
        with transaction(self.lake.sessions) as session:
            return set(session.scalars(statement, values))

    def finished_products(self, among: Collection[str] | None = None) -> list[str]:
        """Products of a run, or of some of it, none of whose units is still to be done; in their order."""
        if among is not None:
            return self._finished_among(list(dict.fromkeys(among)))
        still_open = func.count().filter(Unit.state.in_(_OPEN))
        query = (
            select(Unit.product)
            .where(Unit.run_id == self.id)
            .group_by(Unit.product)
            .having(still_open == 0)
            .order_by(func.min(Unit.position))
        )
        with transaction(self.lake.sessions) as session:
            return list(session.scalars(query))

    def _finished_among(self, products: Sequence[str]) -> list[str]:
        """Asked after every few units: the first open one that is met answers for a product of a million."""
        statement = text(
            """
            SELECT name FROM unnest(CAST(:products AS text[])) WITH ORDINALITY AS asked(name, place)
            WHERE EXISTS (SELECT 1 FROM unit WHERE run_id = :run_id AND product = name)
              AND NOT EXISTS (SELECT 1 FROM unit WHERE run_id = :run_id AND product = name
                              AND state IN ('planned', 'leased'))
            ORDER BY place
            """
        )
        with transaction(self.lake.sessions) as session:
            return list(session.scalars(statement, {"run_id": self.id, "products": list(products)}))

    def _set(self, values: Mapping[str, Any], unless: Collection[str] = ()) -> None:
        statement = update(RunRow).where(RunRow.id == self.id, RunRow.status.not_in(unless))
        with transaction(self.lake.sessions) as session:
            session.execute(statement.values(**values))


def _grew(session: Session, added: int) -> bool:
    """Whether a run is so large a part of all units that the database has to look at them before it is begun.

    It does by itself, a minute later; of a large table it takes a sample, of a small one it reads little.
    """
    known = session.scalar(text("SELECT reltuples FROM pg_class WHERE oid = 'unit'::regclass"))
    return added > _SHARE * max(float(known or 0), 0.0)


def _new_run_id(session: Session) -> str:
    day = datetime.now(UTC).strftime("%Y%m%d")
    for length in (4, 4, 4, 6, 8):
        run_id = f"{day}-{''.join(secrets.choice(_LETTERS) for _ in range(length))}"
        if session.get(RunRow, run_id) is None:
            return run_id
    raise Fatal("No free run id was found; this cannot happen by chance. Check the catalogue.")
