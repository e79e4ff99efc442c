"""Several sites in commands that compute: which take part, and who would do what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from heliolake.cli.common import home_of
from heliolake.cli.complete import site_names
from heliolake.cli.output import out, table

if TYPE_CHECKING:
    from cluster.crew.crew import SiteCrew
    from cluster.plan.plan import Plan
    from lake.lake import Lake

AtSites = Annotated[
    list[str] | None,
    typer.Option(
        "--site",
        metavar="NAME",
        autocompletion=site_names,
        help="Have it done at this site; may be given several times. [dim]Default: all that take work[/]",
    ),
]


def crew_of(ctx: typer.Context, named: list[str] | None) -> SiteCrew | None:
    """Executors of several sites; None where the home's own workers are all there is."""
    from cluster.crew.crew import SiteCrew
    from cluster.sites.book import Book

    book = Book(home_of(ctx))
    if not named and not book.several:
        return None
    return SiteCrew(book, tuple(named or ()), ctx.obj.account)


def where_of(ctx: typer.Context, lake: Lake, made: Plan, named: list[str] | None) -> list[dict[str, Any]]:
    """Who would do what, and what would be copied for it, by site."""
    from cluster.crew.crew import SiteCrew
    from cluster.sites.book import Book

    crew = SiteCrew(Book(home_of(ctx)), tuple(named or ()), ctx.obj.account)
    return crew.summary(lake, made)


def print_where(there: list[dict[str, Any]]) -> None:
    """The same for people."""
    rows = [
        (one["site"] or "nowhere: under embargo", one["units"], one["copied"], f"{one['bytes'] / 1e6:.1f}",
         f"{one['seconds']:.0f}", ", ".join(one["sources"]))
        for one in there
    ]  # fmt: skip
    out().print(table("", ("site", ">files", ">copied", ">MB", ">seconds", "copied from"), rows))
