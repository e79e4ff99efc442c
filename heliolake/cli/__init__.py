"""The `heliolake` command."""

from __future__ import annotations

from heliolake.cli.app import main

__all__ = ["main"]
