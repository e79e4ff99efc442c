"""Who this process is to a store: by files and variables of its own machine, never by what it was sent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final, NamedTuple

from lake.errors import Fatal

VARIABLE: Final = "HELIOLAKE_STORES"
"""Variable that names a file of credentials for the stores this process uses."""

_files: list[Path] = []


class Credentials(NamedTuple):
    """A key to a store; not shown."""

    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return "Credentials(...)"


def use(file: Path) -> None:
    """Let this process find credentials in a file too."""
    if file not in _files:
        _files.append(file)


def find(url: str) -> Credentials | None:
    """The credentials for a store; None leaves it to the AWS variables, files and roles of the machine.

    Raises
    ------
    Fatal
        When a file of credentials cannot be read.
    """
    named = os.environ.get(VARIABLE)
    for file in [*reversed(_files), *([Path(named)] if named else [])]:
        known = read(file)
        if url in known:
            return known[url]
    return None


def read(file: Path) -> dict[str, Credentials]:
    """The credentials in a file by the URLs of their stores; none where there is no file.

    Raises
    ------
    Fatal
        When it cannot be read.
    """
    try:
        known = json.loads(file.read_text())
        return {url: Credentials(one["access_key"], one["secret_key"]) for url, one in known.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        # What is in it must not be shown: it holds secrets.
        raise Fatal(f"The credentials in {file} cannot be read ({type(error).__name__}). Mend it.") from None


def as_text(known: dict[str, Credentials]) -> str:
    """The contents of such a file."""
    return json.dumps({url: one._asdict() for url, one in known.items()}, indent=1) + "\n"
