"""Which packages of instruments the running services know: what is installed later, they do not."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Final

from cluster.home.home import Home
from cluster.home.process import ProcessRecord, write_private

_GROUP: Final = "heliolake.instruments"
_FILE: Final = "instruments.json"


def announced() -> dict[str, str]:
    """The instruments of other packages: name → package and version."""
    found = {}
    for entry in metadata.entry_points(group=_GROUP):
        owner = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "no package"
        found[entry.name] = f"{entry.value} of {owner}"
    return found


def note(home: Home) -> None:
    """Remember what is installed at this moment, which is that of the workers' start."""
    write_private(home.run / _FILE, json.dumps(announced(), indent=1, sort_keys=True) + "\n")


def changed(home: Home) -> list[str]:
    """What was installed, changed or removed since the workers started: a sentence each, else nothing."""
    try:
        known = json.loads((home.run / _FILE).read_text())
    except (OSError, ValueError):  # a home of an earlier version, or none
        return []
    if not isinstance(known, dict) or not ProcessRecord.alive_in(home.run, "dask"):
        return []
    here = announced()
    told = []
    for name in sorted(known.keys() | here.keys()):
        if known.get(name) == here.get(name):
            continue
        what = "installed" if name not in known else "removed" if name not in here else "changed"
        package = here.get(name, known.get(name))
        told.append(
            f"the instrument {name} ({package}) was {what} after the services started, and their workers "
            "do not know of it; run `heliolake down`, then `heliolake up`"
        )
    return told
