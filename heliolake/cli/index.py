"""`index`: what files show that were registered before anybody looked."""

from __future__ import annotations

from typing import Annotated

import typer

from heliolake.cli.common import SERVICES, Json, open_lake
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import err, out, print_json, progress_bar, shown

_NAMED = 10


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(rich_help_panel=SERVICES)(index)


def index(
    ctx: typer.Context,
    anew: Annotated[bool, typer.Option("--anew", help="Look at all files again.")] = False,
    as_json: Json = False,
) -> None:
    """Read in headers what releases can be searched by: wavelength, place, target …

    Files are looked at when they are taken in or made; this is for those that were there before their lake
    knew to. It may be broken off, and goes on where it was.

    [bold]Examples[/]

      heliolake index
    """
    from lake.releases.indexing import index as look
    from lake.releases.indexing import unindexed

    with open_lake(ctx) as lake:
        waiting = unindexed(lake)
        with progress_bar("reading headers") as bar:
            done = look(lake, lambda number, name: bar(number, max(number, waiting), name), anew=anew)
    if as_json:
        print_json({"files": done.files, "unread": done.unread})
    else:
        out().print(f"{done.files} files looked at, {len(done.unread)} could not be read.")
        for name, why in list(done.unread.items())[:_NAMED]:
            err().print(f"[yellow]not read[/]  {shown(name)}: {shown(why)}", soft_wrap=True)
    if done.unread:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)
