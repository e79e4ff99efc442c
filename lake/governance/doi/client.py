"""A registry of DOIs through its REST API, by the `datacite` library, with its traps removed.

The library tells 422 and 405 as errors of the server, to be tried again; takes 201 for a failure of
`put_doi`; and loses the key `doi` of what `update_doi` is given. Here the status decides what a failure
means, what is not there is made by POST and what is there changed by PUT, and both are given all attributes.
"""

from __future__ import annotations

import json
from typing import Any, Final

import requests
from datacite import DataCiteRESTClient
from datacite.errors import DataCiteError, HttpError
from datacite.request import DataCiteRequest

from lake.errors import BadInput, Fatal, Reason, Retriable
from lake.governance.doi.registry import Registry
from lake.governance.doi.states import State, event
from lake.text import printable

_AGAIN: Final = {408, 409, 425, 429}
_LONGEST_SHOWN: Final = 300
#: By default publishers are a plain text and affiliations names alone.
_WHOLE: Final = {"publisher": "true", "affiliation": "true"}


class _Watched(DataCiteRequest):  # type: ignore[misc]  # the library has no types
    """Requests of which the status is known afterwards; never through a proxy, where it is this machine."""

    status: int | None = None

    def request(
        self, url: str, method: str = "GET", body: Any = None, params: Any = None, headers: Any = None
    ) -> requests.Response:
        self.status = None
        with requests.Session() as session:
            session.trust_env = "://127.0.0.1" not in self.base_url
            try:
                answer = session.request(
                    method,
                    self.base_url + url,
                    data=body.encode() if isinstance(body, str) else body,
                    params={**self.default_params, **(params or {})},
                    headers=headers,
                    auth=(self.username, self.password),
                    timeout=self.timeout,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise HttpError(error) from error
        self.status = answer.status_code
        return answer


class _Client(DataCiteRESTClient):  # type: ignore[misc]
    """The library's client, whose last request can be asked for its status."""

    last: _Watched

    def _create_request(self) -> _Watched:
        self.last = _Watched(
            base_url=self.api_url,
            username=self.username,
            password=self.password,
            default_params=dict(_WHOLE),
            timeout=self.timeout,
        )
        return self.last


class Registrar:
    """What is done at a registry.

    Parameters
    ----------
    registry
        Which, and as whom.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._client = _Client(
            registry.repository,
            registry.password,
            registry.prefix,
            url=registry.url,
            timeout=(min(10.0, registry.timeout), registry.timeout),
        )

    def read(self, doi: str) -> dict[str, Any] | None:
        """What the registry has of a DOI, `state` included; None where it has none of ours.

        Raises
        ------
        Retriable
            When it does not answer, or that it cannot.
        Fatal
            When it refuses us.
        """
        try:
            found: dict[str, Any] = self._client.get_metadata(doi)
        except (DataCiteError, HttpError, ValueError, KeyError, TypeError) as error:
            if self._client.last.status == requests.codes.not_found:
                return None
            raise self._meaning(error, doi) from error
        return found

    def send(self, attributes: dict[str, Any], there: State, wanted: State) -> State:
        """Tell the registry all of a DOI, and bring it to a state; what it is then, as read back.

        An event that is illegal where the DOI stands does nothing and is not refused: only the answer
        says what became of it.

        Parameters
        ----------
        attributes
            All that is said of it.
        there
            What it was when it was read.
        wanted
            What it is to be.

        Raises
        ------
        Retriable
            When there is no answer: whether it was done is not known.
        Fatal
            When the registry refuses us.
        BadInput
            When it refuses what it was told, or stays silently in another state.
        """
        doi = attributes["doi"]
        said = dict(attributes)
        if happens := event(there, wanted):
            said["event"] = happens
        data = {"id": doi, "type": "dois", "attributes": said}
        try:
            if there is State.NONE:
                self._client.post_doi(data)
            else:
                self._client.put_doi(doi, data)
        except (DataCiteError, HttpError, ValueError, KeyError, TypeError) as error:
            raise self._meaning(error, doi) from error
        return self._settled(attributes, wanted)

    def _settled(self, attributes: dict[str, Any], wanted: State) -> State:
        after = self.read(attributes["doi"])
        found = State.of(after)
        if found is not wanted:
            raise BadInput(
                f"{self.registry.url} took {attributes['doi']} and left it {found} instead of {wanted}",
                keyword="state",
                found=found,
                advice="look at it there, then run: heliolake doi sync",
            )
        if after is not None and after.get("url") != attributes["url"]:
            raise BadInput(
                f"{self.registry.url} took {attributes['doi']} and lets it lead elsewhere",
                keyword="url",
                found=after.get("url"),
                advice="look at it there, then run: heliolake doi sync",
            )
        return found

    def _meaning(self, error: Exception, doi: str) -> Exception:
        """What a failure means: to be tried again, to be put right, or of no use for any DOI."""
        status, url = self._client.last.status, self.registry.url
        told = _told(error)
        if status is None or status in _AGAIN or status >= 500:
            how = f"does not answer ({told})" if status is None else f"answers {status} ({told})"
            return Retriable(
                f"The registry {url} {how}. Whether {doi} was changed is not known: "
                "run `heliolake doi sync` later; it looks first."
            )
        if status in (401, 403):
            return Fatal(
                f"The registry {url} refuses {self.registry.repository} ({status}: {told}). "
                "Put repository, password_file and prefix right in governance.yaml."
            )
        if status in (200, 201):
            return Fatal(f"{url} answers, but not as DataCite's REST API does. Is its address right?")
        taken = "already been taken" in told
        return BadInput(
            f"{doi} belongs to somebody else" if taken else f"the registry refuses {doi} ({status}): {told}",
            keyword="doi",
            found=doi,
            advice="set another doi.namespace in governance.yaml"
            if taken
            else "put right what it names, then run: heliolake doi sync",
            code=Reason.NAME_CONFLICT if taken else Reason.OTHER,
        )


def _told(error: Exception) -> str:
    """What the registry said, in a line: of JSON:API errors their titles, of anything else the beginning."""
    text = str(error)
    try:
        errors = json.loads(text)["errors"]
        text = "; ".join(
            ": ".join(str(one[key]) for key in ("source", "title") if one.get(key)) for one in errors
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return printable(" ".join(text.split()))[:_LONGEST_SHOWN]
