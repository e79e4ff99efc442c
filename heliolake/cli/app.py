"""The application: its global options, its commands, and what happens when one of them fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, Exit, TyperException

from heliolake.cli import (
    accounts,
    audit,
    check,
    contexts,
    demo,
    doi,
    embargo,
    find,
    fluctuation,
    fsck,
    history,
    index,
    ingest,
    known,
    login,
    migrate,
    new,
    preview,
    reduce,
    restore,
    runs,
    serve,
    services,
    sites,
    stack,
    withdraw,
    work,
)
from heliolake.cli.common import Globals
from heliolake.cli.exits import ExitCode, tell
from lake.text import printable_lines

ASKING = frozenset(
    {
        "account", "audit", "cite", "doi", "embargo", "get", "plan", "process", "runs", "search", "show",
        "stack", "withdraw",
    }
)  # fmt: skip
"""Commands that ask the policy what somebody may; all others are for the home's owner alone."""

_ANYWHERE = {"--home": True, "--as": True, "--debug": False}
"""Global options, and whether a value follows them."""


class FrontDoor(TyperGroup):
    """All commands; turns what they raise into one sentence and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; global options are understood behind the command as well."""
        with _plain_complaints():
            return super().parse_args(ctx, globals_first(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        debug = bool(ctx.params.get("debug"))
        try:
            with _plain_complaints():
                return super().invoke(ctx)
        except (Abort, Exit, TyperException, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            sys.stderr.write("heliolake: interrupted; run the same command again to go on\n")
            raise Exit(ExitCode.INTERRUPTED) from None
        except Exception as error:  # the last place that can turn it into a sentence
            raise Exit(tell(error, debug=debug)) from None


@contextmanager
def _plain_complaints() -> Iterator[None]:
    """What Typer says of a wrong command line repeats what was typed, perhaps a hostile file's name."""
    try:
        yield
    except TyperException as error:
        for name, value in vars(error).items():
            if isinstance(value, str):
                setattr(error, name, printable_lines(value))
        raise


def globals_first(args: list[str]) -> list[str]:
    """The command line with ``--home H``, ``--as A`` and ``--debug`` moved before the command."""
    first: list[str] = []
    rest: list[str] = []
    remaining = iter(args)
    for word in remaining:
        if word == "--":
            rest += [word, *remaining]
        elif word in _ANYWHERE:
            first.append(word)
            if _ANYWHERE[word] and (value := next(remaining, None)) is not None:
                first.append(value)
        elif word.startswith(("--home=", "--as=")):
            first.append(word)
        else:
            rest.append(word)
    return first + rest


app = typer.Typer(
    cls=FrontDoor,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done · 1 finished, with something quarantined or failed · "
    "2 usage or configuration · 3 a service is unreachable · 130 interrupted",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"heliolake {metadata.version('heliolake')}")
        raise typer.Exit


@app.callback()
def heliolake(
    ctx: typer.Context,
    home: Annotated[
        str | None,
        typer.Option(
            "--home",
            metavar="FOLDER",
            help="Folder that holds everything this Heliolake keeps. "
            "[dim]Default: HELIOLAKE_HOME, else ~/.heliolake[/]",
        ),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="ACCOUNT",
            help="Act as somebody else, or as [bold]public[/]: see and get what they would. "
            "[dim]Default: the owner of the home[/]",
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where in the program a failure happened.")
    ] = False,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """From raw solar images to science-ready, versioned, citable data.

    New here? [bold]heliolake demo[/] shows everything once.

    Then: heliolake up, heliolake ingest FOLDER, heliolake process RECIPE, heliolake search.
    """
    if account is not None and ctx.invoked_subcommand not in ASKING:
        raise typer.BadParameter(
            f"{ctx.invoked_subcommand} is the owner's alone; others may {', '.join(sorted(ASKING))}",
            param_hint="--as",
        )
    ctx.obj = Globals(home, debug, account)


for group in (
    demo,
    services,
    sites,
    ingest,
    work,
    reduce,
    runs,
    serve,
    history,
    find,
    fluctuation,
    stack,
    known,
    check,
    new,
    fsck,
    index,
    restore,
    preview,
    contexts,
    embargo,
    accounts,
    login,
    migrate,
    withdraw,
    audit,
    doi,
):
    group.register(app)


def front_door() -> None:
    """Run the command of this process."""
    typer.main.get_command(app)(prog_name="heliolake")
