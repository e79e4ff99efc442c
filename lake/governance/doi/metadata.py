"""DataCite metadata of a release or a product, made of facts and of what is said of its instrument's data.

Sent is what the newest JSON schema of the `datacite` library knows (4.5), and nothing that it does not: later
ones of kernel 4 add words to it and take none away. The library's validator looks at no format, so what has
one (dates, URIs, ORCID) is made here or has been looked at in `lake.governance.doi.citation`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lake.entries import in_utc
from lake.errors import BadInput, Fatal, Reason
from lake.governance.doi.citation import Citation, Creator, Funder, Organisation
from lake.governance.doi.facts import Facts

_ROR: Final = {"schemeUri": "https://ror.org"}
_ORCID: Final = "https://orcid.org"
_SPDX: Final = "https://spdx.org/licenses/"
_EMBARGOED: Final = "info:eu-repo/semantics/embargoedAccess"
_CLOSED: Final = "info:eu-repo/semantics/closedAccess"
_LONGEST_SHOWN: Final = 200
_OPEN: Final = "info:eu-repo/semantics/openAccess"


@dataclass(frozen=True)
class Tombstone:
    """Why a DOI is hidden, and since when."""

    reason: str
    since: datetime


def attributes(
    doi: str, facts: Facts, citation: Citation, landing: str, at: datetime, tombstone: Tombstone | None = None
) -> dict[str, Any]:
    """What a registry is told of a DOI.

    Parameters
    ----------
    doi
        The DOI.
    facts
        What it stands for.
    citation
        What is said of the data of its instrument.
    landing
        Address of its page, with ``{doi}``.
    at
        When: an embargo that has ended is none.
    tombstone
        Why it is hidden, where it is.
    """
    made: dict[str, Any] = {
        "doi": doi,
        "url": landing.format(doi=doi),
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "types": {
            "resourceTypeGeneral": "Dataset",
            "resourceType": f"Solar observations, level {facts.product.level}",
        },
        "titles": [{"title": title(facts, citation), "lang": citation.language}],
        "creators": [_creator(one) for one in citation.creators],
        "publisher": _publisher(citation.publisher),
        "publicationYear": str(available(facts).year),
        "language": citation.language,
        "subjects": [{"subject": one} for one in citation.subjects],
        "dates": _dates(facts, tombstone),
        "rightsList": _rights(facts, citation, at),
        "descriptions": _descriptions(facts, citation, tombstone),
        "fundingReferences": [_funding(one) for one in citation.funding],
        "relatedIdentifiers": [_related(relation, other) for relation, other in facts.relations],
        "relatedItems": [],
        "alternateIdentifiers": [
            {"alternateIdentifier": facts.name, "alternateIdentifierType": "Heliolake name"}
        ],
        "sizes": [f"{facts.files} files", f"{facts.bytes} bytes"],
        "formats": ["application/fits"],
    }
    if facts.version is not None:
        made["version"] = str(facts.version)
    _add_instrument(made, citation)
    return made


def title(facts: Facts, citation: Citation) -> str:
    """What it is called where it is cited."""
    return f"{citation.title}: {facts.product.observation}, level {facts.product.level}"


def available(facts: Facts) -> datetime:
    """From when on everybody may have it: DataCite's year of publication is that of an embargo's end."""
    times = [in_utc(one) for one in (facts.published, facts.free_at) if one is not None]
    if not times:
        raise Fatal(f"{facts.name} was never published and has nothing to cite.")
    return max(times)


def digest(made: dict[str, Any]) -> str:
    """A hash of metadata by which they are known again."""
    text = json.dumps(made, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def validate(made: dict[str, Any]) -> None:
    """Refuse metadata that DataCite's schema does not know, before they are sent.

    Raises
    ------
    BadInput
        Naming the first place that is wrong.
    """
    from datacite import schema45  # reads XML and JSON schemas: not for who only cites

    for error in schema45.validator.iter_errors(made):
        where = ".".join(map(str, error.absolute_path)) or "the whole"
        raise BadInput(
            f"the metadata of {made['doi']} do not fit DataCite's schema 4.5",
            keyword=where,
            found=error.message[:_LONGEST_SHOWN],
            advice="put it right in governance.yaml; nothing was sent",
            code=Reason.BAD_KEYWORD,
        )


def _creator(creator: Creator) -> dict[str, Any]:
    made: dict[str, Any] = {"name": creator.whole_name}
    if creator.family is None:
        return made | {"nameType": "Organizational"}
    made |= {"nameType": "Personal", "familyName": creator.family}
    if creator.given:
        made["givenName"] = creator.given
    if creator.orcid:
        identifier = {
            "nameIdentifier": f"{_ORCID}/{creator.orcid}",
            "nameIdentifierScheme": "ORCID",
            "schemeUri": _ORCID,
        }
        made["nameIdentifiers"] = [identifier]
    if creator.affiliation:
        made["affiliation"] = [_affiliation(one) for one in creator.affiliation]
    return made


def _affiliation(place: Organisation) -> dict[str, str]:
    if place.ror is None:
        return {"name": place.name}
    return {
        "name": place.name,
        "affiliationIdentifier": place.ror,
        "affiliationIdentifierScheme": "ROR",
        **_ROR,
    }


def _publisher(publisher: Organisation) -> dict[str, str]:
    if publisher.ror is None:
        return {"name": publisher.name}
    return {
        "name": publisher.name,
        "publisherIdentifier": publisher.ror,
        "publisherIdentifierScheme": "ROR",
        **_ROR,
    }


def _funding(funder: Funder) -> dict[str, str]:
    said = {
        "funderName": funder.name,
        "funderIdentifier": funder.ror,
        "funderIdentifierType": "ROR" if funder.ror else None,
        "awardNumber": funder.award,
        "awardTitle": funder.award_title,
        "awardUri": funder.award_uri,
    }
    return {key: value for key, value in said.items() if value is not None}


def _dates(facts: Facts, tombstone: Tombstone | None) -> list[dict[str, str]]:
    made = []
    if facts.date_beg is not None:
        begin, end = _second(facts.date_beg), _second(facts.date_end or facts.date_beg)
        made.append({"date": f"{begin}/{end}", "dateType": "Collected"})
    if facts.published is not None:
        made.append({"date": _second(facts.published), "dateType": "Issued"})
    made.append({"date": _second(available(facts)), "dateType": "Available"})
    if facts.withdrawn and tombstone is not None:
        made.append({"date": _second(tombstone.since), "dateType": "Withdrawn"})
    return made


def _rights(facts: Facts, citation: Citation, at: datetime) -> list[dict[str, str]]:
    made = []
    if citation.licence is not None:
        licence = {"rights": citation.licence.name, "rightsUri": citation.licence.uri}
        if citation.licence.spdx:
            licence |= {
                "rightsIdentifier": citation.licence.spdx,
                "rightsIdentifierScheme": "SPDX",
                "schemeUri": _SPDX,
            }
        made.append(licence)
    if facts.withdrawn:
        made.append({"rights": "Withdrawn: not given out", "rightsUri": _CLOSED})
    elif in_utc(at) < available(facts):
        day = f"{available(facts):%Y-%m-%d}"
        made.append({"rights": f"Embargoed until {day}; metadata are open", "rightsUri": _EMBARGOED})
    else:
        made.append({"rights": "Open access", "rightsUri": _OPEN})
    return made


def _descriptions(facts: Facts, citation: Citation, tombstone: Tombstone | None) -> list[dict[str, str]]:
    made = []
    if tombstone is not None:
        word = "WITHDRAWN" if facts.withdrawn else "HIDDEN"
        made.append({"description": f"{word}: {tombstone.reason}", "descriptionType": "Other"})
    if citation.description:
        made.append({"description": citation.description, "descriptionType": "Abstract"})
    if facts.recipe:
        made.append({"description": f"Made by recipe {facts.recipe}", "descriptionType": "Methods"})
    return made


def _related(relation: str, doi: str) -> dict[str, str]:
    return {
        "relationType": relation,
        "relatedIdentifier": doi,
        "relatedIdentifierType": "DOI",
        "resourceTypeGeneral": "Dataset",
    }


def _add_instrument(made: dict[str, Any], citation: Citation) -> None:
    """The instrument by its identifier where it has one, else by its name."""
    if citation.instrument is None:
        return
    if citation.instrument.doi is not None:
        related = _related("IsCollectedBy", citation.instrument.doi)
        made["relatedIdentifiers"].append(related | {"resourceTypeGeneral": "Instrument"})
    made["relatedItems"].append(
        {
            "relatedItemType": "Instrument",
            "relationType": "IsCollectedBy",
            "titles": [{"title": citation.instrument.name}],
        }
    )


def _second(moment: datetime) -> str:
    return in_utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
