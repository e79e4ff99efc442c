"""What curators decide about DOIs: to mint one, to let it be found, to hide it with a reason.

Each decision is one transaction: the DOI's row, the entries of the outbox and the entry of the audit trail.
The registry is told afterwards, by `lake.governance.doi.reconcile.sync`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lake.catalogue.dois import Doi, DoiOutbox
from lake.catalogue.models import Observation, Product, Release
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.governance import audit
from lake.governance.doi import metadata, outbox
from lake.governance.doi.facts import Facts, facts_of, summed
from lake.governance.doi.office import Office
from lake.governance.doi.reconcile import due_of
from lake.governance.doi.states import State
from lake.governance.policy import Action, Principal, Terms, may
from lake.lake import Lake
from lake.names import ProductKey, level_token, parse_product


@dataclass(frozen=True)
class Subject:
    """What a DOI is for: a release, or (no `release_id`) a product."""

    product: ProductKey
    product_id: int
    release_id: int | None = None


def of_product(lake: Lake, name: str) -> Subject:
    """The product of a name, as something to cite in all its versions.

    Raises
    ------
    BadInput
        When there is none with a release, several, or a version was named.
    """
    wanted = parse_product(name)
    if wanted.version is not None:
        raise BadInput(
            "a concept DOI stands for all versions",
            keyword="--concept",
            found=name,
            advice="leave the version out",
            code=Reason.BAD_NAME,
        )
    query = (
        select(Product.id, Product.level, Observation.scope)
        .join(Observation, Observation.id == Product.observation_id)
        .where(Observation.name == wanted.observation)
        .where(select(Release.id).where(Release.product_id == Product.id, Release.status != "DRAFT").exists())
    )
    if wanted.scope is not None:
        query = query.where(Observation.scope == wanted.scope)
    with transaction(lake.sessions) as session:
        found = [row for row in session.execute(query) if level_token(row.level) == wanted.token]
    if len(found) == 1:
        key = ProductKey(found[0].scope, wanted.observation, found[0].level)
        return Subject(key, found[0].id)
    if found:
        raise BadInput(
            f"{name} means more than one product",
            found=", ".join(sorted(one.scope for one in found)),
            advice="write the instrument before the name: SCOPE:PRODUCT",
            code=Reason.AMBIGUOUS,
        )
    raise BadInput(f"there is no product {name}", advice="heliolake search lists them", code=Reason.NOT_FOUND)


def mint(lake: Lake, office: Office, subject: Subject, principal: Principal) -> None:
    """Decide the DOI of a release or product, as a draft; one that has a DOI keeps it.

    Raises
    ------
    BadInput
        When the principal may not, what has to be said of the data is missing, or the release was withdrawn.
    """
    require_curator(principal, subject)
    office.citations.of(subject.product.scope)
    with transaction(lake.sessions) as session:
        facts = _facts(session, subject)
        doi = outbox.find(session, office.registry.prefix, subject.product_id, subject.release_id)
        if doi is not None:
            return
        if facts.withdrawn:
            raise BadInput(
                f"{facts.name} was withdrawn and gets no DOI any more",
                advice="only what has one when it is withdrawn keeps it, with a tombstone",
                code=Reason.NOT_ALLOWED,
            )
        doi, made = outbox.decide(
            session, office.registry, facts.name, subject.product_id, subject.release_id
        )
        if made:
            _check(session, office, doi)
            session.add(DoiOutbox(doi_id=doi.id, because="minted"))
            session.flush()
            audit.record(session, principal.signature, "doi.mint", facts.name, {"doi": doi.doi})


def raise_to(lake: Lake, office: Office, subject: Subject, state: State, principal: Principal) -> None:
    """Let a DOI be registered, or found; minted where there is none, and shown again where it was hidden.

    Under an embargo what is to be found is registered meanwhile; `sync` lets it be found at the end.

    Parameters
    ----------
    lake, office, subject, principal
        As for `mint`.
    state
        `State.REGISTERED` or `State.FINDABLE`.
    """
    mint(lake, office, subject, principal)
    with transaction(lake.sessions) as session:
        facts = _facts(session, subject)
        doi = _existing(session, office, subject, facts)
        if facts.withdrawn:
            raise BadInput(
                f"{facts.name} was withdrawn: its DOI stays with its tombstone",
                keyword="status",
                found="WITHDRAWN",
                code=Reason.NOT_ALLOWED,
            )
        if State(doi.asked) is State.FINDABLE and state is State.REGISTERED and doi.tombstone is None:
            raise BadInput(
                f"{doi.doi} is to be found already",
                keyword="state",
                found=doi.asked,
                advice="a DOI that was findable is hidden with a reason: heliolake doi hide",
                code=Reason.NOT_ALLOWED,
            )
        if State(doi.asked) is not state or doi.tombstone is not None:
            doi.asked, doi.tombstone, doi.hidden = state.value, None, None
            _check(session, office, doi)
            outbox.note(session, subject.product_id, f"to be {state}", office.registry.prefix)
            session.flush()
            what = "doi.publish" if state is State.FINDABLE else "doi.register"
            audit.record(session, principal.signature, what, facts.name, {"doi": doi.doi})


def hide(lake: Lake, office: Office, subject: Subject, reason: str, principal: Principal) -> None:
    """Take a DOI out of the indexes, with a tombstone that says why; it goes on to resolve.

    Raises
    ------
    BadInput
        When there is none or only a draft, or no reason is given.
    """
    require_curator(principal, subject)
    if not reason.strip() or not reason.isprintable():
        raise BadInput("a tombstone says why: give a reason in one line", keyword="--reason", found=reason)
    with transaction(lake.sessions) as session:
        facts = _facts(session, subject)
        doi = _existing(session, office, subject, facts)
        if State(doi.asked) is State.DRAFT:
            raise BadInput(
                f"{doi.doi} is a draft: nobody sees it, so there is nothing to hide",
                keyword="state",
                found="draft",
                code=Reason.NOT_ALLOWED,
            )
        doi.tombstone = reason.strip()
        doi.hidden = session.scalars(select(func.now())).one()
        outbox.note(session, subject.product_id, "hidden", office.registry.prefix)
        session.flush()
        told = {"doi": doi.doi, "reason": doi.tombstone}
        audit.record(session, principal.signature, "doi.hide", facts.name, told)


def named_with(lake: Lake, office: Office, subject: Subject) -> list[int]:
    """Ids of the DOIs that name each other: all of the product."""
    query = select(Doi.id).where(Doi.prefix == office.registry.prefix, Doi.product_id == subject.product_id)
    with transaction(lake.sessions) as session:
        return list(session.scalars(query))


def listing(lake: Lake, office: Office, subject: Subject | None = None) -> list[dict[str, Any]]:
    """The DOIs under the prefix, or that of a subject: what each stands for, is to be and was found to be."""
    query = select(Doi).where(Doi.prefix == office.registry.prefix).order_by(Doi.id)
    if subject is not None:
        query = query.where(Doi.product_id == subject.product_id)
        query = query.where(
            Doi.release_id.is_(None) if subject.release_id is None else Doi.release_id == subject.release_id
        )
    with transaction(lake.sessions) as session:
        dois = session.scalars(query).all()
        facts = facts_of(session, dois)
        waiting = set(outbox.open_dois(session, office.registry.prefix, [one.id for one in dois]))
    return [described(office, one, facts[one.id], waiting=one.id in waiting) for one in dois]


def described(office: Office, doi: Doi, facts: Facts, *, waiting: bool) -> dict[str, Any]:
    """A DOI as people and scripts see it, with what its landing page has to say."""
    return {
        "doi": doi.doi,
        "url": f"https://doi.org/{doi.doi}",
        "landing": office.registry.landing.format(doi=doi.doi),
        "of": facts.name,
        "concept": doi.release_id is None,
        "asked": doi.asked,
        "state": doi.known,
        "findable_from": iso(facts.free_at) if _awaits(doi) else None,
        "status": _status(doi, facts),
        "tombstone": doi.tombstone,
        "related": [{"relation": relation, "doi": other} for relation, other in facts.relations],
        "waiting": waiting,
        "confirmed": iso(doi.confirmed),
        "error": doi.error,
        "practice": office.registry.practice,
    }


def _awaits(doi: Doi) -> bool:
    """Whether the clock alone keeps it from being found."""
    return doi.tombstone is None and doi.asked == State.FINDABLE and doi.known != State.FINDABLE


def _status(doi: Doi, facts: Facts) -> str:
    """What a landing page says first."""
    if facts.withdrawn:
        return "WITHDRAWN"
    return "HIDDEN" if doi.tombstone is not None else ""


def sent(lake: Lake, office: Office, subject: Subject) -> dict[str, Any]:
    """The metadata of a subject's DOI as they are to be sent now."""
    with transaction(lake.sessions) as session:
        doi = _existing(session, office, subject, _facts(session, subject))
        return due_of(office, doi, facts_of(session, [doi])[doi.id], datetime.now(UTC)).attributes


