"""`up`, `down`, `status`: the embedded services of a home."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.common import SERVICES, Json, command, home_of, say_what_is_newer
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import coloured, err, out, print_json, shown, table

if TYPE_CHECKING:
    from cluster.services import ServiceState

_WELL = {"running", "stopped"}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=SERVICES)(up)
    app.command(rich_help_panel=SERVICES)(down)
    app.command(rich_help_panel=SERVICES)(status)


def up(
    ctx: typer.Context,
    storage: Annotated[
        str,
        typer.Option(
            "--storage", metavar="posix|s3", help="What a new home keeps its files in.", show_default="posix"
        ),
    ] = "",
    site: Annotated[
        list[str] | None,
        typer.Option(
            "--site",
            metavar="NAME[=posix|s3]",
            help="Add a site too, unless it is there, that this home runs; may be given several times.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the services of a home: PostgreSQL, Rucio and Dask, and SeaweedFS where it keeps its files in S3.

    Starts what does not run, repairs what died, leaves the rest alone: running it twice does no harm.
    Everything listens on this machine only. Passwords are generated and kept in the home.

    [bold]Examples[/]

      heliolake up
      heliolake --home ./lake up
      heliolake --home ./objects up --storage s3
      heliolake up --site north --site south=s3
    """
    from cluster.services import up as bring_up
    from cluster.sites.book import Book

    home = home_of(ctx)
    if site:
        home.create(storage)
    for one in site or ():
        name, _, kind = one.partition("=")
        Book(home).add_embedded(name, kind or "posix")
    console = err()
    with console.status(f"starting the services of {shown(home.path)}") as spinner:
        states = bring_up(home, storage=storage, on_progress=spinner.update)
    _show(ctx, states, as_json=as_json)


def down(ctx: typer.Context, as_json: Json = False) -> None:
    """Stop the services of a home. What it keeps stays; [bold]heliolake up[/] goes on with it."""
    from cluster.services import down as take_down

    home = home_of(ctx)
    with err().status(f"stopping the services of {shown(home.path)}"):
        states = take_down(home)
    _show(ctx, states, as_json=as_json)


def status(ctx: typer.Context, as_json: Json = False) -> None:
    """Show how the services of a home are.

    Ends with 3 when a service died or does not answer ([bold]heliolake up[/] heals it), else with 0.
    """
    from cluster.services import status as look

    home = home_of(ctx)
    states = look(home)
    say_what_is_newer(home)
    _show(ctx, states, as_json=as_json)
    if any(state.state not in _WELL for state in states):
        raise typer.Exit(ExitCode.UNREACHABLE)


def _show(ctx: typer.Context, states: Sequence[ServiceState], *, as_json: bool) -> None:
    home = home_of(ctx)
    if as_json:
        print_json({"home": str(home.path), "services": [state.as_dict() for state in states]})
        return
    rows = [
        (state.name, coloured(state.state), state.pid, state.url, shown(state.detail)) for state in states
    ]
    console = out()
    console.print(f"Home: {shown(home.path)}", soft_wrap=True)
    console.print(table("", ("service", "state", ">pid", "address", "remark"), rows, fold=("remark",)))
    if all(state.state == "stopped" for state in states):
        err().print(f"Nothing runs. Start it with: [bold]{shown(command(ctx, 'up'))}[/]", soft_wrap=True)
