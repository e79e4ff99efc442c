"""Embargoes: what people decide about observations, campaigns and proposals, and what instruments ask for.

A decision is a row that stays; the last one about something holds. Releases carry the terms that follow from
all decisions and from what they were made of (`lake.governance.inheritance`); the clock ends an embargo, in
`lake.governance.policy.may`, with no job that could fail to run.
"""

from __future__ import annotations

import logging
from calendar import monthrange
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from lake.catalogue.models import Embargo, Observation, Product, Release
from lake.catalogue.session import transaction
from lake.entries import in_utc, iso
from lake.errors import BadInput, HeliolakeLakeError, Reason
from lake.governance import audit
from lake.governance.inheritance import Settled, decided, settle, take_lock
from lake.governance.names import check_holders
from lake.governance.policy import Action, Principal, Terms, may, strictest
from lake.governance.target import Target
from lake.lake import Lake
from lake.rucio.opendata import Record, mirror_many, wanted_state
from lake.text import printable

_MOST_SHOWN = 3
_MOST_MIRRORED = 1000
"""Releases whose record in Rucio follows at once; of more, it is no command's business to wait for it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Default:
    """What an instrument's description asks for.

    Parameters
    ----------
    months
        From the end of an observation to the end of its embargo.
    holders
        Who has it before: accounts, and groups as ``group:NAME``.
    """

    months: int
    holders: Sequence[str] = ()


@dataclass(frozen=True)
class Decision:
    """A decision that was taken, and what followed from it.

    Parameters
    ----------
    target
        What it is about.
    until, holders, reason
        The embargo; `until` `None` says that it was lifted.
    observations
        How many it is about now.
    changed
        Releases whose terms changed, those made of them included.
    """

    target: Target
    until: datetime | None
    holders: tuple[str, ...]
    reason: str
    observations: int
    changed: tuple[Settled, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "target": str(self.target),
            "until": iso(self.until),
            "holders": list(self.holders),
            "reason": self.reason,
            "observations": self.observations,
            "releases": [
                {
                    "release": one.release,
                    "status": one.status,
                    "before": iso(one.before.embargo_until),
                    "until": iso(one.now.embargo_until),
                    "holders": list(one.now.embargo_holders),
                }
                for one in self.changed
            ],
        }


def put(
    lake: Lake,
    target: Target,
    until: datetime,
    *,
    reason: str,
    principal: Principal,
    holders: Sequence[str] | None = None,
) -> Decision:
    """Set an embargo, or set another end or other holders of one; never an earlier end.

    Parameters
    ----------
    lake
        The lake.
    target
        An observation, or all that have a searchable value, those to come included.
    until
        The end; from this moment on everybody has the bytes.
    reason
        Why; it is kept.
    principal
        Who decides: a curator of the instrument.
    holders
        Who has the bytes before; as they were where not given.

    Raises
    ------
    BadInput
        When there is no such observation, the end is over or would come earlier than it is now, the reason is
        missing, or the principal may not decide.
    """
    _require_reason(reason)
    until = in_utc(until)
    given = None if holders is None else check_holders(holders)
    with transaction(lake.sessions) as session:
        now = _begin(session, target, principal)
        if until <= now:
            raise _refused("the end of an embargo lies ahead", until, "give a later time with --until")
        ids = _known(session, target)
        _require_no_earlier(session, target, ids, until, now)
        last = _last(session, target)
        kept = [] if last is None or last.until is None else list(last.holders)
        what = "extend" if last is not None and last.until is not None and last.until < until else "set"
        row = _row(target, until, kept if given is None else given, reason, principal)
        decision = _carry_out(session, target, row, ids, f"embargo.{what}")
    return _told_to_rucio(lake, decision)


def extend(lake: Lake, target: Target, until: datetime, *, reason: str, principal: Principal) -> Decision:
    """Move the end of an embargo to a later time; its holders stay.

    Raises
    ------
    BadInput
        As `put`; also when there is no embargo that could be extended.
    """
    _require_reason(reason)
    until = in_utc(until)
    with transaction(lake.sessions) as session:
        now = _begin(session, target, principal)
        ids = _known(session, target)
        terms = _terms_now(session, target, ids, now)
        if terms.embargo_until is None:
            raise BadInput(
                f"{target} is under no embargo that could be extended",
                advice="`heliolake embargo set` sets one",
                code=Reason.NOT_FOUND,
            )
        if until <= terms.embargo_until:
            raise _refused(
                f"{target} is under embargo until {iso(terms.embargo_until)}; an extension ends later",
                until,
                "a shorter one is `heliolake embargo lift --at TIME`",
            )
        row = _row(target, until, terms.embargo_holders, reason, principal)
        decision = _carry_out(session, target, row, ids, "embargo.extend")
    return _told_to_rucio(lake, decision)


def lift(
    lake: Lake, target: Target, *, reason: str, principal: Principal, at: datetime | None = None
) -> Decision:
    """End an embargo now, or at a time before its end. What inherited it alone is free with it.

    Raises
    ------
    BadInput
        When nothing is to be lifted, `at` is not before the present end, the reason is missing, or the
        principal may not decide.
    """
    _require_reason(reason)
    with transaction(lake.sessions) as session:
        now = _begin(session, target, principal)
        ids = _known(session, target)
        terms = _terms_now(session, target, ids, now)
        if terms.embargo_until is None:
            raise BadInput(
                f"nothing is decided about {target} that keeps it under embargo",
                advice="`heliolake embargo show` tells what it inherits from where",
                code=Reason.NOT_FOUND,
            )
        end = None if at is None or in_utc(at) <= now else in_utc(at)
        if end is not None and end >= terms.embargo_until:
            raise _refused(
                f"the embargo of {target} ends on {iso(terms.embargo_until)} anyhow",
                end,
                "`heliolake embargo extend` makes it longer",
            )
        row = _row(target, end, terms.embargo_holders if end else [], reason, principal, lifts=True)
        decision = _carry_out(session, target, row, ids, "embargo.lift")
    return _told_to_rucio(lake, decision)


def stamp_default(session: Session, observation: int, default: Default) -> None:
    """Note what the instrument asks for, as soon as it is known when an observation ended.

    A default that was noted stays, whatever the instrument's description says later; only a later end of the
    observation moves it. A decision that a person took about the observation is left alone.
    """
    about = session.get_one(Observation, observation)
    if about.date_end is None and about.date_beg is None:
        return
    end = _months_after(in_utc(about.date_end or about.date_beg or datetime.now(UTC)), default.months)
    last = _last(session, Target(scope=about.scope, observation=about.name))
    if last is not None and (not last.by_default or (last.until is not None and last.until >= end)):
        return
    session.add(
        Embargo(
            scope=about.scope,
            observation=about.name,
            until=end,
            holders=list(last.holders if last is not None else check_holders(default.holders)),
            reason=f"{default.months} months from DATE-END, as the instrument's description asks",
            by_default=True,
            decided_by="instrument",
        )
    )
    session.flush()
    detail = {"until": iso(end), "months": default.months}
    audit.record(session, "instrument", "embargo.default", f"{about.scope}:{about.name}", detail)


def concerns(session: Session, values: Iterable[str]) -> bool:
    """Whether anything was ever decided about searchable values of these names."""
    names = list(values)
    return (
        bool(names) and session.scalar(select(Embargo.id).where(Embargo.key.in_(names)).limit(1)) is not None
    )


def _begin(session: Session, target: Target, principal: Principal) -> datetime:
    """Hold everything else up, and ask whether this principal decides about the target."""
    if not may(principal, Action.CURATE, Terms("ACTIVE", scope=target.scope), datetime.now(UTC)):
        care = f"of {target.scope}" if target.scope else "of all instruments (or name one with --instrument)"
        raise BadInput(
            f"{principal.shown} does not decide about {target}",
            found="no curator",
            advice=f"ask a curator {care}",
            code=Reason.NOT_ALLOWED,
        )
    take_lock(session)
    return session.scalars(select(func.now())).one()


def _carry_out(
    session: Session, target: Target, row: Embargo, observations: Collection[int], what: str
) -> Decision:
    session.add(row)
    session.flush()
    releases = session.scalars(
        select(Release.id)
        .join(Product, Product.id == Release.product_id)
        .where(Product.observation_id.in_(observations), Release.status != "DRAFT")
    )
    changed = tuple(settle(session, releases))
    decision = Decision(target, row.until, tuple(row.holders), row.reason, len(observations), changed)
    told = {"until": iso(row.until), "holders": list(row.holders), "reason": row.reason}
    audit.record(session, row.decided_by, what, str(target), {**told, "releases": len(changed)})
    return decision


def _told_to_rucio(lake: Lake, decision: Decision) -> Decision:
    """Have Rucio's open data follow; what is not told now `heliolake fsck` names and tells."""
    at = datetime.now(UTC)
    wanted = {
        (one.scope, one.dataset): Record(wanted_state(one.status, one.now.embargo_until, at))
        for one in decision.changed[:_MOST_MIRRORED]
    }
    try:
        mirror_many(lake.rucio, wanted)
    except HeliolakeLakeError as error:
        _log.warning("the decision holds; Rucio was not told: %s", error)
    return decision