def require_curator(principal: Principal, subject: Subject) -> None:
    """Refuse who may not decide about the instrument.

    Raises
    ------
    BadInput
        With code not-allowed.
    """
    terms = Terms("ACTIVE", scope=subject.product.scope)
    if not may(principal, Action.CURATE, terms, datetime.now(UTC)):
        raise BadInput(
            f"{principal.shown} may not decide about DOIs of {subject.product.scope}",
            found=subject.product.name,
            advice="ask a curator of the instrument",
            code=Reason.NOT_ALLOWED,
        )


def _existing(session: Session, office: Office, subject: Subject, facts: Facts) -> Doi:
    doi = outbox.find(session, office.registry.prefix, subject.product_id, subject.release_id)
    if doi is None:
        option = "--concept " if subject.release_id is None else ""
        raise BadInput(
            f"{facts.name} has no DOI yet",
            advice=f"heliolake doi mint {option}{facts.name}",
            code=Reason.NOT_FOUND,
        )
    return doi


def _facts(session: Session, subject: Subject) -> Facts:
    """What is known of a subject, which nobody withdraws until the transaction ends.

    Locked are releases before DOIs, as a withdrawal does.
    """
    query = select(Release).where(Release.product_id == subject.product_id, Release.status != "DRAFT")
    if subject.release_id is not None:
        query = query.where(Release.id == subject.release_id)
    releases = session.scalars(query.order_by(Release.version).with_for_update(read=True)).all()
    return summed(subject.product, releases, concept=subject.release_id is None)


def _check(session: Session, office: Office, doi: Doi) -> None:
    """Refuse metadata that could not be sent, before anything is decided."""
    session.flush()
    facts = facts_of(session, [doi])[doi.id]
    metadata.validate(due_of(office, doi, facts, datetime.now(UTC)).attributes)
