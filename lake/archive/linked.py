"""A release or product as linked data: schema.org's Dataset, and Croissant, which says how to load it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lake.archive.landing import Landing
from lake.entries import in_utc, iso
from lake.governance.doi import metadata
from lake.governance.doi.citation import Citation, Creator, Organisation
from lake.governance.doi.cite import render

CROISSANT: Final = "http://mlcommons.org/croissant/1.0"
_FITS: Final = "application/fits"
#: As Croissant's specification 1.0 and its own checker (mlcroissant 1.1.1) give it, word for word.
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


@dataclass(frozen=True)
class Places:
    """Where the archive has it: its page, its document, all its files as one, and the archive itself."""

    landing: str
    document: str
    download: str
    archive: str


def schema_org(landing: Landing, places: Places, at: datetime) -> dict[str, Any]:
    """As schema.org's Dataset: what search engines read.

    Parameters
    ----------
    landing
        What it is.
    places
        Where the archive has it.
    at
        When: an embargo that has ended is none.
    """
    return {"@context": "https://schema.org/", "@type": "Dataset", **_said(landing, places, at)} | {
        "distribution": [
            {
                "@type": "DataDownload",
                "contentUrl": places.download,
                "encodingFormat": ["application/zip", _FITS],
                "contentSize": f"{landing.facts.bytes} B",
            }
        ]
        if not landing.facts.withdrawn
        else []
    }


def croissant(
    landing: Landing, places: Places, files: Sequence[dict[str, Any]], at: datetime
) -> dict[str, Any]:
    """As Croissant, with the files of which whoever asks may know the sums.

    Parameters
    ----------
    landing, places, at
        As `schema_org` takes them.
    files
        Each with `name`, `size`, `url` and, for those who may have it, `sha256`.
    """
    said = _said(landing, places, at)
    cited = landing.cited
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CROISSANT,
        **said,
        **({} if cited is None else {"citeAs": render(cited, "bibtex")}),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file["name"],
                "name": file["name"],
                "contentUrl": file["url"],
                "contentSize": f"{file['size']} B",
                "encodingFormat": _FITS,
                "sha256": file["sha256"],
            }
            for file in files
            if "sha256" in file
        ],
    }


def _said(landing: Landing, places: Places, at: datetime) -> dict[str, Any]:
    facts, citation = landing.facts, landing.citation
    free = metadata.available(facts)
    identifiers = [{"@type": "PropertyValue", "propertyID": "Heliolake name", "value": facts.name}]
    if landing.doi:
        doi = {"@type": "PropertyValue", "propertyID": "https://registry.identifiers.org/registry/doi"}
        identifiers.insert(0, doi | {"value": f"doi:{landing.doi}", "url": landing.url})
    begun = in_utc(facts.date_beg).isoformat() if facts.date_beg else ""
    ended = in_utc(facts.date_end or facts.date_beg).isoformat() if facts.date_beg else ""
    said: dict[str, Any] = {
        "@id": landing.url or places.document,
        "identifier": identifiers,
        "url": places.landing,
        "name": landing.title,
        "description": _description(landing),
        "version": "" if facts.version is None else str(facts.version),
        "datePublished": f"{free:%Y-%m-%d}",
        "dateCreated": iso(facts.published),
        "temporalCoverage": f"{begun}/{ended}" if begun else "",
        "isAccessibleForFree": not facts.withdrawn,
        "conditionsOfAccess": _conditions(landing, free, at),
        "creativeWorkStatus": "Withdrawn" if facts.withdrawn else "Published",
        "includedInDataCatalog": {"@type": "DataCatalog", "url": places.archive},
        **({} if citation is None else _by(citation)),
    }
    return {name: one for name, one in said.items() if one not in ("", None, [])}


def _by(citation: Citation) -> dict[str, Any]:
    """Who made it, paid for it and gives it out, on which terms."""
    return {
        "creator": [_creator(one) for one in citation.creators],
        "publisher": _organisation(citation.publisher),
        "license": citation.licence.uri if citation.licence else "",
        "keywords": list(citation.subjects),
        "funder": [
            {"@type": "Organization", "name": one.name} | ({"@id": one.ror} if one.ror else {})
            for one in citation.funding
        ],
        "measurementTechnique": citation.instrument.name if citation.instrument else "",
        "inLanguage": citation.language,
    }


def _creator(creator: Creator) -> dict[str, Any]:
    if creator.family is None:
        return {"@type": "Organization", "name": creator.whole_name}
    made: dict[str, Any] = {"@type": "Person", "name": creator.whole_name, "familyName": creator.family}
    if creator.given:
        made["givenName"] = creator.given
    if creator.orcid:
        made["@id"] = f"https://orcid.org/{creator.orcid}"
    if creator.affiliation:
        made["affiliation"] = [_organisation(one) for one in creator.affiliation]
    return made


def _organisation(place: Organisation) -> dict[str, str]:
    return {"@type": "Organization", "name": place.name} | ({"@id": place.ror} if place.ror else {})


def _description(landing: Landing) -> str:
    facts = landing.facts
    said = landing.citation.description if landing.citation else None
    product = facts.product
    what = f"Solar observations {product.observation} of {product.scope}, level {product.level}"
    made = f", made by recipe {facts.recipe}" if facts.recipe else ""
    gone = f"WITHDRAWN: {landing.tombstone.reason}. " if landing.tombstone and facts.withdrawn else ""
    return f"{gone}{said + ' ' if said else ''}{what}{made}: {facts.files} FITS files."


def _conditions(landing: Landing, free: datetime, at: datetime) -> str:
    if landing.facts.withdrawn:
        return "Withdrawn: not given out"
    if in_utc(at) < free:
        return f"Embargoed until {free:%Y-%m-%d}; metadata are open"
    return "Open access"
