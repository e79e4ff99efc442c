"""The registry a home registers its DOIs with: DataCite by `governance.yaml`, else one to practise with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from cluster.home.home import Home
from cluster.registry.rules import PracticeRegistry
from cluster.registry.server import serving
from cluster.registry.shelf import Shelf
from lake.errors import Fatal
from lake.governance.doi.office import Office
from lake.governance.doi.registry import FILE, TEST_PREFIX, Citations, Registry, read, registry_of

PRACTICE: Final = "HELIOLAKE.PRACTICE"
_LANDING: Final = "https://example.org/practice/{doi}"  # a name reserved for what leads nowhere


@contextmanager
def office_of(home: Home) -> Iterator[Office]:
    """Registry and citations of a home.

    Without a section `doi` in its `governance.yaml` that is a registry to practise with: it answers on this
    machine for as long as the block lasts, keeps its records in the home, and behaves as DataCite does.

    Raises
    ------
    Fatal
        When `governance.yaml` is not right, or is silent in a home whose services run elsewhere.
    """
    file = home.path / FILE
    said = read(file)
    practice = said["doi"] is None
    citations = Citations(said["citation"], file, _described, practice=practice)
    if not practice:
        yield Office(registry_of(said["doi"], file, home.identity), citations)
        return
    if home.outside:
        raise Fatal(
            f"{file} names no registry of DOIs, and a lake that is shared does not practise. "
            "Give it a section `doi`; heliolake doi --help has an example."
        )
    rules = PracticeRegistry(Shelf(home.path / "registry"), PRACTICE, home.secret("registry"), TEST_PREFIX)
    with serving(rules) as server:
        registry = Registry(
            server.url, PRACTICE, rules.password, TEST_PREFIX, _LANDING, home.identity, practice=True
        )
        yield Office(registry, citations)


def citing(home: Home) -> Office | None:
    """Citations of a home for those who only cite: nobody answers for its registry.

    None where a home whose services run elsewhere says nothing of DOIs.

    Raises
    ------
    Fatal
        When `governance.yaml` is not right.
    """
    file = home.path / FILE
    said = read(file)
    practice = said["doi"] is None
    if practice and home.outside:
        return None
    citations = Citations(said["citation"], file, _described, practice=practice)
    if not practice:
        return Office(registry_of(said["doi"], file, home.identity), citations)
    return Office(Registry("", PRACTICE, "", TEST_PREFIX, _LANDING, home.identity, practice=True), citations)


def _described(instrument: str) -> Mapping[str, Any]:
    """What an instrument's own description says of its data."""
    from pipeline.registry import instruments  # slow, and not for whoever only looks

    known = instruments().get(instrument)
    if known is None:
        return {}
    return {"title": known.title, "instrument": {"name": known.title}, **known.citation}
