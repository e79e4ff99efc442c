"""`fluctuation`: the fluctuation theorem in the series of a stack's pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heliolake.cli.common import FIND, Json
from heliolake.cli.output import err, out, print_json, print_path, shown, table

if TYPE_CHECKING:
    from pipeline.fluctuation import Fluctuation


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=FIND)(fluctuation)


def fluctuation(
    store: Annotated[
        Path, typer.Argument(metavar="STACK.zarr", help="As heliolake stack --for series makes it.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="NAME.fits", help="Tables as FITS; a picture, NAME.png, beside it."
        ),
    ],
    observable: Annotated[
        str, typer.Option("--observable", metavar="NAME", help="Variable of the stack.")
    ] = "image",
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="AXIS=N", help="One place along an axis, from 0: wavelength=12."),
    ] = None,
    of: Annotated[
        str, typer.Option("--of", metavar="value|absolute|square", help="What of its values.")
    ] = "value",
    least: Annotated[
        float, typer.Option("--least", metavar="X", help="Values nearer to zero are noise, and none.")
    ] = 0.0,
    states: Annotated[int, typer.Option("--states", metavar="N", help="States of equal share.")] = 6,
    bounds: Annotated[
        list[float] | None,
        typer.Option("--bound", metavar="X", help="Between states, in place of equal shares; several."),
    ] = None,
    each_pixel: Annotated[
        bool, typer.Option("--each-pixel", help="Bounds of states are each pixel's own.")
    ] = False,
    lengths: Annotated[
        list[int] | None,
        typer.Option("-T", "--length", metavar="T", help="Transitions of a path; one or several."),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Of the bootstrap.")] = 200,
    side: Annotated[
        int, typer.Option("--side", metavar="N", help="Pixels along a side of the squares it draws.")
    ] = 8,
    regular: Annotated[
        float, typer.Option("--regular", metavar="X", help="Part of a time step that a frame may be off.")
    ] = 0.1,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the bootstrap.")] = 1,
    anew: Annotated[bool, typer.Option("--anew", help="Replace a result of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Test the fluctuation theorem in the course of pixels in time.

    Values become states, their series a Markov chain; of its paths the entropy they produce is found, and
    whether ln p(+s)/p(-s) = s and the mean of e^-s is 1, with intervals of a bootstrap over squares of
    pixels. What does not hold (not Markov, not stationary, too short, gaps) is said. No home and no service
    is needed.

    [bold]Examples[/]

      heliolake stack 'lars_*' --level 1 -o day.zarr --for series

      heliolake fluctuation day.zarr -o day.fits --states 8 -T 2 -T 4
    """
    from heliolake.series import fluctuation as analysed

    chosen = {"lengths": tuple(lengths)} if lengths else {}
    found = analysed(
        store,
        output,
        observable=observable,
        at=dict(map(_place, at or ())),
        of=of,
        least=least,
        states=states,
        bounds=tuple(sorted(bounds or ())),
        each_pixel=each_pixel,
        draws=draws,
        side=side,
        regular=regular,
        seed=seed,
        anew=anew,
        **chosen,
    )
    if as_json:
        files = [str(output), str(output.with_suffix(".png"))]
        print_json({"files": files, **found.document()})
        return
    print_path(output)
    _print(found)


def _place(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal():
        raise typer.BadParameter(f"{text!r} is no place along an axis; write AXIS=N, such as wavelength=12")
    return name, int(number)


def _print(found: Fluctuation) -> None:
    rows = [
        (
            one.length,
            one.paths,
            f"{one.mean:.4f}",
            f"{one.detailed.value:.4f}  [{one.detailed.low:.4f}, {one.detailed.high:.4f}]",
            f"{one.integral.value:.4f}  [{one.integral.low:.4f}, {one.integral.high:.4f}]",
            {True: "hold", False: "do not hold", None: "not told"}[one.holds],
        )
        for one in found.theorems
    ]
    heads = (">T", ">paths", ">mean s", "slope: 1", "mean of exp(-s): 1", "theorems")
    out().print(table("", heads, rows))
    for sentence in found.said():
        err().print(f"[yellow]note[/]  {shown(sentence)}", soft_wrap=True)
