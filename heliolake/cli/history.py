"""`runs`, `quarantine`: what happened, and why not."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any

import typer

from heliolake.cli.common import WORK, Json, open_lake
from heliolake.cli.output import coloured, out, print_json, shown, table
from heliolake.cli.reports import short_time


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=WORK)(runs)
    app.command(rich_help_panel=WORK)(quarantine)


def runs(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Show this run with its plan.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the runs: which recipe, when, and what became of its units."""
    from lake import units

    with open_lake(ctx) as lake:
        found = [units.run(lake, run)] if run else units.runs(lake, limit=limit)
    if as_json:
        print_json({"runs": found})
        return
    rows = [
        (
            one["run"],
            one["recipe"],
            coloured(one["status"]),
            short_time(one["created"]),
            _numbers(one["units"]),
        )
        for one in found
    ]
    console = out()
    console.print(table("", ("run", "recipe", "status", "began", "units"), rows, fold=("units",)))
    if run and found[0]["note"]:
        console.print(f"\n{shown(found[0]['note'])}")
    if not found:
        console.print("No run yet. Begin one: [bold]heliolake process RECIPE[/]")


def quarantine(
    ctx: typer.Context,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage",
            metavar="ingest|process",
            help="Only of this stage.",
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="ID",
            help="Only of this run.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Settled cases as well.")] = False,
    as_json: Json = False,
) -> None:
    """List the files that were put aside: the reason, and what to do about each.

    A file is taken out of quarantine by taking in a repaired one, or by processing again with
    [bold]heliolake process RECIPE --retry-quarantined[/].
    """
    from lake import quarantine as cases

    if stage not in (None, "ingest", "process"):
        raise typer.BadParameter(f"{stage!r} is not a stage; write ingest or process", param_hint="--stage")
    with open_lake(ctx) as lake:
        found = cases.listing(lake, stage=stage, run_id=run, resolved=everything)
    if as_json:
        print_json({"quarantined": found})
        return
    console = out()
    if not found:
        console.print("Nothing is in quarantine.")
    for one in found:
        _print_case(one)


def _print_case(case: dict[str, Any]) -> None:
    console = out()
    settled = "  [green]settled[/]" if case["resolved"] else ""
    times = f", met {case['count']} times" if case["count"] > 1 else ""
    name = shown(PurePath(case["file"]).name)
    when = f"[dim]{case['stage']}, {short_time(case['last_seen'])}{times}[/]"
    console.print(f"[bold]{name}[/]  [yellow]{case['code']}[/]{settled}  {when}")
    found = f" ({case['keyword']}: {case['found']})" if case["keyword"] and case["found"] else ""
    console.print(f"  {shown(case['reason'] + found)}")
    if case["advice"]:
        console.print(f"  [dim]→ {shown(case['advice'])}[/]")


def _numbers(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {coloured(state)}" for state, number in counts.items() if number) or "none"
