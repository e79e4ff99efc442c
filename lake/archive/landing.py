"""What a DOI, or a release that may have one, leads to: facts, who made it, and whether it is still there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from lake.catalogue.dois import Doi
from lake.catalogue.models import Observation, Product, Release, Withdrawal
from lake.catalogue.session import transaction
from lake.errors import BadInput, Reason
from lake.governance.doi import metadata
from lake.governance.doi.citation import Citation
from lake.governance.doi.cite import Cited
from lake.governance.doi.facts import Facts, facts_of, summed
from lake.governance.doi.metadata import Tombstone
from lake.governance.doi.office import Office
from lake.governance.doi.states import State
from lake.lake import Lake
from lake.releases.search import resolve
from lake.text import printable


@dataclass(frozen=True)
class Landing:
    """What is told of a release or a product where its DOI leads.

    Attributes
    ----------
    facts
        What the catalogue knows.
    citation
        Who made it; `None` where nobody said.
    doi
        Its DOI, '' where it has none that resolves.
    tombstone
        Why it is not there any more.
    """

    facts: Facts
    citation: Citation | None
    doi: str
    tombstone: Tombstone | None

    @property
    def title(self) -> str:
        """What it is called."""
        return self.facts.name if self.citation is None else metadata.title(self.facts, self.citation)

    @property
    def url(self) -> str:
        """Where its DOI is resolved, '' without one."""
        return f"https://doi.org/{self.doi}" if self.doi else ""

    @property
    def cited(self) -> Cited | None:
        """What a citation says; `None` where nobody said by whom the data are."""
        return None if self.citation is None else Cited(self.facts, self.citation, self.doi, ())


def of_doi(lake: Lake, office: Office | None, doi: str) -> Landing:
    """What a DOI of this lake stands for; a draft is nobody's business.

    Raises
    ------
    BadInput
        When there is none such.
    """
    with transaction(lake.sessions) as session:
        row = (
            session.scalars(select(Doi).where(Doi.doi == doi.lower())).first() if doi.isprintable() else None
        )
        if row is None or not State(row.known).public:
            raise BadInput(
                "there is no such DOI here",
                keyword="doi",
                found=printable(doi[:100]),
                advice="https://doi.org leads to where it is",
                code=Reason.NOT_FOUND,
            )
        return _landing(session, office, facts_of(session, [row])[row.id], row)


def of_release(lake: Lake, office: Office | None, product: str) -> Landing:
    """A release, with its DOI where it has one.

    Raises
    ------
    BadInput
        When there is no such release.
    """
    release, key = resolve(lake, product)
    with transaction(lake.sessions) as session:
        query = select(Doi).where(Doi.release_id == release.id).order_by(Doi.id.desc())
        row = next((one for one in session.scalars(query) if State(one.known).public), None)
        facts = summed(key, [release], concept=False) if row is None else facts_of(session, [row])[row.id]
        return _landing(session, office, facts, row)


def _landing(session: Session, office: Office | None, facts: Facts, doi: Doi | None) -> Landing:
    tombstone = None
    if doi is not None and doi.tombstone is not None:
        tombstone = Tombstone(doi.tombstone, doi.hidden or doi.created)
    elif facts.withdrawn:
        tombstone = _withdrawal(session, facts)
    return Landing(facts, _citation(office, facts.product.scope), "" if doi is None else doi.doi, tombstone)


def _withdrawal(session: Session, facts: Facts) -> Tombstone:
    query = (
        select(Withdrawal)
        .join(Release, Release.id == Withdrawal.release_id)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .where(Product.name == facts.product.name, Release.version == facts.version)
    )
    said = session.scalars(query).first()
    since: datetime = metadata.available(facts)
    return Tombstone("the release was withdrawn", since) if said is None else Tombstone(said.reason, said.at)


def _citation(office: Office | None, instrument: str) -> Citation | None:
    if office is None:
        return None
    try:
        return office.citations.of(instrument)
    except BadInput:  # of this instrument nothing is said, and nothing is guessed
        return None
