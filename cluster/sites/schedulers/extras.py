"""Packages that only one kind of cluster needs."""

from __future__ import annotations

from importlib.util import find_spec

from lake.errors import Fatal


def required(module: str, extra: str, what: str) -> None:
    """See that a package is installed.

    Raises
    ------
    Fatal
        When it is not, with the command that installs it.
    """
    if find_spec(module) is None:
        raise Fatal(f"{what} needs the package {module}; install it: pip install 'heliolake[{extra}]'")
