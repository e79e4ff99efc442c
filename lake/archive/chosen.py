"""Many releases at once: those that are named, or all that match; asked about one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

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
_FILES: Final = 100_000

ProductName = Annotated[str, Field(pattern=r"^[!-~]{1,300}$")]
FileName = Annotated[str, Field(pattern=r"^[!-~]{1,250}$")]


class Chosen(Asked):
    """Releases by their names, or all that match; of very many a part."""

    product: Annotated[
        tuple[ProductName, ...],
        Field(description="Names of releases, instead of what they match.", max_length=_NAMED),
    ] = ()
    limit: Annotated[
        int | None,
        Field(ge=1, le=MOST, description="At most so many releases: `next` tells where the others are."),
    ] = None
    after: Annotated[
        str, Field(description="As `next` of the part before has it.", pattern=r"^[A-Za-z0-9_-]{0,800}$")
    ] = ""


class Some(BaseModel):
    """A release, and which of its files: all, where none is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    product: ProductName
    files: Annotated[tuple[FileName, ...], Field(max_length=_FILES)] = ()


class Order(BaseModel):
    """Releases and files by their names, more than an address has room for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    releases: Annotated[tuple[Some, ...], Field(min_length=1, max_length=MOST)]

    def named(self) -> Iterator[Named]:
        """As `Choice` has them; whether there are such is seen when their turn comes."""
        for one in self.releases:
            yield Named(one.product, "", frozenset(one.files))


@dataclass(frozen=True)
class Named:
    """A release by its own name, where its files go, and which of them (all, where none is named)."""

    name: str
    folder: str
    files: frozenset[str] = frozenset()


class Choice:
    """Releases that were asked for, to be gone through once.

    Attributes
    ----------
    more
        From where the next part goes on: known behind the last, "" where there is none.
    """

    def __init__(self, releases: Iterable[Named]) -> None:
        self._releases = releases
        self.more = ""

    def __iter__(self) -> Iterator[Named]:
        return iter(self._releases)

    @classmethod
    def matching(
        cls, lake: Lake, wanted: finding.Wanted, principal: Principal, limit: int, after: str
    ) -> Choice:
        """So many of those that match, one page of them in memory."""
        made = cls(())
        made._releases = made._pages(lake, wanted, principal, limit, after)
        return made

    def _pages(
        self, lake: Lake, wanted: finding.Wanted, principal: Principal, left: int, after: str
    ) -> Iterator[Named]:
        while left:
            page = finding.page(lake, wanted, principal, limit=min(_PAGE, left), after=after)
            for release, observation in page.rows:
                key = ProductKey(observation.scope, observation.name, release.level)
                yield named(key, release.version)
            left -= len(page.rows)
            after = page.more
            if not after:
                return
        self.more = after


def chosen(lake: Lake, asked: Chosen, principal: Principal) -> Choice:
    """The releases, one page of them in memory.

    Raises
    ------
    BadInput
        When there are none, or more than one download holds and no part of them is asked for.
    """
    if asked.product:
        if asked.model_fields_set - {"product", "form", "by"}:
            raise BadInput(
                "releases are named, and what they are to match as well",
                keyword="product",
                advice="give the one or the other",
                code=Reason.BAD_KEYWORD,
            )
        found = [only(lake, one)[0] for one in dict.fromkeys(asked.product)]
        return Choice(dict.fromkeys(found))
    wanted = asked.wanted()
    if asked.limit is None:
        _require_few(finding.count(lake, wanted, principal, MOST + 1))
    # Where a part begins is looked at before anything is given: behind that an error comes too late.
    in_parts = asked.limit is not None or asked.after
    if in_parts and not finding.page(lake, wanted, principal, limit=1, after=asked.after).rows:
        _require_few(0)
    return Choice.matching(lake, wanted, principal, asked.limit or MOST, asked.after)


def _require_few(number: int) -> None:
    if not number:
        raise BadInput("no release matches", advice="ask for less", code=Reason.NOT_FOUND)
    if number > MOST:
        raise BadInput(
            f"more than {MOST} releases match, too many for one download",
            found=f"more than {MOST}",
            advice="say more of what you want, or take them in parts: with limit=1000, and then with what "
            "`next` at the end of each part tells",
            code=Reason.TOO_LARGE,
        )


def only(lake: Lake, product: str) -> tuple[Named, ProductKey]:
    """One release, as `chosen` gives it."""
    release, key = resolve(lake, product)
    return named(key, release.version), key


def named(key: ProductKey, version: int) -> Named:
    """A release by its own name."""
    name = f"{key.name}@{version_token(version)}"
    return Named(name, name.replace(":", "/").replace("@", "."))
