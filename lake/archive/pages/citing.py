"""How data are cited, as far as it is known here: the box on a page, and what is odd about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request

from lake.archive.surroundings import surroundings_of
from lake.errors import BadInput
from lake.governance.doi.cite import FORMS, Cited, cited, render
from lake.governance.doi.curating import Subject
from lake.lake import Lake
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


def citation_of(request: Request, lake: Lake, release: Mapping[str, Any]) -> Citation | None:
    """How a release is cited; None where nobody said by whom the data are."""
    row, key = resolve(lake, f"{release['product']}@v{release['version']}")
    return citation_for(request, lake, Subject(key, row.product_id, row.id))


def title_of(request: Request, instrument: str) -> str:
    """What the data of an instrument are, in words; '' where nobody said it."""
    office = surroundings_of(request).office
    try:
        found = "" if office is None else office.citations.of(instrument).title
    except BadInput:
        return ""
    return "" if found == instrument else found


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
