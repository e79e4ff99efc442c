"""How a release or a product is cited: text, BibTeX, RIS, CSL JSON, all from the metadata of its DOI."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select

from lake.catalogue.dois import Doi
from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.errors import BadInput, Reason
from lake.governance.doi import metadata
from lake.governance.doi.citation import Citation, Creator
from lake.governance.doi.curating import Subject
from lake.governance.doi.facts import Facts, summed
from lake.governance.doi.office import Office
from lake.governance.doi.states import State
from lake.lake import Lake


@dataclass(frozen=True)
class Cited:
    """What a citation says.

    Parameters
    ----------
    facts, citation
        What is cited, and whose it is.
    doi
        Its DOI where it resolves; else ''.
    notes
        What whoever cites has to know: no DOI yet, an embargo, a withdrawal, a practice DOI.
    """

    facts: Facts
    citation: Citation
    doi: str
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """What it is called."""
        return metadata.title(self.facts, self.citation)

    @property
    def year(self) -> int:
        """Of its publication; of data under embargo that of the embargo's end."""
        return metadata.available(self.facts).year

    @property
    def version(self) -> str:
        """Which, in a word; '' of a product in all its versions."""
        return "" if self.facts.version is None else str(self.facts.version)

    @property
    def url(self) -> str:
        """Where it is found; '' without a DOI."""
        return f"https://doi.org/{self.doi}" if self.doi else ""


def cited(lake: Lake, office: Office, subject: Subject, at: datetime | None = None) -> Cited:
    """What a citation of a release or product says.

    Raises
    ------
    BadInput
        When nobody said by whom the data are.
    """
    now = at or datetime.now(UTC)
    citation = office.citations.of(subject.product.scope)
    query = select(Release).where(Release.product_id == subject.product_id, Release.status != "DRAFT")
    wanted = select(Doi).where(Doi.product_id == subject.product_id, Doi.prefix == office.registry.prefix)
    if subject.release_id is None:
        wanted = wanted.where(Doi.release_id.is_(None))
    else:
        query = query.where(Release.id == subject.release_id)
        wanted = wanted.where(Doi.release_id == subject.release_id)
    with transaction(lake.sessions) as session:
        releases = session.scalars(query.order_by(Release.version)).all()
        doi = session.scalar(wanted)
    facts = summed(subject.product, releases, concept=subject.release_id is None)
    resolves = doi is not None and State(doi.known).public
    return Cited(
        facts,
        citation,
        doi.doi if doi is not None and resolves else "",
        tuple(_notes(office, facts, citation, doi, now)),
    )


def _notes(office: Office, facts: Facts, citation: Citation, doi: Doi | None, now: datetime) -> list[str]:
    notes = []
    if doi is None or not State(doi.known).public:
        option = "--concept " if facts.version is None else ""
        draft = "" if doi is None else f" (its draft {doi.doi} does not resolve)"
        notes.append(f"There is no DOI yet{draft}: heliolake doi publish {option}{facts.name}")
    elif facts.withdrawn:
        notes.append(f"It was WITHDRAWN: {doi.tombstone or 'no reason is known'}. Cite it as such.")
    elif doi.tombstone is not None:
        notes.append(f"Its DOI is hidden: {doi.tombstone}")
    elif metadata.available(facts) > now:
        notes.append(
            f"Under embargo until {metadata.available(facts):%Y-%m-%d}: its DOI is not findable yet."
        )
    elif State(doi.known) is not State.FINDABLE:
        notes.append("Its DOI resolves and is not findable yet: heliolake doi sync")
    if doi is not None and office.registry.practice:
        notes.append("The DOI is of a practice registry on this machine; not registered with DataCite.")
    if citation.of_tests:
        notes.append(f"Creators or publisher are TEST VALUES: say them in {office.citations.file}")
    return notes


def render(one: Cited, form: str) -> str:
    """A citation in one of the `FORMS`.

    Raises
    ------
    BadInput
        When there is no such form.
    """
    if form not in FORMS:
        raise BadInput(
            "there is no such form of a citation",
            keyword="--format",
            found=form,
            advice=f"one of {', '.join(FORMS)}",
            code=Reason.BAD_KEYWORD,
        )
    return FORMS[form](one)


def _text(one: Cited) -> str:
    """As DataCite recommends: Creator (Year): Title. Version. Publisher. Identifier."""
    who = "; ".join(creator.whole_name for creator in one.citation.creators)
    version = f" Version {one.version}." if one.version else ""
    where = one.url or one.facts.name
    state = " [withdrawn]" if one.facts.withdrawn else ""
    return f"{who} ({one.year}): {one.title}{state}.{version} {one.citation.publisher.name}. {where}"


def _bibtex(one: Cited) -> str:
    fields = {
        "author": " and ".join(_bibtex_name(creator) for creator in one.citation.creators),
        "title": f"{{{_tex(one.title)}}}",
        "year": str(one.year),
        "publisher": _tex(one.citation.publisher.name),
        "version": one.version,
        "doi": one.doi,
        "url": one.url,
        "note": _tex("; ".join(filter(None, ("Data set", one.facts.name, *_standing(one))))),
    }
    lines = [f"  {key} = {{{value}}}" for key, value in fields.items() if value]
    key = one.url or re.sub(r"[^A-Za-z0-9.:_-]", "-", one.facts.name)
    return "\n".join([f"@misc{{{key},", ",\n".join(lines), "}"])


def _ris(one: Cited) -> str:
    lines = [("TY", "DATA"), ("T1", one.title)]
    lines += [("AU", creator.whole_name) for creator in one.citation.creators]
    lines += [
        ("PY", str(one.year)),
        ("PB", one.citation.publisher.name),
        ("ET", one.version),
        ("DO", one.doi),
        ("UR", one.url),
        ("AN", one.facts.name),
    ]
    lines += [("N1", note) for note in _standing(one)]
    said = [f"{tag}  - {value}" for tag, value in lines if value]
    return "\n".join([*said, "ER  - "])


def _csl(one: Cited) -> str:
    item: dict[str, Any] = {
        "type": "dataset",
        "id": one.url or one.facts.name,
        "title": one.title,
        "author": [_csl_name(creator) for creator in one.citation.creators],
        "issued": {"date-parts": [[one.year]]},
        "publisher": one.citation.publisher.name,
        "version": one.version,
        "DOI": one.doi,
        "URL": one.url,
        "number": one.facts.name,
        "note": "; ".join(_standing(one)),
    }
    return json.dumps([{key: value for key, value in item.items() if value}], indent=2, ensure_ascii=False)


def _standing(one: Cited) -> list[str]:
    """What stands in a citation itself, and not only beside it."""
    return ["withdrawn"] if one.facts.withdrawn else []


def _bibtex_name(creator: Creator) -> str:
    return _tex(creator.whole_name) if creator.family else f"{{{_tex(creator.whole_name)}}}"


def _tex(text: str) -> str:
    """Text in which TeX finds nothing to obey."""
    escaped = text.replace("\\", r"\textbackslash ").replace("{", r"\{").replace("}", r"\}")
    return re.sub(r"([#$%&_])", r"\\\1", escaped).replace("~", r"\~{}").replace("^", r"\^{}")


def _csl_name(creator: Creator) -> dict[str, str]:
    if creator.family is None:
        return {"literal": creator.whole_name}
    return {"family": creator.family} | ({"given": creator.given} if creator.given else {})


FORMS: Final[dict[str, Callable[[Cited], str]]] = {
    "text": _text,
    "bibtex": _bibtex,
    "ris": _ris,
    "csl": _csl,
}
"""How a citation may be written."""
