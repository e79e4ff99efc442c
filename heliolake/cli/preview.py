"""`preview`: the pictures and films that pages show, made again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.common import GOVERN, Json, Since, Until, open_lake, principal_of, running_scheduler
from heliolake.cli.complete import product_names
from heliolake.cli.exits import ExitCode
from heliolake.cli.find import OfInstrument, OfLevel
from heliolake.cli.output import out, print_json, progress_bar, shown

if TYPE_CHECKING:
    from cluster.pictures.remake import Remade

_NAMED = 12
"""Files named together for one trouble."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=GOVERN)(preview)


def preview(
    ctx: typer.Context,
    products: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            autocompletion=product_names,
            help="Products as search lists them, or patterns: * and ? stand for anything. Without any, all "
            "that the options leave.",
        ),
    ] = None,
    instrument: OfInstrument = None,
    level: OfLevel = None,
    since: Since = None,
    until: Until = None,
    movies: Annotated[bool, typer.Option("--movies", help="Films of observations as well.")] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Those too that are whole and as they would be drawn now.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the pictures that pages show, where they are absent, damaged or out of date.

    Runs make those of their products. This makes the others: of raw data, of products of older versions of
    Heliolake, of what was lost, after colours were changed. Only ACTIVE releases have pictures. What cannot
    be drawn is named with the reason. May be given again at any time.

    [bold]Examples[/]

      heliolake preview
      heliolake preview 'hi2a_*' --level 0 --movies
    """
    from cluster.connect import connected
    from cluster.pictures.remake import remake
    from heliolake.stores import releases

    with open_lake(ctx) as lake, ExitStack() as held:
        found = releases(
            lake,
            products or (),
            instrument=instrument,
            level=level,
            since=since,
            until=until,
            principal=principal_of(ctx, lake),
        )
        scheduler = held.enter_context(running_scheduler(ctx))
        client = held.enter_context(connected(scheduler)) if scheduler is not None else None
        bar = held.enter_context(progress_bar("preview"))
        listed = [one.facts for one in found]
        made = remake(lake, listed, client, anew=anew, movies=movies, on_progress=bar)
    if as_json:
        print_json(made.document())
    else:
        _print(made, movies=movies)
    if made.troubles:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _print(made: Remade, *, movies: bool) -> None:
    console = out()
    console.print(f"Pictures of {_told(made.counts)}")
    if movies:
        console.print(f"Movies: {_told(made.films)}")
    alike: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in made.troubles:
        alike[one.reason, one.advice].append(one.name)
    for (reason, advice), names in alike.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        console.print(f"[yellow]none[/]  [bold]{shown(', '.join(names[:_NAMED]))}[/]{more}", soft_wrap=True)
        console.print(f"  {shown(reason)}", soft_wrap=True)
        if advice:
            console.print(f"  [dim]→ {shown(advice)}[/]", soft_wrap=True)


def _told(counts: Mapping[str, int]) -> str:
    words = {"made": "made now", "whole": "as they were", "failed": "cannot be made"}
    number = sum(counts.values())
    told = [f"{counts[name]} {what}" for name, what in words.items() if counts.get(name)]
    return f"{number}: {', '.join(told) or 'nothing to do'}"
