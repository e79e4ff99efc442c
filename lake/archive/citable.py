"""Where DOIs lead machines, and metadata of releases: in the forms that catalogues and people who cite want.

A browser is led to the page of a DOI where the archive has pages; whoever asks for another form gets that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from lake.archive import linked, signposts
from lake.archive.asking import Asker, OfLake
from lake.archive.landing import Landing, of_doi, of_release
from lake.archive.links import API
from lake.archive.negotiation import HTML, preferred
from lake.archive.problems import problem
from lake.archive.surroundings import surroundings_of
from lake.errors import BadInput, Reason
from lake.governance.doi import metadata
from lake.governance.doi.cite import render
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.releases.search import listed_files

router = APIRouter(tags=["citation"])

_FILES: Final = 1000
Form = Literal["schema", "croissant", "datacite", "csl", "bibtex", "ris", "text", "linkset"]
MEDIA: Final[dict[Form, str]] = {
    "schema": "application/ld+json",
    "croissant": f"application/ld+json; profile={linked.CROISSANT}",
    "datacite": "application/vnd.datacite.datacite+json",
    "csl": "application/vnd.citationstyles.csl+json",
    "bibtex": "application/x-bibtex",
    "ris": "application/x-research-info-systems",
    "text": "text/x-bibliography",
    "linkset": "application/linkset+json",
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Its metadata.", "content": {one.partition(";")[0]: {} for one in MEDIA.values()}}
}
_LANDED: Final[dict[int | str, dict[str, Any]]] = _ANSWERS | {
    406: {"description": "It has no such form.", "content": {"application/problem+json": {}}},
    410: {
        "description": "It was withdrawn; what it was, and why it is not there any more.",
        "content": {**_ANSWERS[200]["content"], "text/html": {}},
    },
}


@dataclass(frozen=True)
class _Asked:
    """What is told, where it is, and who asks for it."""

    request: Request
    lake: Lake
    principal: Principal
    landing: Landing

    @property
    def base(self) -> str:
        """Address of the archive."""
        return str(self.request.base_url).rstrip("/")

    @property
    def document(self) -> str:
        """Address of the release, or of the product."""
        facts = self.landing.facts
        kind = "products" if facts.version is None else "releases"
        return f"{self.base}{API}/{kind}/{quote(facts.name, safe=':@')}"

    @property
    def release(self) -> str:
        """Address of the release that is given out."""
        return f"{self.base}{API}/releases/{quote(self.landing.facts.name, safe=':@')}"

    @property
    def places(self) -> linked.Places:
        """Where the archive has it."""
        landing = f"{self.base}/doi/{self.landing.doi}" if self.landing.doi else self.document
        return linked.Places(landing, self.document, f"{self.release}/download", f"{self.base}{API}/releases")

    def files(self) -> list[dict[str, Any]]:
        """Some of the files, as far as somebody may know them; none of what is withdrawn."""
        if self.landing.facts.withdrawn:
            return []
        try:
            _, _, found = listed_files(self.lake, self.landing.facts.name, self.principal, limit=_FILES)
        except BadInput:  # of a product no release holds
            return []
        return [one | {"url": f"{self.release}/files/{quote(one['name'])}"} for one in found]

    def signs(self) -> list[signposts.Sign]:
        """Where it leads."""
        forms = {
            media: f"{self.release}/metadata?form={form}"
            for form, media in MEDIA.items()
            if self.landing.citation is not None or form in ("schema", "croissant", "linkset")
        }
        return list(signposts.signs(self.landing, self.places, forms, [one["url"] for one in self.files()]))


def _schema(asked: _Asked) -> str:
    return _json(linked.schema_org(asked.landing, asked.places, datetime.now(UTC)))


def _croissant(asked: _Asked) -> str:
    return _json(linked.croissant(asked.landing, asked.places, asked.files(), datetime.now(UTC)))


def _datacite(asked: _Asked) -> str:
    landing, places = asked.landing, asked.places
    if landing.citation is None:
        raise _unsaid(landing)
    at = datetime.now(UTC)
    made = metadata.attributes(
        landing.doi, landing.facts, landing.citation, places.landing, at, landing.tombstone
    )
    return _json(made if landing.doi else {name: one for name, one in made.items() if name != "doi"})


def _linkset(asked: _Asked) -> str:
    return _json(signposts.linkset(asked.places.landing, asked.signs()))


def _citation(form: str) -> Callable[[_Asked], str]:
    def made(asked: _Asked) -> str:
        cited = asked.landing.cited
        if cited is None:
            raise _unsaid(asked.landing)
        return render(cited, form)

    return made


_MAKE: Final[Mapping[Form, Callable[[_Asked], str]]] = {
    "schema": _schema,
    "croissant": _croissant,
    "datacite": _datacite,
    "csl": _citation("csl"),
    "bibtex": _citation("bibtex"),
    "ris": _citation("ris"),
    "text": _citation("text"),
    "linkset": _linkset,
}


landing_router = APIRouter(tags=["citation"])


@landing_router.get("/doi/{doi:path}", summary="Where a DOI leads", responses=_LANDED)
def landing(request: Request, lake: OfLake, principal: Asker, doi: str) -> Response:
    """Its metadata, in the form that `Accept` asks for; of what was withdrawn with status 410."""
    found = _Asked(request, lake, principal, of_doi(lake, surroundings_of(request).office, doi))
    accept = request.headers.get("accept", "")
    media = preferred(accept, list(MEDIA.values()))
    if media is None and preferred(accept, [HTML]) is None:
        return problem(
            HTTPStatus.NOT_ACCEPTABLE,
            "There is no such form of it.",
            code="not-acceptable",
            advice=f"Accept one of {', '.join(MEDIA.values())}.",
        )
    form: Form = next((one for one, kind in MEDIA.items() if kind == media), "schema")
    return _answer(found, form, HTTPStatus.GONE if found.landing.facts.withdrawn else HTTPStatus.OK)


@router.get("/releases/{product}/metadata", summary="Metadata, to be read elsewhere", responses=_ANSWERS)
def metadata_of(
    request: Request,
    lake: OfLake,
    principal: Asker,
    product: str,
    form: Annotated[Form, Query(description="How it is said.")] = "schema",
) -> Response:
    """As schema.org, Croissant or DataCite have it, as a citation, or as links (RFC 9264)."""
    office = surroundings_of(request).office
    return _answer(_Asked(request, lake, principal, of_release(lake, office, product)), form)


def schema_of(request: Request, lake: Lake, principal: Principal, found: Landing) -> dict[str, Any]:
    """What a page about it tells search engines (schema.org)."""
    asked = _Asked(request, lake, principal, found)
    return linked.schema_org(found, asked.places, datetime.now(UTC))


def signposts_of(request: Request, lake: Lake, principal: Principal, found: Landing) -> str:
    """The header `Link` of a page about it."""
    return signposts.header(_Asked(request, lake, principal, found).signs())


def _answer(asked: _Asked, form: Form, status: HTTPStatus = HTTPStatus.OK) -> Response:
    headers = {
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Authorization",
        "Link": signposts.header(asked.signs()),
    }
    media, semicolon, profile = MEDIA[form].partition("; profile=")
    if semicolon:
        media = f'{media}; profile="{profile}"'
    elif media.startswith("text/"):
        media = f"{media}; charset=utf-8"
    return Response(_MAKE[form](asked), status, headers | {"Content-Type": media})


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)


def _unsaid(landing: Landing) -> BadInput:
    return BadInput(
        "nobody has said by whom these data are",
        found=landing.facts.product.scope,
        advice="ask the data centre; schema, croissant and linkset tell what is known",
        code=Reason.NOT_FOUND,
    )
