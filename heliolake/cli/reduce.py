"""`reduce`: many frames into one calibration reference."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from heliolake.cli.common import WORK, Json, ObservationPattern, Since, Until, home_of, open_lake, parse_time
from heliolake.cli.complete import instrument_names
from heliolake.cli.output import err, out, print_json, shown

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


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=WORK)(reduce)


def reduce(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="REDUCTION", help="What to make, such as background.")],
    instrument: Annotated[
        str,
        typer.Option(
            "--instrument",
            metavar="NAME",
            autocompletion=instrument_names,
            help="Of which instrument (heliolake instruments).",
        ),
    ],
    since: Since = None,
    until: Until = None,
    observation: ObservationPattern = None,
    valid_from: ValidFrom = None,
    valid_until: ValidUntil = None,
    use: Annotated[bool, typer.Option("--use", help="Make the new context the current one.")] = False,
    as_json: Json = False,
) -> None:
    """Make a calibration reference from many frames, and a context that lists it.

    [bold]Example[/]

      heliolake reduce background --instrument stereo_hi --observation 'hi1a_s4_201109*' --use
    """
    from cluster.plan.plan import Query
    from cluster.run.reduce import reduce_to_reference
    from lake.calibration import contexts
    from pipeline.reduction import find_reduction

    kind = find_reduction(instrument, name)
    with open_lake(ctx) as lake:
        made = reduce_to_reference(
            lake,
            home_of(ctx).scheduler(),
            kind,
            Query(since, until, observation),
            valid=(valid_from, valid_until) if valid_from or valid_until else None,
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
    for one in made.references:
        left = f", {one.given - one.frames} more could not be used" if one.given > one.frames else ""
        out().print(
            f"{shown(one.info.did)} [dim]from {one.frames} frames, {one.begin:%Y-%m-%d %H:%M} to "
            f"{one.end:%Y-%m-%d %H:%M}{left}, in context {made.context.number}[/]"
        )
        for caveat in one.caveats:
            err().print(f"[yellow]caveat:[/] {shown(caveat)}")
    if not use:
        err().print(f"Next: [bold]heliolake context use {made.context.number}[/]")
