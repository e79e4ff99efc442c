"""The `heliolake` command: options in, words out; what is done is done elsewhere."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the console script."""
    try:
        # Imported here so that an impatient Ctrl-C finds somebody who listens.
        from heliolake.cli.app import front_door

        front_door()
    except KeyboardInterrupt:
        sys.exit(130)
