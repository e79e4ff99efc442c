"""`withdraw`: give a release out no more."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from heliolake.cli.common import GOVERN, Json, open_lake, principal_of
from heliolake.cli.complete import product_names
from heliolake.cli.doi import tell_registry
from heliolake.cli.output import err, out, print_json, shown

_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(rich_help_panel=GOVERN)(withdraw)


def withdraw(
    ctx: typer.Context,
    product: Annotated[
        str,
        typer.Argument(
            metavar="PRODUCT@vNNNN", autocompletion=product_names, help="The release, with its version."
        ),
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What is wrong with it; everybody reads this.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Give a release out no more, for ever. Its record and the reason stay; what was made of it is named.

    [bold]Example[/]

      heliolake withdraw stereo_hi:hi2a_s7_20110910.l1@v0001 --reason 'wrong flat field'
    """
    from lake.releases.withdrawal import withdraw as give_out_no_more

    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        typer.confirm(f"Withdraw {product}? There is no way back.", abort=True, err=True)
    with open_lake(ctx) as lake:
        done = give_out_no_more(lake, product, reason=reason, principal=principal_of(ctx, lake))
        tell_registry(ctx, lake)
    if as_json:
        print_json(done.as_dict())
        return
    out().print(f"{shown(done.release)} is withdrawn; it was {done.was}.", soft_wrap=True)
    for name in done.derived[:_SHOWN]:
        out().print(f"  made of it: {shown(name)}", soft_wrap=True)
    if len(done.derived) > _SHOWN:
        out().print(f"  [dim]… and {len(done.derived) - _SHOWN} more (--json has them)[/]")
    if done.was == "ACTIVE":
        err().print("Its product has no active release now; the next one that is ingested or processed is.")
