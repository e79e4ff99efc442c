"""Every way to the data: the commands and the notebook's calls, and how each is walked.

The lists are compared with what the code offers: a new route without a line here fails the test.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from heliolake import Connection
from heliolake.cli.app import app
from heliolake.results import Observation, Results
from lake.releases.search import show


@dataclass(frozen=True)
class Place:
    """A release that is asked for, and where answers may be written.

    Attributes
    ----------
    release
        ``PRODUCT@vNNNN``.
    observation
        Its observation.
    folder
        An empty folder.
    """

    release: str
    observation: str
    folder: Path

    @property
    def product(self) -> str:
        """Its product."""
        return self.release.partition("@")[0]


Words = Callable[[Place], list[str]]

#: Commands that give out bytes, or what follows from them: for those alone who may have the release.
BYTES: dict[str, Words] = {
    "get": lambda to: ["get", to.release, "-o", str(to.folder)],
    "stack": lambda to: ["stack", to.release, "-o", str(to.folder / "x.zarr")],
    "plan": lambda to: ["plan", "stereo_hi-l1", "--observation", to.observation, "--json"],
    "process": lambda to: [
        "process", "stereo_hi-l1", "--observation", to.observation, "--trial", "-o", str(to.folder)
    ],
}  # fmt: skip

#: Commands that tell what everybody may know.
METADATA: dict[str, Words] = {
    "show": lambda to: ["show", to.release, "--json"],
    "search": lambda to: ["search", "--observation", to.observation, "--json"],
    "cite": lambda to: ["cite", to.release],
    "doi show": lambda to: ["doi", "show", to.release],
    "embargo show": lambda to: ["embargo", "show", to.product],
    "embargo due": lambda to: ["embargo", "due", "--days", "36500"],
}

_WHY = ["--reason", "a test of routes"]
#: Commands by which somebody decides: for curators or operators; here they are refused or change nothing.
GOVERNING: dict[str, Words] = {
    "withdraw": lambda to: ["withdraw", f"{to.product}@v9999", "--yes", *_WHY],
    "embargo set": lambda to: ["embargo", "set", "stereo_hi:none", "--until", "2099-01-01", *_WHY],
    "embargo extend": lambda to: ["embargo", "extend", "stereo_hi:none", "--until", "2099-01-01", *_WHY],
    "embargo lift": lambda to: ["embargo", "lift", "stereo_hi:none", *_WHY],
    "doi mint": lambda to: ["doi", "mint", f"{to.product}@v9999"],
    "doi register": lambda to: ["doi", "register", f"{to.product}@v9999"],
    "doi publish": lambda to: ["doi", "publish", f"{to.product}@v9999"],
    "doi hide": lambda to: ["doi", "hide", f"{to.product}@v9999", *_WHY],
    "doi sync": lambda to: ["doi", "sync"],
    "account add": lambda to: ["account", "add", "Not A Name"],
    "account show": lambda to: ["account", "show", "nobody"],
    "account change": lambda to: ["account", "change", "nobody", "--note", "x"],
    "account login": lambda to: ["account", "login"],
    "account suspend": lambda to: ["account", "suspend", "nobody", *_WHY],
    "account resume": lambda to: ["account", "resume", "nobody"],
    "account list": lambda to: ["account", "list"],
    "account group add": lambda to: ["account", "group", "add", "nobodies", "nobody"],
    "account group remove": lambda to: ["account", "group", "remove", "nobodies", "nobody"],
    "account group show": lambda to: ["account", "group", "show"],
    "account token make": lambda to: ["account", "token", "make", "nobody", "--scope", "read"],
    "account token list": lambda to: ["account", "token", "list"],
    "account token revoke": lambda to: ["account", "token", "revoke", "0"],
    "audit show": lambda to: ["audit", "show"],
    "audit verify": lambda to: ["audit", "verify"],
    "audit export": lambda to: ["audit", "export", "-o", str(to.folder / "trail.jsonl")],
    "audit anchor": lambda to: ["audit", "anchor", "-o", str(to.folder / "anchor.json")],
    "runs list": lambda to: ["runs", "list"],
    "runs show": lambda to: ["runs", "show", "20000101-zzzz"],
    "runs pause": lambda to: ["runs", "pause", "20000101-zzzz"],
    "runs resume": lambda to: ["runs", "resume", "20000101-zzzz"],
    "runs cancel": lambda to: ["runs", "cancel", "20000101-zzzz"],
    "runs retry": lambda to: ["runs", "retry", "20000101-zzzz"],
    "audit script": lambda to: ["audit", "script"],
}

#: Commands of the home's owner: nobody acts through them as somebody else.
OWNERS = frozenset(
    {
        "demo", "up", "down", "status", "ingest", "reduce", "quarantine", "cache", "recipes", "steps",
        "instruments", "check", "fluctuation",
        "fsck", "restore", "preview", "new instrument", "context add", "context list",
        "context show", "context diff", "context use", "migrate", "site add", "site list", "site show",
        "site drain", "site remove", "execute", "serve", "index",
    }
)  # fmt: skip

Call = Callable[[Connection, Place], Any]


def _one(lake: Connection, to: Place) -> Observation:
    return lake.product(to.release)


def _file(lake: Connection, to: Place) -> str:
    """A file of it by its own name, which is everybody's to know."""
    return str(show(lake.lake, to.release, lake.principal)["files"][0]["did"])


