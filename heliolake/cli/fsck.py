"""`fsck`: whether storage, Rucio and catalogue agree."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from heliolake.cli.common import GOVERN, Json, open_lake
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import out, print_json, progress_bar, shown


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=GOVERN)(fsck)


def fsck(
    ctx: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every byte again and compare checksums.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put right what can be put right without losing anything.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare storage, Rucio and catalogue, and name every difference.

    Ends with 1 when differences are left.

    [bold]Examples[/]

      heliolake fsck
      heliolake fsck --deep --repair
    """
    from lake.fsck import fsck as compare

    with open_lake(ctx) as lake, progress_bar("comparing") as bar:
        document = compare(lake, deep=deep, repair=repair)
        bar(1, 1, "")
    if as_json:
        print_json(document)
    else:
        _print(document)
    if any(not one.get("repaired") for one in document["differences"]):
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _print(document: dict[str, Any]) -> None:
    console = out()
    counts = {name: number for name, number in document["checked"].items() if name != "deep"}
    how = "every byte of it" if document["checked"]["deep"] else "names, sizes and states"
    names = {"stored": "stored files", "files": "files of the catalogue"}
    what = ", ".join(f"{number} {names.get(name, name)}" for name, number in counts.items())
    console.print(f"Compared {what}: {how}.")
    for one in document["differences"]:
        state = "[green]repaired[/]" if one.get("repaired") else "[yellow]differs[/]"
        console.print(f"{state}  [bold]{shown(one['did'])}[/]  [dim]{one['kind']}[/]")
        console.print(f"  {shown(one['detail'])}")
    if not document["differences"]:
        console.print("[green]No differences.[/]")
