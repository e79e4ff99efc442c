"""What a practice registry does with a request: DataCite's documented behaviour, without any network.

It is no DataCite: what it registers is known to this machine alone. Followed are DataCite's REST API guide
and the source of its service (`datacite/lupo`): states draft, registered and findable; an event that is
illegal in a state does nothing and is not refused; address and metadata are looked at only from registered
on; only drafts can be deleted; what is not findable is not there for the public; PUT of what is unknown
makes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

_DOI: Final = re.compile(r"10\.\d{4,5}/[-._;()/:a-zA-Z0-9*~$=]+")
_URL: Final = re.compile(r"(https?|ftp)://\S+")
_EVENTS: Final = {
    ("draft", "register"): "registered",
    ("draft", "publish"): "findable",
    ("registered", "publish"): "findable",
    ("registered", "show"): "findable",
    ("findable", "hide"): "registered",
}
_ALLOWED: Final = "HEAD, GET, POST, PATCH, PUT, OPTIONS"
_REQUIRED: Final = ("creators", "titles", "publisher", "publicationYear", "types")
#: What a client cannot set.
_OWN: Final = {"doi", "event", "state", "prefix", "suffix", "created", "registered", "published", "updated"}


class Records(Protocol):
    """Where a registry keeps what it knows: one document for each DOI, by its lower-case name."""

    def held(self) -> AbstractContextManager[None]:
        """Keep others out meanwhile."""

    def get(self, doi: str) -> dict[str, Any] | None:
        """A record, if there is one."""

    def put(self, doi: str, record: dict[str, Any]) -> None:
        """Write a record, whole or not at all."""

    def remove(self, doi: str) -> None:
        """Forget a record."""


@dataclass(frozen=True)
class Answer:
    """What a request is answered."""

    status: int
    document: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PracticeRegistry:
    """A registry with one repository.

    Parameters
    ----------
    records
        Where it keeps what it knows.
    repository, password
        Who may register.
    prefix
        Under which prefix.
    """

    records: Records
    repository: str
    password: str = field(repr=False)
    prefix: str

    def answer(
        self, method: str, path: str, body: bytes, login: tuple[str, str] | None, *, whole: bool = True
    ) -> Answer:
        """Do what a request asks for.

        Parameters
        ----------
        method, path, body
            The request; the path without its query.
        login
            Name and password it came with; None for the public.
        whole
            Whether publishers are wanted as objects.
        """
        if path == "/heartbeat":
            return Answer(200)
        if login is not None and login != (self.repository, self.password):
            return _refused(401, "Bad credentials.")
        collection, _, doi = path.removeprefix("/").partition("/")
        if collection != "dois":
            return _refused(404, "The resource you are looking for doesn't exist.")
        doi = doi.lower()
        with self.records.held():
            if method in ("GET", "HEAD"):
                return self._shown(doi, owner=login is not None, whole=whole)
            if login is None:
                return _refused(401, "Bad credentials.")
            if method == "DELETE":
                return self._deleted(doi)
            if method not in ("POST", "PUT", "PATCH"):
                return _refused(405, "Method not allowed", {"Allow": _ALLOWED})
            given = _attributes(body)
            if given is None:
                return _refused(400, "You need to provide a payload following the JSONAPI spec")
            if method == "POST":
                return self._created(str(given.get("doi") or "").lower(), given, whole=whole)
            return self._changed(doi, given, whole=whole)

    def _shown(self, doi: str, *, owner: bool, whole: bool) -> Answer:
        record = self.records.get(doi)
        if record is None or (record["state"] != "findable" and not owner):
            return _refused(404, "The resource you are looking for doesn't exist.")
        return Answer(200, _document(record, whole=whole))

    def _deleted(self, doi: str) -> Answer:
        record = self.records.get(doi)
        if record is None:
            return _refused(404, "The resource you are looking for doesn't exist.")
        if record["state"] != "draft":
            return _refused(405, "Method not allowed", {"Allow": _ALLOWED})
        self.records.remove(doi)
        return Answer(204)

    def _created(self, doi: str, given: dict[str, Any], *, whole: bool) -> Answer:
        if not _DOI.fullmatch(doi):
            return _invalid("doi", "Is invalid")
        if not doi.startswith(f"{self.prefix}/"):
            return _refused(403, "You are not authorized to access this resource.")
        if self.records.get(doi) is not None:
            return _invalid("doi", "This DOI has already been taken", doi)
        record = {"doi": doi, "state": "draft", "created": _now(), "attributes": {}}
        return self._saved(record, given, 201, whole=whole)

    def _changed(self, doi: str, given: dict[str, Any], *, whole: bool) -> Answer:
        record = self.records.get(doi)
        if record is None:
            return self._created(doi, given, whole=whole)
        return self._saved(record, given, 200, whole=whole)

    def _saved(self, record: dict[str, Any], given: dict[str, Any], status: int, *, whole: bool) -> Answer:
        said = {key: value for key, value in given.items() if key not in _OWN}
        attributes = record["attributes"] | said
        state = _EVENTS.get((record["state"], str(given.get("event", ""))), record["state"])
        if state != "draft":
            for where, wrong in _wrong(attributes):
                return _invalid(where, wrong, record["doi"])
        made = record | {"attributes": attributes, "state": state, "updated": _now()}
        for key, reached in (("registered", state != "draft"), ("published", state == "findable")):
            if reached:
                made.setdefault(key, made["updated"])
        self.records.put(record["doi"], made)
        return Answer(status, _document(made, whole=whole))


def _attributes(body: bytes) -> dict[str, Any] | None:
    """The attributes of a JSON:API document."""
    try:
        found = json.loads(body)["data"]["attributes"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _wrong(attributes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What keeps metadata from being registered."""
    url = str(attributes.get("url") or "")
    if not url:
        yield "url", "Can't be blank"
    elif not _URL.fullmatch(url):
        yield "url", "URL is not valid"
    for key in _REQUIRED:
        if not attributes.get(key):
            yield key, "Missing child element(s). This element is expected."
    types = attributes.get("types")
    if not (isinstance(types, dict) and types.get("resourceTypeGeneral")):
        yield "types", "resourceTypeGeneral is required"
    if not re.fullmatch(r"\d{4}", str(attributes.get("publicationYear"))):
        yield "publicationYear", "is not a year"


def _document(record: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    attributes = dict(record["attributes"])
    publisher = attributes.get("publisher")
    if isinstance(publisher, dict) and not whole:
        attributes["publisher"] = publisher.get("name")
    dates = {key: record.get(key) for key in ("created", "registered", "published", "updated")}
    prefix, _, suffix = record["doi"].partition("/")
    attributes |= {
        "doi": record["doi"],
        "prefix": prefix,
        "suffix": suffix,
        "state": record["state"],
        **dates,
    }
    return {"data": {"id": record["doi"], "type": "dois", "attributes": attributes}}


def _refused(status: int, title: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"errors": [{"status": str(status), "title": title}]}, headers or {})


def _invalid(source: str, title: str, doi: str = "") -> Answer:
    error = {"source": source, "title": title} | ({"uid": doi} if doi else {})
    return Answer(422, {"errors": [error]})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
