"""`new instrument`: a folder to begin with, which works at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heliolake.cli.common import KNOW, Json
from heliolake.cli.output import err, print_json, print_path, shown

_group = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Begin something of your own.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(_group, name="new", rich_help_panel=KNOW)


@_group.command("instrument")
def instrument(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, underscores.")],
    package: Annotated[
        bool, typer.Option("--package", help="A package of its own, which pip installs.")
    ] = False,
    folder: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", file_okay=False, help="Where its folder goes.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Write an instrument to begin with: description, recipe, step, test.

    [bold]Examples[/]

      heliolake new instrument my_camera --package
      heliolake new instrument my_camera -o pipeline/instruments
    """
    from heliolake.scaffold import new_instrument

    written = new_instrument(name, folder, package=package)
    if as_json:
        print_json({"files": [str(path) for path in written]})
        return
    for path in written:
        print_path(path)
    top = folder / written[0].relative_to(folder).parts[0]
    console = err()
    console.print(f"\nCheck it: heliolake instruments --check {shown(top)}", soft_wrap=True)
    console.print(f"Test it:  python -m pytest {shown(top)}", soft_wrap=True)
    if package:
        console.print(
            f"Use it:   pip install -e {shown(top)}, then heliolake down, heliolake up", soft_wrap=True
        )
    else:
        console.print(
            "Use it:   in pipeline/instruments/ of a checkout, or as a package of its own (--package)",
            soft_wrap=True,
        )
