"""Signposts (FAIR Signposting): links by which machines find what belongs to a release and how to cite it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from lake.archive.landing import Landing
from lake.archive.linked import Places

_IN_HEADER: Final = 20
"""Links to files in a header, which is to stay short; the linkset has all."""


class Sign(NamedTuple):
    """A link, what it leads to, and of which media type and profile of it that is."""

    url: str
    relation: str
    media_type: str = ""
    profile: str = ""

    @property
    def told(self) -> str:
        """As a header has it: a media type of RFC 8288 has no parameters, a profile stands beside it."""
        said = (("rel", self.relation), ("type", self.media_type), ("profile", self.profile))
        return "; ".join([f"<{self.url}>", *(f'{name}="{value}"' for name, value in said if value)])


def signs(landing: Landing, places: Places, forms: dict[str, str], files: Sequence[str]) -> Iterator[Sign]:
    """Where a release or product leads.

    Parameters
    ----------
    landing, places
        What it is, and where.
    forms
        Address of each form of its metadata, by media type, perhaps with a profile.
    files
        Addresses of its files.
    """
    if landing.url:
        yield Sign(landing.url, "cite-as")
    yield Sign("https://schema.org/Dataset", "type")
    yield Sign("https://schema.org/AboutPage", "type")
    for form, url in forms.items():
        media_type, _, profile = form.partition("; profile=")
        relation = "linkset" if media_type == "application/linkset+json" else "describedby"
        yield Sign(url, relation, media_type, profile)
    if landing.citation is not None:
        for creator in landing.citation.creators:
            if creator.orcid:
                yield Sign(f"https://orcid.org/{creator.orcid}", "author")
        if landing.citation.licence is not None:
            yield Sign(landing.citation.licence.uri, "license")
    for url in files:
        yield Sign(url, "item", "application/fits")


def header(several: Sequence[Sign]) -> str:
    """As a header `Link`; of many files some."""
    items = [one for one in several if one.relation == "item"]
    shown = [one for one in several if one.relation != "item"] + items[:_IN_HEADER]
    return ", ".join(one.told for one in shown)


def linkset(anchor: str, several: Sequence[Sign]) -> dict[str, Any]:
    """As a linkset (RFC 9264)."""
    said: dict[str, Any] = {"anchor": anchor}
    for one in several:
        link: dict[str, Any] = {"href": one.url} | ({"type": one.media_type} if one.media_type else {})
        if one.profile:
            link["profile"] = [one.profile]  # as RFC 9264 has target attributes that it does not know
        said.setdefault(one.relation, []).append(link)
    return {"linkset": [said]}