#: Calls of the notebook that give out bytes or where they lie.
NOTEBOOK_BYTES: dict[str, Call] = {
    "Observation.entries": lambda lake, to: _one(lake, to).entries,
    "Observation.paths": lambda lake, to: _one(lake, to).paths,
    "Observation.get": lambda lake, to: _one(lake, to).get(to.folder),
    "Observation.headers": lambda lake, to: _one(lake, to).headers(),
    "Observation.stack": lambda lake, to: _one(lake, to).stack().image.isel(time=0).values,
    "Observation.frames": lambda lake, to: _one(lake, to).frames(_one(lake, to).entries),
    "Observation.coordinates": lambda lake, to: _one(lake, to).coordinates(_one(lake, to).entries),
    "Results.stack": lambda lake, to: _found(lake, to).stack(),
    "Results.headers": lambda lake, to: _found(lake, to).headers(),
    "Connection.stack": lambda lake, to: lake.stack(_found(lake, to), to.folder / "s.zarr"),
    "Connection.try_recipe": lambda lake, to: lake.try_recipe("stereo_hi-l1", observation=to.observation),
    "Connection.plan": lambda lake, to: lake.plan("stereo_hi-l1", observation=to.observation),
    "Connection.get": lambda lake, to: lake.get(_file(lake, to), to.folder),
}

NOTEBOOK_METADATA: dict[str, Call] = {
    "Connection.search": lambda lake, to: lake.search(observation=to.observation, status=None).to_pandas(),
    "Connection.product": lambda lake, to: _one(lake, to).facts,
    "Connection.parents": lambda lake, to: lake.parents(_one(lake, to)),
    "Connection.references": lambda lake, to: lake.references(),
    "Observation.name": lambda lake, to: _one(lake, to).name,
    "Results.to_pandas": lambda lake, to: _found(lake, to).to_pandas().to_csv(),
}

#: Calls that only those make who run the data centre.
NOTEBOOK_OPERATORS: dict[str, Call] = {
    "Connection.process": lambda lake, to: lake.process("stereo_hi-l1", observation="none"),
    "Connection.reduce": lambda lake, to: lake.reduce("background", instrument="stereo_hi"),
    "Connection.runs": lambda lake, to: lake.runs(),
    "Connection.run": lambda lake, to: lake.run("20000101-zzzz"),
    "Connection.quarantine": lambda lake, to: lake.quarantine(),
    "Connection.cluster": lambda lake, to: lake.cluster(),
}

#: Calls that give out nothing of a release.
NOTEBOOK_IDLE = frozenset({"Connection.close", "Results.count", "Results.index"})


def _found(lake: Connection, to: Place) -> Results:
    return Results([_one(lake, to)])


def asks_for_a_release(words: Words) -> bool:
    """Whether what a command is given depends on the release that is asked for."""
    one, other = (Place(f"toy:{name}.l0@v0001", name, Path()) for name in ("a", "b"))
    return words(one) != words(other)


def commands() -> Iterator[str]:
    """All commands there are, as they are typed."""
    yield from _leaves(typer.main.get_command(app), ())


def _leaves(command: Any, above: tuple[str, ...]) -> Iterator[str]:
    for name, one in getattr(command, "commands", {}).items():
        if hasattr(one, "commands"):
            yield from _leaves(one, (*above, name))
        else:
            yield " ".join((*above, name))


def calls() -> Iterator[str]:
    """All public calls and properties of what a notebook holds."""
    for kind in (Connection, Observation, Results):
        for name, what in inspect.getmembers(kind):
            if not name.startswith("_") and (callable(what) or hasattr(what, "__get__")):
                yield f"{kind.__name__}.{name}"