def _row(
    target: Target,
    until: datetime | None,
    holders: Iterable[str],
    reason: str,
    principal: Principal,
    *,
    lifts: bool = False,
) -> Embargo:
    return Embargo(
        scope=target.scope,
        observation=target.observation,
        key=target.key,
        value=target.value,
        until=until,
        holders=list(holders),
        reason=reason.strip(),
        lifts=lifts,
        decided_by=principal.signature,
    )


def require_known(session: Session, target: Target) -> None:
    """Refuse an observation that is not there; a value may come later.

    Raises
    ------
    BadInput
        With code not-found.
    """
    if target.observation and session.scalar(observations_of(target).limit(1)) is None:
        raise BadInput(
            f"there is no observation {target}",
            advice="`heliolake search` lists what there is",
            code=Reason.NOT_FOUND,
        )


def observations_of(target: Target) -> Select[tuple[int]]:
    """Numbers of the observations that a target is about, in order."""
    query = select(Observation.id).order_by(Observation.id)
    if target.scope:
        query = query.where(Observation.scope == target.scope)
    if target.observation:
        return query.where(Observation.name == target.observation)
    forms = [form for value in (target.value, str(target.value)) for form in (value, [value])]
    return query.where(or_(*(Observation.meta.contains({target.key: form}) for form in forms)))


