"""`runs`: what was carried out and is, how it gets on; held up, let go, given up, tried again."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from heliolake.cli.common import WORK, Json, command, home_of, open_lake, principal_of, require_operator
from heliolake.cli.complete import run_ids
from heliolake.cli.crew import crew_of
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import coloured, out, print_json, progress_bar, shown, table
from heliolake.cli.reports import print_report, short_time

if TYPE_CHECKING:
    from rich.console import Group

    from lake.governance.policy import Principal
    from lake.lake import Lake

runs = typer.Typer(
    invoke_without_command=True,
    help="List the runs, see how one gets on; pause, resume, cancel it, try again what failed.",
)

#: Seconds between two looks of who watches, and how many times the look itself: a watcher is no burden.
_EVERY: Final = 2.0
_TIMES: Final = 5.0
_WORKERS: Final = 16

RunId = Annotated[
    str, typer.Argument(metavar="RUN", autocompletion=run_ids, help="Name of the run (heliolake runs).")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")]
Reason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="Only those for whose reason has these words in it."),
]
Watch = Annotated[bool, typer.Option("--watch", help="Go on showing until the run ends.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    runs.callback()(latest)
    for one in (listing, show, pause, resume, cancel, retry):
        runs.command("list" if one is listing else None)(one)
    app.add_typer(runs, name="runs", rich_help_panel=WORK)


def latest(ctx: typer.Context, limit: Limit = 20, as_json: Json = False) -> None:
    """List the runs, see how one gets on; pause, resume, cancel it, try again what failed.

    Without a command the latest runs are listed.
    """
    if ctx.invoked_subcommand is None:
        listing(ctx, limit, as_json)


def listing(ctx: typer.Context, limit: Limit = 20, as_json: Json = False) -> None:
    """List the runs: which recipe, when, and what became of its units."""
    from lake.ledger import runs

    with open_lake(ctx) as lake:
        require_operator(principal_of(ctx, lake), "runs")
        found = runs.runs(lake, limit=limit)
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
    if not found:
        console.print("No run yet. Begin one: [bold]heliolake process RECIPE[/]")


def show(ctx: typer.Context, run: RunId, watch: Watch = False, as_json: Json = False) -> None:
    """Show how a run gets on: how fast, how long still, what goes wrong, which step takes the time, where.

    Ends with 1 where units failed or were put aside.

    [bold]Examples[/]

      heliolake runs show 20261120-k3f9
      heliolake runs show 20261120-k3f9 --watch
    """
    from lake.ledger.pace import pace

    with open_lake(ctx) as lake:
        require_operator(principal_of(ctx, lake), "runs")
        if watch and not as_json and out().is_terminal:
            told = _watched(ctx, lake, run)
        else:
            told = pace(lake, run)
            while watch and _goes_on(told):
                time.sleep(_EVERY)
                told = pace(lake, run)
            if as_json:
                print_json(told)
            else:
                out().print(_picture(ctx, told))
    if told["troubles"]:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def pause(ctx: typer.Context, run: RunId) -> None:
    """Hold a run up: no further unit is begun, what is at work is finished or given back.

    The process that carries it out waits, and goes on at [bold]heliolake runs resume[/].
    """
    from lake.ledger import control

    with open_lake(ctx) as lake:
        control.pause(lake, run, _operator(ctx, lake))
    out().print(f"Run {shown(run)} is paused. Next: [bold]{shown(command(ctx, f'runs resume {run}'))}[/]")


def resume(ctx: typer.Context, run: RunId, as_json: Json = False) -> None:
    """Let a paused run go on: by the process that waits with it, else by this one."""
    from lake.ledger import control

    with open_lake(ctx) as lake:
        principal = _operator(ctx, lake)
        waiting = control.at_it(lake, run)
        control.resume(lake, run, principal)
        if not waiting:
            _carried_out(ctx, lake, run, principal, as_json=as_json)
            return
    told = {"run": run, "status": "running", "executors": [one.owner for one in waiting]}
    if as_json:
        print_json(told)
    else:
        out().print(f"Run {shown(run)} goes on: {shown(', '.join(told['executors']))}")


def cancel(
    ctx: typer.Context,
    run: RunId,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
) -> None:
    """Give a run up, units at work too. What it published stays; the same plan begins a new run later."""
    from lake.ledger import control

    with open_lake(ctx) as lake:
        principal = _operator(ctx, lake)
        if not yes and out().is_terminal:
            typer.confirm(f"Give up run {run}?", abort=True, err=True)
        control.cancel(lake, run, principal)
    out().print(f"Run {shown(run)} is cancelled. What it published stays.")


def retry(ctx: typer.Context, run: RunId, reason: Reason = "", as_json: Json = False) -> None:
    """Try again what failed or was put aside, all or for one reason.

    Of a run that is being carried out the process that does so takes them up. Of one that has ended this
    command carries them out; where their products were published already, a new run makes the next versions.

    [bold]Example[/]

      heliolake runs retry 20261120-k3f9 --reason 'storage mounted'
    """
    from cluster.run.process import retry as carry_out
    from lake.ledger import control

    with open_lake(ctx) as lake:
        principal = _operator(ctx, lake)
        if control.at_it(lake, run):
            again, later = control.try_again(lake, run, principal, reason)
            if as_json:
                print_json({"run": run, "again": again, "later": later})
                return
            out().print(f"{again} units of run {shown(run)} are planned again.")
            if later:
                out().print(f"{later} are of products that are through; retry them when the run has ended.")
            return
        with progress_bar(f"run {run}") as bar:
            scheduler = home_of(ctx).scheduler()
            crew = crew_of(ctx, None)
            report = carry_out(lake, scheduler, run, reason, on_progress=bar, principal=principal, crew=crew)
    if as_json:
        print_json(report.document())
    else:
        print_report(report, noun="file")
    if not report.clean:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _operator(ctx: typer.Context, lake: Lake) -> Principal:
    principal = principal_of(ctx, lake)
    require_operator(principal, "runs")
    return principal


def _carried_out(ctx: typer.Context, lake: Lake, run: str, principal: Principal, *, as_json: bool) -> None:
    """Go on with a run that nobody carries out."""
    from cluster.run.process import resume as carry_out
    from cluster.run.reduce import resume_reduction
    from lake.ledger import runs as known
    from lake.ledger.units import REDUCTION

    scheduler = home_of(ctx).scheduler()
    with progress_bar(f"run {run}") as bar:
        if known.find_run(lake, run)["recipe"].startswith(REDUCTION):
            made = resume_reduction(lake, scheduler, run, on_progress=bar, principal=principal)
            document = {
                "context": made.context.number,
                "references": [one.as_dict() for one in made.references],
            }
            report = None
        else:
            crew = crew_of(ctx, None)
            report = carry_out(lake, scheduler, run, on_progress=bar, principal=principal, crew=crew)
            document = report.document()
    if as_json:
        print_json(document)
    elif report is None:
        out().print(f"Made for context {document['context']}: run {shown(run)} is done.")
    else:
        print_report(report, noun="file")
    if report is not None and not report.clean:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _goes_on(told: Mapping[str, Any]) -> bool:
    """Whether a run has somebody who carries it out."""
    return told["status"] in ("running", "paused") and any(one["alive"] for one in told["executors"])


def _watched(ctx: typer.Context, lake: Lake, run: str) -> dict[str, Any]:
    """Show a run on the terminal until it ends; what it was then."""
    from rich.live import Live

    from lake.ledger.pace import pace

    told = pace(lake, run)
    with Live(_picture(ctx, told), console=out(), auto_refresh=False) as live:
        while _goes_on(told):
            began = time.monotonic()
            told = pace(lake, run)
            live.update(_picture(ctx, told), refresh=True)
            time.sleep(max(_EVERY, _TIMES * (time.monotonic() - began)))
    return told


def _picture(ctx: typer.Context, told: Mapping[str, Any]) -> Group:
    from rich.console import Group

    from cluster.pacing import STEPS, amount, busiest, one_line, step_rows

    memory = f", at most {amount(told['memory'])} in a worker" if told["memory"] else ""
    parts: list[Any] = [
        f"[bold]{shown(told['run'])}[/]  {shown(told['recipe'])}  {coloured(told['status'])}",
        f"[dim]began {short_time(told['created'])}[/]  {_numbers(told['units'])}",
        f"{shown(one_line(told))}{memory}",
    ]
    if told["note"]:
        parts.append(shown(told["note"]))
    if told["steps"]:
        name, *numbers = STEPS
        parts += ["", table("", (name, *(f">{one}" for one in numbers)), _shown(step_rows(told)))]
    if told["executors"]:
        parts += ["", table("", ("executor", "site", "seen", "at"), _executor_rows(told), fold=("executor",))]
    if told["workers"]:
        rows = [
            (one["worker"], one["site"], one["units"], f"{one['rate']:.3g}", amount(one["memory"]))
            for one in busiest(told["workers"], _WORKERS)
        ]
        parts += ["", table("", ("worker", "site", ">units", ">per min", ">memory"), _shown(rows))]
        if more := len(told["workers"]) - _WORKERS:
            parts.append(f"[dim]… and {more} more (--json has all)[/]" if more > 0 else "")
    for one in told["troubles"]:
        parts += ["", *_trouble(ctx, told["run"], one)]
    return Group(*parts)


def _executor_rows(told: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    def at(one: Mapping[str, Any]) -> str:
        if one["ended"]:
            return "[dim]ended[/]"
        return shown(one["note"] or "working") if one["alive"] else "[red]silent[/]"

    return [
        (shown(one["executor"]), shown(one["site"]), short_time(one["seen"]), at(one))
        for one in told["executors"]
    ]


def _trouble(ctx: typer.Context, run: str, one: Mapping[str, Any]) -> list[str]:
    step = f" at step {shown(one['step'])}" if one["step"] else ""
    said = [
        f"{one['units']} {coloured(one['state'])}{step}: {shown(one['reason'])}",
        f"  [dim]for example {shown(one['example'])}[/]",
    ]
    if one["advice"]:
        said.append(f"  [dim]→ {shown(one['advice'])}[/]")
    way = command(ctx, f"runs retry {run} --reason {shlex.quote(one['reason'])}")
    return [*said, f"  [dim]then:[/] {shown(way)}"]


def _shown(rows: list[Any]) -> list[tuple[str, ...]]:
    return [tuple(shown(cell) for cell in row) for row in rows]


def _numbers(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {coloured(state)}" for state, number in counts.items() if number) or "none"
