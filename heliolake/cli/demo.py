"""`demo`: everything once, with a picture at the end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.home.home import Home
from heliolake.cli.common import START, Globals
from heliolake.cli.complete import demonstrations
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, shown
from heliolake.cli.reports import print_report, release_table
from heliolake.demo import subjects

if TYPE_CHECKING:
    from heliolake.demo.result import DemoResult


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=START)(demo)


def demo(
    ctx: typer.Context,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="DIR", file_okay=False, help="Folder for the picture and the page."
        ),
    ] = Path("demo-out"),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            envvar="HELIOLAKE_DATA",
            exists=True,
            file_okay=False,
            help="Take in this folder of FITS files as well.",
        ),
    ] = None,
    instrument: Annotated[
        str,
        typer.Option(
            "--instrument",
            metavar="NAME",
            autocompletion=demonstrations,
            help=f"Show this instrument: {', '.join(subjects.named())}. Else AIA and HI.",
        ),
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the services running at the end.")] = False,
) -> None:
    """Everything once, on small real and simulated data, with a picture at the end.

    Starts the services in a home of its own (DIR/home, unless --home names another), takes in real frames
    and a simulated series with known truth, processes them, writes one PNG and one HTML page, and stops the
    services. Takes a minute or two; running it again finds the work done. Remove the folder to be rid of it.

    [bold]Examples[/]

      heliolake demo
      heliolake demo --instrument soho_lasco -o lasco-out
      heliolake demo --data ~/fits -o /tmp/demo --keep
    """
    from heliolake.demo.run import run_demo

    begin = time.perf_counter()
    given: Globals = ctx.obj
    home = Home(given.home) if given.home else Home(output / "home")
    console = err()

    def say(sentence: str) -> None:
        console.print(f"[dim]{time.perf_counter() - begin:5.0f} s[/]  {shown(sentence)}", soft_wrap=True)

    result = run_demo(home, output, data, instrument=instrument, keep=keep, say=say)
    _print(result, time.perf_counter() - begin)
    # Files that cannot be used belong to a demonstration; work that fails does not.
    if any(report.counts()["failed"] for report in result.processed.values()):
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _print(result: DemoResult, seconds: float) -> None:
    from heliolake.demo.result import ARCHIVE

    console = out()
    console.rule("[bold]Taken in", align="left")
    told: set[str] = set()
    print_report(result.ingested, noun="file", brief=True, told=told)
    for name, report in result.processed.items():
        console.print()
        console.rule(f"[bold]Processed with {name}", align="left")
        print_report(report, noun="file", brief=True, told=told)
    console.print()
    console.rule("[bold]In the lake now", align="left")
    console.print(release_table(result.releases))
    if result.simulated >= {release["product"] for release in result.releases}:
        console.print("[yellow]all of it is simulated, not observed[/]")
    else:
        for product in sorted(result.simulated):
            console.print(f"[yellow]simulated, not observed:[/] {shown(product)}")
    if result.quarantined:
        console.print(
            f"\n[yellow]{len(result.quarantined)} files are in quarantine[/], each with its reason (above)."
        )
    for story in result.stories:
        if story.measure:
            console.print(f"\n{shown(story.heading)}: [bold]{shown(story.measure)}[/]")
    console.print()
    console.rule("[bold]Look at", align="left")
    console.print(f"{shown(result.picture.resolve())}\n{shown(result.page.resolve())}", soft_wrap=True)
    console.print(f"\n[bold]Try next[/] [dim](the demo took {seconds:.0f} s)[/]")
    for command in result.next_commands():
        console.print(f"  {shown(command)}", soft_wrap=True)
    console.print(f"\nWhile `serve` runs, all of it is to be seen at [bold]{ARCHIVE}[/]", soft_wrap=True)
