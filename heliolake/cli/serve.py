"""`serve`: the archive."""

from __future__ import annotations

from typing import Annotated

import typer

from heliolake.cli.common import SERVICES, open_lake
from heliolake.cli.output import out, shown


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

    with open_lake(ctx) as lake:
        run(lake, host=host, port=port, root=root.rstrip("/"), proxies=proxies, ready=_tell)


def _tell(address: str) -> None:
    out().print(
        f"The archive is at [bold]{shown(address)}/api/v1/releases[/]; Ctrl-C ends it.", soft_wrap=True
    )
