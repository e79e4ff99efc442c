"""`demo`: everything once, with a picture at the end."""

from __future__ import annotations

import typer

from heliolake.cli.common import START


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=START)(demo)


def demo(ctx: typer.Context) -> None:
    """Show everything once."""
