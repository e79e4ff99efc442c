"""`fsck`: whether storage, Rucio and catalogue agree."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final

import typer

from heliolake.cli.common import GOVERN, Json, command, open_lake
from heliolake.cli.exits import ExitCode
from heliolake.cli.output import out, print_json, progress_bar, shown

#: What `fsck` advises, in the order in which it works: what is made of a file comes after the file.
_ORDER: Final = ("restore", "ingest", "context", "fsck", "process")


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
    """Compare storage, Rucio and catalogue, and name every difference with the command that cures it.

    Ends with 1 when differences are left.

    [bold]Examples[/]

      heliolake fsck
      heliolake fsck --deep --repair
    """
    from cluster.intake.headers import stored_dates
    from lake.fsck.compare import fsck as compare

    with open_lake(ctx) as lake, progress_bar("comparing") as bar:
        document = compare(lake, deep=deep, repair=repair, read_dates=stored_dates)
        bar(1, 1, "")
    if as_json:
        print_json(document)
    else:
        _print(ctx, document)
    if any(not one.get("repaired") for one in document["differences"]):
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def _print(ctx: typer.Context, document: dict[str, Any]) -> None:
    console = out()
    counts = {name: number for name, number in document["checked"].items() if name != "deep"}
    how = "every byte of it" if document["checked"]["deep"] else "names, sizes and states"
    names = {"stored": "stored files", "files": "files of the catalogue"}
    what = ", ".join(f"{number} {names.get(name, name)}" for name, number in counts.items())
    console.print(f"Compared {what}: {how}.")
    for one in document["differences"]:
        state = "[green]repaired[/]" if one.get("repaired") else "[yellow]differs[/]"
        console.print(f"{state}  [bold]{shown(one['did'])}[/]  [dim]{one['kind']}[/]", soft_wrap=True)
        console.print(f"  {shown(one['detail'])}", soft_wrap=True)
    left = [one for one in document["differences"] if not one.get("repaired")]
    if not document["differences"]:
        console.print("[green]No differences.[/]")
    elif left:
        _print_cures(ctx, left)


def _print_cures(ctx: typer.Context, left: list[dict[str, Any]]) -> None:
    """Each command once, in the order in which they are to be run."""
    console = out()
    count = Counter(command for one in left for command in one["commands"])
    if count:
        console.print(
            "\nTo put it right, in this order (PATH is a copy of the files, or a folder of copies):"
        )
    for line, number in sorted(count.items(), key=lambda pair: _rank(pair[0])):
        what = f"{number} difference{'' if number == 1 else 's'}"
        console.print(f"  {shown(_here(ctx, line))}  [dim]{what}[/]", soft_wrap=True)
    if stays := sum(not one["commands"] for one in left):
        console.print(f"[dim]Nothing has to be done, or can be yet, about {stays} of them.[/]")


def _rank(line: str) -> int:
    verb = line.split()[1]
    return _ORDER.index(verb) if verb in _ORDER else len(_ORDER)


def _here(ctx: typer.Context, line: str) -> str:
    return command(ctx, line.removeprefix("heliolake "))