def _known(session: Session, target: Target) -> list[int]:
    require_known(session, target)
    return list(session.scalars(observations_of(target)))


def _require_no_earlier(
    session: Session, target: Target, observations: Collection[int], until: datetime, now: datetime
) -> None:
    """An earlier end is a decision of its own; so it is refused where it would be a side effect."""
    earlier = []
    for one in observations:
        terms = strictest((_terms(row) for row in decided(session, one)), now)
        if terms[0] is not None and terms[0] > until:
            earlier.append((session.get_one(Observation, one), terms[0]))
    last = _last(session, target)
    if not earlier and last is not None and last.until is not None and last.until > until:
        raise _refused(
            f"{target} is under embargo until {iso(last.until)}, and this would shorten it",
            until,
            "to shorten it say so: `heliolake embargo lift --at TIME`",
        )
    if earlier:
        named = ", ".join(f"{a.scope}:{a.name} (until {iso(end)})" for a, end in earlier[:_MOST_SHOWN])
        more = f" and {len(earlier) - _MOST_SHOWN} more" if len(earlier) > _MOST_SHOWN else ""
        raise _refused(
            f"this would shorten the embargo of {named}{more}",
            until,
            "to shorten it say so: `heliolake embargo lift --at TIME`",
        )


def _terms_now(session: Session, target: Target, observations: Collection[int], now: datetime) -> Terms:
    """The embargo that a target is under by decisions about it; of a value, else by those about all that
    have it."""
    last = _last(session, target)
    rows = [] if last is None else [last]
    if not rows and target.key:
        rows = [row for one in observations for row in decided(session, one)]
    until, holders = strictest(map(_terms, rows), now)
    return Terms("ACTIVE", until, holders, target.scope)


def _last(session: Session, target: Target) -> Embargo | None:
    return session.scalar(select(Embargo).where(*about(target)).order_by(Embargo.id.desc()).limit(1))


def about(target: Target) -> tuple[Any, ...]:
    """Conditions on the decisions that were taken about just this."""
    value = Embargo.value.is_(None) if not target.key else Embargo.value == literal(target.value, JSONB)
    return (
        Embargo.scope == target.scope,
        Embargo.observation == target.observation,
        Embargo.key == target.key,
        value,
    )


def _terms(row: Embargo) -> Terms:
    return Terms("ACTIVE", row.until, list(row.holders), row.scope)


def _require_reason(reason: str) -> None:
    if not reason.strip() or not reason.isprintable():
        raise BadInput(
            "a decision about an embargo needs a reason",
            keyword="--reason",
            found=printable(reason) or "nothing",
            advice="say why, in a sentence; it is kept",
            code=Reason.BAD_KEYWORD,
        )


def _refused(what: str, time: datetime, advice: str) -> BadInput:
    return BadInput(what, keyword="--until", found=iso(time) or "", advice=advice, code=Reason.BAD_KEYWORD)


def _months_after(time: datetime, months: int) -> datetime:
    """The same day some months later; the last of the month where there is no such day."""
    year, month = divmod(time.year * 12 + time.month - 1 + months, 12)
    return time.replace(year=year, month=month + 1, day=min(time.day, monthrange(year, month + 1)[1]))
