"""`serve`: the archive."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.common import SERVICES, home_of, open_lake
from heliolake.cli.output import out, shown

if TYPE_CHECKING:
    from lake.governance.doi.office import Office


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(rich_help_panel=SERVICES)(serve)


def serve(
    ctx: typer.Context,
    host: Annotated[
        str,
        typer.Option("--host", metavar="ADDRESS", help="Where it listens: this machine alone."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8686,
    root: Annotated[
        str, typer.Option("--root", metavar="/PATH", help="Below which path a proxy in front has it.")
    ] = "",
    proxies: Annotated[
        str,
        typer.Option(
            "--proxies", metavar="ADDRESSES", help="Proxies whose word for the client's address is taken."
        ),
    ] = "",
) -> None:
    """Serve the archive over HTTP, until interrupted: search, documents, headers and files of releases.

    Who shows a token (`heliolake account token make`) gets what their account may have, everybody else what
    is public. Beyond this machine put a proxy with TLS in front: tokens travel in the clear otherwise.

    [bold]Examples[/]

      heliolake serve
      heliolake serve --host 0.0.0.0 --proxies 10.0.0.7 --root /archive
    """
    from lake.archive.server import serve as run
    from lake.archive.surroundings import Surroundings

    with open_lake(ctx) as lake, ExitStack() as until_end:
        run(
            lake,
            host=host,
            port=port,
            root=root.rstrip("/"),
            proxies=proxies,
            ready=_tell,
            surroundings=Surroundings(office=_office(ctx, until_end)),
        )


def _office(ctx: typer.Context, until_end: ExitStack) -> Office | None:
    """Who says by whom the data are; none in a shared lake whose `governance.yaml` is silent."""
    from cluster.registry.opening import office_of
    from lake.governance.doi.registry import FILE, read

    home = home_of(ctx)
    if home.outside and read(home.path / FILE)["doi"] is None:
        return None
    return until_end.enter_context(office_of(home))


def _tell(address: str) -> None:
    out().print(
        f"The archive is at [bold]{shown(address)}/api/v1/releases[/]; Ctrl-C ends it.", soft_wrap=True
    )
