"""`serve`: the archive."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.common import SERVICES, home_of, open_lake
from heliolake.cli.output import out, shown

if TYPE_CHECKING:
    from cluster.home.home import Home
    from lake.archive.surroundings import Surroundings
    from lake.lake import Lake

_LAST_PORT = 65535


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
    objects: Annotated[
        list[str] | None,
        typer.Option(
            "--objects",
            metavar="[RSE=]URL",
            help="Address of the S3 storage (of another site's with its RSE before it) as visitors reach it: "
            "they may download straight from there. May be given several times.",
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0, help="Requests a second of one visitor; 0 for no limit.")
    ] = 100,
    downloads: Annotated[
        int, typer.Option("--downloads", min=0, help="Downloads of one visitor at once; 0 for no limit.")
    ] = 16,
    metrics: Annotated[
        str, typer.Option("--metrics", metavar="ADDRESS:PORT", help="Where Prometheus is told its numbers.")
    ] = "",
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            min=1,
            max=64,
            help="Processes that answer. What a visitor asks they count together; numbers for Prometheus "
            "each for itself, told at the port behind that of the one before.",
        ),
    ] = 1,
    descriptor: Annotated[int, typer.Option("--descriptor", hidden=True)] = -1,
    counted: Annotated[int, typer.Option("--counted", hidden=True)] = -1,
    number: Annotated[int, typer.Option("--number", hidden=True)] = 0,
) -> None:
    """Serve the archive over HTTP, until interrupted: pages for people, and the same for programs at /api/v1.

    Who signs in, or shows a token (`heliolake account token make`), gets what their account may have, all
    others what is public. People sign in with a token, or with the OpenID provider that `governance.yaml` of
    the home names; it has to know the address .../signin/openid/back. Beyond this machine put a proxy with
    TLS in front: tokens travel in the clear otherwise.

    [bold]Examples[/]

      heliolake serve
      heliolake serve --host 0.0.0.0 --proxies 10.0.0.7 --root /archive --workers 4
    """
    from lake.archive.limits import Counts, Limits
    from lake.archive.server import serve as run
    from lake.archive.workers import end_with_parent, tend

    home = home_of(ctx)
    if workers > 1 and descriptor < 0:
        with open_lake(ctx):  # what is missing is said once
            pass
        tend(_worker(_place(metrics)), workers, host=host, port=port, root=root.rstrip("/"), ready=_tell)
        return
    if descriptor >= 0:
        end_with_parent()
    with open_lake(ctx) as lake:
        run(
            lake,
            host=host,
            port=port,
            root=root.rstrip("/"),
            proxies=proxies,
            surroundings=replace(
                _surroundings(home, lake),
                objects=_objects(lake, objects or []),
                limits=Limits(rate=rate, downloads=downloads),
                counts=Counts(counted, number) if counted >= 0 else None,
            ),
            metrics=_place(metrics),
            ready=_tell if descriptor < 0 else None,
            opened=socket.socket(fileno=descriptor) if descriptor >= 0 else None,
        )


def _worker(metrics: tuple[str, int] | None) -> Callable[[int, int, int], list[str]]:
    """This command as one of several processes; of options that are given twice the later ones hold."""

    def line(number: int, descriptor: int, counted: int) -> list[str]:
        words = [sys.executable, "-c", "from heliolake.cli import main; main()", *sys.argv[1:]]
        if metrics is not None:
            host, first = metrics
            words += [
                "--metrics",
                f"[{host}]:{first + number}" if ":" in host else f"{host}:{first + number}",
            ]
        hidden = ("--descriptor", descriptor, "--counted", counted, "--number", number)
        return [*words, *map(str, hidden)]

    return line


def _objects(lake: Lake, given: list[str]) -> dict[str, str]:
    """The address of each S3 storage that visitors reach, by its storage element."""
    found: dict[str, str] = {}
    known = [one.rse for one in lake.config.elements]
    for one in given:
        rse, equals, url = one.partition("=")
        if not equals or "/" in rse:
            rse, url = lake.config.rse, one
        if rse not in known or not url.startswith(("https://", "http://")):
            raise typer.BadParameter(
                f"{one!r} is no address of a storage; write https://… or RSE=https://…, where RSE is one of "
                f"{', '.join(known)}",
                param_hint="--objects",
            )
        found[rse] = url
    return found


def _place(metrics: str) -> tuple[str, int] | None:
    if not metrics:
        return None
    host, _, port = metrics.rpartition(":")
    if not port.isdigit() or int(port) > _LAST_PORT:
        raise typer.BadParameter(
            f"{metrics!r} is no address; write 127.0.0.1:9464, or 9464 for this machine alone",
            param_hint="--metrics",
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def _surroundings(home: Home, lake: Lake) -> Surroundings:
    """How the home's data are cited, and with whom its people sign in."""
    from cluster.registry.opening import citing, office_of
    from lake.archive.surroundings import Surroundings
    from lake.governance.openid.provider import Provider
    from lake.governance.openid.settings import ProviderSettings

    settings = ProviderSettings.found(home.path / "governance.yaml")
    office = citing(home)
    return Surroundings(
        secret=lake.config.password,
        office=office,
        registering=None if office is None else partial(office_of, home),
        provider=None if settings is None else Provider(settings),
    )


def _tell(address: str) -> None:
    out().print(
        f"The archive is at [bold]{shown(address)}/[/]; programs ask {shown(address)}/api/v1/releases. "
        "Ctrl-C ends it.",
        soft_wrap=True,
    )
