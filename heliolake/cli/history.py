"""`quarantine`: what was put aside, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Annotated, Any

import typer

from heliolake.cli.common import WORK, Json, command, open_lake, principal_of
from heliolake.cli.complete import run_ids
from heliolake.cli.output import out, print_json, shown
from heliolake.cli.reports import short_time

_NAMED = 12
"""Files of one group that are named."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=WORK)(quarantine)


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
            autocompletion=run_ids,
            help="Only of this run.",
        ),
    ] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="CODE", help="Only for this reason: truncated …")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Settled cases as well.")] = False,
    close: Annotated[
        str | None,
        typer.Option(
            "--close", metavar="REASON", help="Settle the open cases that match: nothing is to be done."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the files that were put aside: the reason, and what to do about it.

    Files with the same reason stand together, with the command that tries them again. A file leaves the
    quarantine when a repaired one is taken in, or when it is processed well; or when its case is closed.

    [bold]Example[/]

      heliolake quarantine --code truncated --close 'the station lost that night'
    """
    from lake.ledger import runs
    from lake.releases import quarantine as cases

    if stage not in (None, "ingest", "process"):
        raise typer.BadParameter(f"{stage!r} is not a stage; write ingest or process", param_hint="--stage")
    with open_lake(ctx) as lake:
        found = cases.listing(lake, stage=stage, code=code, run_id=run, resolved=everything and close is None)
        if run is not None and not found:
            runs.find_run(lake, run)  # a run that never was is a mistake, not an empty list
        if close is not None and found:
            open_ones = [case["case"] for case in found]
            cases.close(lake, open_ones, reason=close, principal=principal_of(ctx, lake))
            found = cases.listing(lake, stage=stage, code=code, run_id=run)
    groups = cases.grouped(found)
    if as_json:
        ways = [{"files": len(group), **_kind(group[0]), "command": _way_out(ctx, group)} for group in groups]
        print_json({"quarantined": found, "groups": ways})
        return
    console = out()
    if not found:
        console.print("Nothing is in quarantine.")
    for group in groups:
        _print_group(ctx, group)


def _kind(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the cases of a group have in common."""
    return {key: case[key] for key in ("stage", "code", "reason", "advice", "recipe")}


def _print_group(ctx: typer.Context, group: Sequence[Mapping[str, Any]]) -> None:
    console = out()
    first = group[0]
    settled = "  [green]settled[/]" if first["resolved"] else ""
    number = f"{len(group)} file{'' if len(group) == 1 else 's'}"
    when = f"[dim]{first['stage']}, last met {short_time(first['last_seen'])}[/]"
    console.print(f"[bold]{number}[/]  [yellow]{shown(first['code'])}[/]{settled}  {when}")
    console.print(f"  {shown(first['reason'])}")
    for case in group[:_NAMED]:
        found = f"  {case['keyword']}: {case['found']}" if case["keyword"] and case["found"] else ""
        times = f" (met {case['count']} times)" if case["count"] > 1 else ""
        console.print(f"    {shown(PurePath(case['file']).name)}[dim]{shown(found + times)}[/]")
    if len(group) > _NAMED:
        console.print(f"    … and {len(group) - _NAMED} more (--json has all)")
    if first["advice"]:
        console.print(f"  [dim]→ {shown(first['advice'])}[/]")
    if not first["resolved"]:
        console.print(f"  [dim]then:[/] {shown(_way_out(ctx, group))}", soft_wrap=True)


def _way_out(ctx: typer.Context, group: Sequence[Mapping[str, Any]]) -> str:
    """The command that tries these files again, once what is wrong is put right."""
    from lake.releases.quarantine import way_out

    return command(ctx, way_out(group))
