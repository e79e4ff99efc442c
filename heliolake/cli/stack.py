"""`stack`, `cache`: releases as one zarr store, and the stores that are kept."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.common import FIND, GOVERN, Json, Since, Until, home_of, open_lake, principal_of
from heliolake.cli.complete import product_names
from heliolake.cli.exits import ExitCode
from heliolake.cli.find import OfInstrument, OfLevel
from heliolake.cli.output import err, out, print_json, print_path, progress_bar, shown, table

if TYPE_CHECKING:
    from cluster.stack.build import Built

_NAMED = 12
"""Files named together for one trouble."""

Uses = Annotated[
    str,
    typer.Option(
        "--for",
        metavar="frames|series",
        help="frames: chunks are whole frames, to be processed. series: chunks are small tiles over many "
        "frames, for the course of pixels in time.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=FIND)(stack)
    app.command(rich_help_panel=GOVERN)(cache)


def parse_shape(text: str) -> tuple[int, ...]:
    """A shape as it is typed: ``1024x1024``, slowest axis first."""
    if not re.fullmatch(r"[1-9]\d{0,8}(x[1-9]\d{0,8})*", text):
        raise typer.BadParameter(f"{text!r} is no shape; write NYxNX, such as 1024x1024")
    return tuple(map(int, text.split("x")))


def stack(
    ctx: typer.Context,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="NAME.zarr", help="Where it goes; the workers must reach the folder."
        ),
    ],
    products: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            autocompletion=product_names,
            help="Products as search lists them, or patterns: * and ? stand for anything. Without any, all "
            "that the options leave.",
        ),
    ] = None,
    instrument: OfInstrument = None,
    level: OfLevel = None,
    since: Since = None,
    until: Until = None,
    use: Uses = "frames",
    shape: Annotated[
        str | None,
        typer.Option("--shape", metavar="NYxNX", help="Only frames of this shape, 1024x1024."),
    ] = None,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="With the uncertainty of every pixel.")
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Replace a store of that name that holds something else.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put the frames of releases into one zarr store, to be opened with xarray.open_zarr.

    Frames lie in time order, each once, with header, quality and outcome. Given again after new frames came,
    it adds them at the end; broken off and given again, it goes on. What cannot be read is NaN and says why.

    [bold]Examples[/]

      heliolake stack stereo_hi:hi2a_s7_20110910.l1 -o day.zarr
      heliolake stack 'aia_171_*' --level 1.5 --since 2014-03-01 -o march.zarr --for series
    """
    from heliolake.selection import select
    from heliolake.stores import make_store, releases
    from lake.errors import BadInput, Reason
    from pipeline.cube.layout import Use

    if use not in list(Use):
        raise BadInput(f"{use!r} is not a use", keyword="--for", advice="frames or series", code=Reason.OTHER)
    sizes = parse_shape(shape) if shape else None
    with open_lake(ctx) as lake:
        found = releases(
            lake,
            products or (),
            instrument=instrument,
            level=level,
            since=since,
            until=until,
            principal=principal_of(ctx, lake),
        )
        chosen = select(found, shape=sizes, since=since, until=until, uncertainty=uncertainty)
        with progress_bar("stack") as bar:
            made = make_store(home_of(ctx), chosen.order(Use(use)), output, anew=anew, on_progress=bar)
    if as_json:
        print_json(_document(made))
    else:
        print_path(made.path)
        _print_told(made)
    if made.problems:
        raise typer.Exit(ExitCode.WITH_PROBLEMS)


def cache(
    ctx: typer.Context,
    clear: Annotated[
        bool, typer.Option("--clear", help="Throw all of it away; it is made again when it is wanted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the stores that notebooks made with lake.stack(...), or throw them away.

    What was not used for longest goes by itself when they take more than 50 GB.
    """
    from heliolake.stores import cache_of

    kept = cache_of(home_of(ctx))
    if clear:
        freed = kept.clear()
        if as_json:
            print_json({"freed": freed})
        else:
            out().print(f"{freed / 1e6:.1f} MB are free again")
        return
    found = kept.listing()
    if as_json:
        stores = [
            {"path": str(one.path), "bytes": one.size, "frames": one.frames, "use": one.use, "used": one.used}
            for one in found
        ]
        print_json({"stores": stores})
    elif found:
        rows = [
            (one.path.name, one.use, one.frames, f"{one.size / 1e6:.1f} MB", f"{one.used:%Y-%m-%d %H:%M}")
            for one in found
        ]
        out().print(table("", ("store", "for", ">frames", ">size", "last used"), rows, fold=("store",)))
    else:
        out().print("Nothing is kept.")


def _document(made: Built) -> dict[str, object]:
    problems = [
        {"file": name, "outcome": one.status.value, "reason": one.reason, "advice": one.advice}
        for name, one in made.problems.items()
    ]
    return {
        "store": str(made.path),
        "frames": made.frames,
        "new": made.new,
        "units": list(made.units),
        "problems": problems,
    }


def _print_told(made: Built) -> None:
    console = err()
    added = "as it was asked for already" if not made.new else f"{made.new} read now"
    console.print(f"{made.frames} frames, {added}", soft_wrap=True)
    if len(made.units) > 1:
        units = ", ".join(one or "none" for one in made.units)
        console.print(
            f"[yellow]note[/]  the frames have several units ({shown(units)}); the variable unit tells each",
            soft_wrap=True,
        )
    alike: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name, one in made.problems.items():
        alike[one.reason, one.advice].append(name)
    for (reason, advice), names in alike.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        told = f"{', '.join(names[:_NAMED])}{more}"
        console.print(f"[yellow]NaN[/]  {shown(reason)} ({shown(told)})", soft_wrap=True)
        if advice:
            console.print(f"  [dim]→ {shown(advice)}; --anew reads them again[/]", soft_wrap=True)
