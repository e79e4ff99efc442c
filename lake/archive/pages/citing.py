"""How data are cited, as far as it is known here: the box on a page, and what a DOI stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request
from sqlalchemy import select

from lake.archive.surroundings import surroundings_of
from lake.catalogue.dois import Doi
from lake.catalogue.models import Observation, Product, Release
from lake.catalogue.session import transaction
from lake.errors import BadInput, Reason
from lake.governance.doi.cite import FORMS, Cited, cited, render
from lake.governance.doi.curating import Subject
from lake.governance.doi.states import State
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.search import resolve

_NAMES: Final = {"text": "Text", "bibtex": "BibTeX", "ris": "RIS", "csl": "CSL JSON"}


@dataclass(frozen=True)
class Citation:
    """What a page says of how to cite something: the citation in all its forms, its DOI, and what is odd."""

    cited: Cited
    forms: tuple[tuple[str, str, str], ...]
    practice: bool

    @property
    def of_tests(self) -> bool:
        """Whether authors or publisher are placeholders."""
        return self.cited.citation.of_tests


@dataclass(frozen=True)
class Landed:
    """What a DOI stands for: a product, or one of its releases."""

    doi: str
    subject: Subject
    release: str
    tombstone: str | None
    hidden: datetime | None


def citation_of(request: Request, lake: Lake, release: Mapping[str, Any]) -> Citation | None:
    """How a release is cited; None where nobody said by whom the data are."""
    row, key = resolve(lake, f"{release['product']}@v{release['version']}")
    return citation_for(request, lake, Subject(key, row.product_id, row.id))


def citation_for(request: Request, lake: Lake, subject: Subject) -> Citation | None:
    """How a release or a product is cited; None where nobody said by whom the data are."""
    office = surroundings_of(request).office
    if office is None:
        return None
    try:
        found = cited(lake, office, subject, datetime.now(UTC))
    except BadInput:  # of this instrument nothing is said
        return None
    forms = tuple((form, _NAMES.get(form, form), render(found, form)) for form in FORMS)
    return Citation(found, forms, practice=office.registry.practice)


def landed(lake: Lake, doi: str) -> Landed:
    """What a DOI of this archive stands for; drafts are nobody's business.

    Raises
    ------
    BadInput
        When there is none such.
    """
    query = (
        select(Doi, Product, Observation, Release.version)
        .join(Product, Product.id == Doi.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .outerjoin(Release, Release.id == Doi.release_id)
        .where(Doi.doi == doi.lower())
    )
    with transaction(lake.sessions) as session:
        row = session.execute(query).first()
    if row is None or not State(row.Doi.known).public:
        raise BadInput(
            "There is no such DOI here",
            found=doi[:100],
            advice="https://doi.org leads to where it is",
            code=Reason.NOT_FOUND,
        )
    key = ProductKey(row.Observation.scope, row.Observation.name, row.Product.level)
    version = row.version
    return Landed(
        row.Doi.doi,
        Subject(key, row.Product.id, row.Doi.release_id),
        key.name if version is None else f"{key.name}@v{version:04d}",
        row.Doi.tombstone,
        row.Doi.hidden,
    )
