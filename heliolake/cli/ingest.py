"""`ingest`: files into the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heliolake.cli.common import WORK, Json, command, home_of, open_lake, running_scheduler
from heliolake.cli.complete import site_names
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, print_json, progress_bar, shown
from heliolake.cli.reports import print_report


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=WORK)(ingest)


def ingest(
    ctx: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, or patterns in quotes.")
    ],
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Also count what SOLARNET's rules find in the headers; refuses nothing."
        ),
    ] = False,
    site: Annotated[
        str | None,
        typer.Option(
            "--site", metavar="NAME", autocompletion=site_names, help="Where they go. [dim]Default: home[/]"
        ),
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures/--no-pictures",
            help="Have workers draw what pages show of them, when they have time; nobody waits for it.",
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Recognise, check and register FITS files.

    Every byte is read: a file that opens is not yet a file that reads. The instrument is recognised by the
    header. A file that is in the lake already is skipped, or put back where the lake has lost it; one that
    cannot be used is put aside with the reason and what to do about it, and the command then ends with 1.

    [bold]Examples[/]

      heliolake ingest ~/data/hi/2011
      heliolake ingest 'raw/*_s4h1A.fts' one_more.fits
    """
    from cluster.intake.embargoes import embargoes_of
    from cluster.intake.ingest import ingest as take_in
    from cluster.pictures.remake import draw_later

    def note(sentence: str) -> None:
        err().print(f"[yellow]note:[/] {shown(sentence)}")

    with (
        open_lake(ctx, site) as lake,
        running_scheduler(ctx, site) as scheduler,
        progress_bar("reading") as bar,
    ):
        report = take_in(
            lake,
            paths,
            scheduler=scheduler,
            on_progress=bar,
            say=note,
            embargoes=embargoes_of(home_of(ctx).path),
        )
        done = [item.did for item in report.items if item.outcome == "done"]
        drawn = draw_later(scheduler, lake, done) if pictures and scheduler is not None and done else 0
    if check:
        from cluster.conformance import tally

        report.more["solarnet"] = tally(Path(item.file) for item in report.items if item.outcome == "done")
    if as_json:
        print_json(report.document())
    else:
        print_report(report, noun="file")
        if told := _solarnet(report.more.get("solarnet", {})):
            err().print(f"{told}; [bold]heliolake check FILE[/] shows what is found.")
        if pictures and len(done) > drawn:
            some = f"the other {len(done) - drawn}" if drawn else "them"
            err().print(f"For pages [bold]{shown(command(ctx, 'preview'))}[/] makes pictures of {some}.")
        if done:
            err().print(f"Next: [bold]{shown(command(ctx, 'recipes'))}[/] shows what can be made of them.")
    if not report.clean:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _solarnet(counts: dict[str, int]) -> str:
    """One line on how the files that were taken in stand to SOLARNET."""
    errors = counts.get("errors", 0)
    kinds = ", ".join(f"{number} {kind}" for kind, number in counts.items() if kind != "errors")
    return f"SOLARNET: {kinds}; {errors} error{'' if errors == 1 else 's'} in headers" if kinds else ""
