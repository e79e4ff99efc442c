"""Many releases at once: those that are named, or all that match; asked about one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from lake.archive.asked import Asked
from lake.errors import BadInput, Reason
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.names import ProductKey, version_token
from lake.releases import finding
from lake.releases.search import resolve

MOST: Final = 10_000
"""Releases of one download."""
_PAGE: Final = 100
_NAMED: Final = 200

ProductName = Annotated[str, Field(pattern=r"^[!-~]{1,300}$")]


class Chosen(Asked):
    """Releases by their names, or all that match."""

    product: Annotated[
        tuple[ProductName, ...],
        Field(description="Names of releases, instead of what they match.", max_length=_NAMED),
    ] = ()


@dataclass(frozen=True)
class Named:
    """A release by its own name, and where its files go."""

    name: str
    folder: str


def chosen(lake: Lake, asked: Chosen, principal: Principal) -> Iterator[Named]:
    """The releases, one page of them in memory.

    Raises
    ------
    BadInput
        When there are none, or more than one download holds.
    """
    if asked.product:
        if asked.model_fields_set - {"product", "form", "by"}:
            raise BadInput(
                "releases are named, and what they are to match as well",
                keyword="product",
                advice="give the one or the other",
                code=Reason.BAD_KEYWORD,
            )
        return iter([_named(*_resolved(lake, one)) for one in dict.fromkeys(asked.product)])
    wanted = asked.wanted()
    number = finding.count(lake, wanted, principal, MOST + 1)
    if not number:
        raise BadInput("no release matches", advice="ask for less", code=Reason.NOT_FOUND)
    if number > MOST:
        raise BadInput(
            f"more than {MOST} releases match, too many for one download",
            found=f"more than {MOST}",
            advice="say more of what you want: a time span, a level, a target",
            code=Reason.TOO_LARGE,
        )
    return _pages(lake, wanted, principal)


def only(lake: Lake, product: str) -> tuple[Named, ProductKey]:
    """One release, as `chosen` gives it."""
    key, version = _resolved(lake, product)
    return _named(key, version), key


def _resolved(lake: Lake, product: str) -> tuple[ProductKey, int]:
    release, key = resolve(lake, product)
    return key, release.version


def _pages(lake: Lake, wanted: finding.Wanted, principal: Principal) -> Iterator[Named]:
    after = ""
    while True:
        page = finding.page(lake, wanted, principal, limit=_PAGE, after=after)
        for release, observation in page.rows:
            key = ProductKey(observation.scope, observation.name, release.level)
            yield _named(key, release.version)
        after = page.more
        if not after:
            return


def _named(key: ProductKey, version: int) -> Named:
    name = f"{key.name}@{version_token(version)}"
    return Named(name, name.replace(":", "/").replace("@", "."))
