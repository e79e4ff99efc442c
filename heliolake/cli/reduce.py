"""`reduce`: many frames into one calibration reference."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.common import WORK, Json, ObservationPattern, Since, Until, home_of, open_lake, parse_time
from heliolake.cli.complete import instrument_names, run_ids
from heliolake.cli.output import err, out, print_json, progress_bar, shown

if TYPE_CHECKING:
    from cluster.run.reduce import Made

ValidFrom = Annotated[
    datetime | None,
    typer.Option(
        "--valid-from",
        parser=parse_time,
        metavar="TIME",
        help="Begin of the reference's validity. [dim]Default: the first frame[/]",
    ),
]
ValidUntil = Annotated[
    datetime | None,
    typer.Option(
        "--valid-until",
        parser=parse_time,
        metavar="TIME",
        help="End of the reference's validity. [dim]Default: the last frame[/]",
    ),
]

Epochs = Annotated[
    list[datetime] | None,
    typer.Option(
        "--epoch",
        parser=parse_time,
        metavar="TIME",
        help="From here on the instrument is another one: frames before and after go into references of "
        "their own, neither of which stands for the other's. Can be given several times.",
    ),
]
Pictures = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        metavar="DIR",
        file_okay=False,
        help="Folder for a picture of each reference, of those that can be drawn: psf.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=WORK)(reduce)


def reduce(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="REDUCTION", help="What to make, such as background.")
    ] = None,
    instrument: Annotated[
        str | None,
        typer.Option(
            "--instrument",
            metavar="NAME",
            autocompletion=instrument_names,
            help="Of which instrument (heliolake instruments).",
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    observation: ObservationPattern = None,
    valid_from: ValidFrom = None,
    valid_until: ValidUntil = None,
    epoch: Epochs = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="ID",
            autocompletion=run_ids,
            help="Go on with this run (heliolake runs) instead.",
        ),
    ] = None,
    pictures: Pictures = None,
    use: Annotated[bool, typer.Option("--use", help="Make the new context the current one.")] = False,
    as_json: Json = False,
) -> None:
    """Make a calibration reference from many frames, and a context that lists it.

    A run that was stopped goes on where it was when the same command is given again.

    [bold]Example[/]

      heliolake reduce background --instrument stereo_hi --observation 'hi1a_s4_201109*' --use
    """
    from cluster.plan.plan import Query
    from cluster.run.reduce import reduce_to_reference, resume_reduction
    from lake.calibration import contexts
    from lake.governance.policy import OWNER
    from pipeline.reduction import find_reduction

    asked = (name, instrument, since, until, observation, valid_from, valid_until, epoch or None)
    if run is not None and any(one is not None for one in asked):
        raise typer.BadParameter("a run knows what it makes of what; give nothing else", param_hint="--run")
    if run is None and (name is None or instrument is None):
        raise typer.BadParameter("give REDUCTION and --instrument, or --run ID", param_hint="REDUCTION")
    kind = find_reduction(instrument, name) if instrument and name else None
    if kind is not None and pictures is not None and kind.draw is None:
        raise typer.BadParameter(
            f"a {kind.name} is an image, and any viewer of FITS shows it: leave this out",
            param_hint="--pictures",
        )
    with open_lake(ctx) as lake, progress_bar(name or f"run {run}") as bar:
        scheduler = home_of(ctx).scheduler()
        if kind is None:
            made = resume_reduction(
                lake, scheduler, str(run), pictures=pictures, on_progress=bar, principal=OWNER
            )
        else:
            query = Query(since, until, observation)
            valid = (valid_from, valid_until) if valid_from or valid_until else None
            made = reduce_to_reference(
                lake,
                scheduler,
                kind,
                query,
                valid=valid,
                epochs=epoch or (),
                pictures=pictures,
                on_progress=bar,
                principal=OWNER,
            )
        if use:
            contexts.use(lake, made.context.number)
    if as_json:
        print_json(
            {
                "context": made.context.number,
                "frames": sum(one.frames for one in made.references),
                "references": [one.as_dict() for one in made.references],
            }
        )
        return
    _print_references(made)
    if not use:
        err().print(f"Next: [bold]heliolake context use {made.context.number}[/]")


def _print_references(made: Made) -> None:
    for one in made.references:
        left = f", {one.given - one.frames} more could not be used" if one.given > one.frames else ""
        out().print(
            f"{shown(one.info.did)} [dim]from {one.frames} frames, {one.begin:%Y-%m-%d %H:%M} to "
            f"{one.end:%Y-%m-%d %H:%M}{left}, in context {made.context.number}[/]",
            soft_wrap=True,
        )
        for finding in one.findings:
            out().print(f"  {shown(finding)}", soft_wrap=True)
        for caveat in one.caveats:
            err().print(f"[yellow]caveat:[/] {shown(caveat)}", soft_wrap=True)
