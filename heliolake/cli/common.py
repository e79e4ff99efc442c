"""What the commands share: global options, the home, the open lake, options that occur often."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.home.home import Home

if TYPE_CHECKING:
    from cluster.scheduler import Scheduler
    from lake.governance.policy import Principal
    from lake.lake import Lake

START = "Get started"
SERVICES = "Services"
WORK = "Data in, products out"
FIND = "Find and fetch"
GOVERN = "Keep order"
KNOW = "What there is"


@dataclass(frozen=True)
class Globals:
    """Options given before the command."""

    home: str | None
    debug: bool
    account: str | None = None


def home_of(ctx: typer.Context) -> Home:
    """The home the person named."""
    given: Globals = ctx.obj
    return Home.resolve(given.home)


def command(ctx: typer.Context, words: str) -> str:
    """A command as the person would have to type it here, with the home they named."""
    given: Globals = ctx.obj
    return f"heliolake --home {shlex.quote(given.home)} {words}" if given.home else f"heliolake {words}"


@contextmanager
def open_lake(ctx: typer.Context, site: str | None = None) -> Iterator[Lake]:
    """The lake of the home, seen from one of its sites; `Unreachable` when its services do not run."""
    from cluster.sites.book import Book
    from lake.lake import Lake

    # Both report retries and old features at levels meant for servers; errors come as exceptions.
    for name in ("rucio", "rucio.client", "distributed", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("distributed.client").disabled = True  # its level is set anew by its first import
    with Lake.open(Book(home_of(ctx)).lake_config(site or "")) as lake:
        say_what_is_newer(home_of(ctx))
        yield lake


def principal_of(ctx: typer.Context, lake: Lake) -> Principal:
    """On whose behalf the command acts: the home's owner, unless another was named.

    Raises
    ------
    lake.errors.BadInput
        When there is no such account.
    """
    from lake.governance.known import principal

    given: Globals = ctx.obj
    return principal(lake, given.account)


def require_operator(principal: Principal, what: str) -> None:
    """Refuse what only those do who run the data centre."""
    from lake.governance.known import require_operator as require

    require(principal, what)


@contextmanager
def running_scheduler(ctx: typer.Context, site: str | None = None) -> Iterator[Scheduler | None]:
    """The Dask scheduler of a site, for work that can do without; None where it does not run."""
    from cluster.sites.book import Book
    from lake.errors import Unreachable

    with ExitStack() as held:
        found = None
        with suppress(Unreachable):
            found = held.enter_context(Book(home_of(ctx)).scheduler(site or ""))
        yield found


def say_what_is_newer(home: Home) -> None:
    """Say on stderr which packages the running services do not know yet."""
    from cluster.services.installed import changed
    from heliolake.cli.output import err, shown

    for sentence in changed(home):
        err().print(f"[yellow]note[/]  {shown(sentence)}", soft_wrap=True)


def parse_time(text: str) -> datetime:
    """A date or a time in UTC, as options take it."""
    from heliolake.times import moment
    from lake.errors import BadInput

    try:
        return moment(text)
    except BadInput as error:
        raise typer.BadParameter(error.reason) from error


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        parser=parse_time,
        metavar="TIME",
        help="Only what ended at or after this time (UTC).",
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        parser=parse_time,
        metavar="TIME",
        help="Only what began before this time (UTC).",
    ),
]
ObservationPattern = Annotated[
    str | None,
    typer.Option(
        "--observation",
        metavar="PATTERN",
        help="Only observations of this name; * and ? stand for anything.",
    ),
]
