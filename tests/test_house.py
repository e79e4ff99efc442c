"""The house: imports run one way, and rooms stay small enough to see across."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
#: What each part may import of the others.
ALLOWED = {
    "heliolake": {"cluster", "pipeline", "lake"},
    "cluster": {"pipeline", "lake"},
    "pipeline": set[str](),
    "lake": set[str](),
}
MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 60


def modules(part: str) -> list[Path]:
    return sorted((HOUSE / part).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of everything a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_run_one_way(part: str) -> None:
    forbidden = set(ALLOWED) - ALLOWED[part] - {part}
    against = {
        f"{path.relative_to(HOUSE)} imports {name}"
        for path in modules(part)
        for name in imported(ast.parse(path.read_text()))
        if name in forbidden
    }
    assert not against


def imports() -> dict[str, set[str]]:
    """Which modules of the house each of them imports, wherever in it, for types alone included."""
    files = {name_of(path): path for part in ALLOWED for path in modules(part)}
    return {name: set(house_imports(path, files)) for name, path in files.items()}


def name_of(path: Path) -> str:
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def house_imports(path: Path, known: Container[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in known or node.module in known:
                    yield whole if whole in known else node.module


def circle(graph: Mapping[str, set[str]]) -> str:
    """A circle in a graph, as it is walked; empty when there is none."""
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return " → ".join(reversed(error.args[1]))
    return ""


def test_no_imports_run_in_a_circle() -> None:
    assert not circle(imports())


@pytest.mark.parametrize("part", ALLOWED)
def test_no_rooms_need_each_other(part: str) -> None:
    """What lies directly in a part is for all its rooms, and may open them."""
    rooms: dict[str, set[str]] = {}
    for name, used in imports().items():
        here = room_of(name, part)
        if here:
            rooms.setdefault(here, set()).update(
                other for one in used if (other := room_of(one, part)) not in ("", here)
            )
    assert not circle(rooms)


def room_of(module: str, part: str) -> str:
    """The folder of a part that a module lies in; empty for what lies in none, or in another part."""
    inside = module.split(".")
    return inside[1] if inside[0] == part and (HOUSE / part / inside[1 % len(inside)]).is_dir() else ""


@pytest.mark.parametrize(
    "room", sorted({path.parent for part in ("lake", "cluster") for path in modules(part)}), ids=name_of
)
def test_every_room_says_what_belongs_there_and_what_does_not(room: Path) -> None:
    sentence = (ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or "").partition("\n")[0]
    assert sentence.endswith(".")
    assert "; " in sentence or room.name in ALLOWED or "migrations" in room.parts


#: Who works on stored files for the lake's own upkeep, on nobody's behalf; all others need a person's grant.
CUSTODIANS = {
    "cluster/pictures/remake.py",
    "lake/calibration/references.py",
    "lake/fsck/code.py",
    "lake/fsck/releases.py",
    "lake/fsck/rows.py",
    "lake/governance/policy.py",
    "lake/releases/indexing.py",
    "lake/releases/search.py",
}
#: Who reaches the storage itself: those that write to it, move or mend what it holds, or have a grant.
KEEPERS = {
    "cluster/board": "draws what a grant opened to the public",
    "cluster/crew/executor.py": "has what a grant opened brought to its site",
    "cluster/intake": "takes files in",
    "cluster/pictures": "draws what lies there, and puts pictures beside it",
    "cluster/run": "reads what a grant opened, writes products and partial results",
    "heliolake/results.py": "tells places that a grant opened",
    "lake/archive/copies.py": "looks where what a grant opened lies whole",
    "lake/archive/giving.py": "gives out what a grant opened",
    "lake/archive/location.py": "signs addresses of what a grant opened",
    "lake/archive/server.py": "looks whether it is there",
    "lake/calibration/references.py": "takes calibration files in",
    "lake/fits": "reads what it is handed",
    "lake/fsck": "compares and mends",
    "lake/lake.py": "opens it",
    "lake/releases/pictured.py": "removes pictures of what is not ACTIVE",
    "lake/releases/publishing.py": "looks whether the bytes are there",
    "lake/releases/search.py": "copies what a grant opened",
    "lake/rucio": "copies between storage elements",
    "lake/storage": "is it",
}


def test_only_the_policy_makes_grants() -> None:
    makers = {
        str(path.relative_to(HOUSE))
        for part in ALLOWED
        for path in modules(part)
        if {"SEAL", "_SEAL"} & names_in(ast.parse(path.read_text()))
    }
    assert makers == {"lake/grant.py", "lake/governance/policy.py"}


def test_who_works_on_nobodys_behalf_is_known() -> None:
    users = {
        str(path.relative_to(HOUSE))
        for part in ALLOWED
        for path in modules(part)
        if "CUSTODY" in names_in(ast.parse(path.read_text()))
    }
    assert users == CUSTODIANS


def test_who_reaches_the_storage_is_known() -> None:
    """A path to stored bytes that asks nobody begins with the store: a new one has to be looked at here."""
    users = {
        str(path.relative_to(HOUSE))
        for part in ALLOWED
        for path in modules(part)
        if reaches_the_storage(ast.parse(path.read_text()))
    }
    assert not {user for user in users if not any(user.startswith(keeper) for keeper in KEEPERS)}


def reaches_the_storage(tree: ast.AST) -> bool:
    """Whether a module opens a store, or takes the one that a lake has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "lake.storage.opening":
            return True
        if isinstance(node, ast.Attribute) and node.attr in ("store", "stores", "store_of", "holders"):
            owner = node.value
            if "lake" in (getattr(owner, "id", ""), getattr(owner, "attr", "")):
                return True
    return False


def names_in(tree: ast.AST) -> set[str]:
    """Names and attributes that a module uses."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }


def test_the_pipeline_knows_no_scheduler_storage_or_database() -> None:
    outside = {"distributed", "rucio", "sqlalchemy", "psycopg"}
    against = {
        f"{path.relative_to(HOUSE)} imports {name}"
        for path in modules("pipeline")
        for name in imported(ast.parse(path.read_text()))
        if name in outside
    }
    assert not against


@pytest.mark.parametrize("part", ALLOWED)
def test_files_and_functions_stay_small(part: str) -> None:
    too_long = []
    for path in modules(part):
        text = path.read_text()
        if len(text.splitlines()) > MOST_LINES:
            too_long.append(f"{path.relative_to(HOUSE)}: {len(text.splitlines())} lines")
        if "migrations" in path.parts:
            continue  # a migration is a list, read from top to bottom
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                if ast.get_docstring(node):
                    lines = (node.end_lineno or 0) - (node.body[0].end_lineno or 0)
                if lines > MOST_LINES_OF_A_FUNCTION:
                    too_long.append(f"{path.relative_to(HOUSE)}:{node.lineno} {node.name}: {lines} lines")
    assert not too_long


def test_stacks_are_written_by_nobody_but_the_block_writer() -> None:
    """Dask writes of misaligned chunks corrupt silently; nothing here may use them."""
    banned = ("to_zarr", "da.store(", ".store(")
    found = [
        f"{path.relative_to(HOUSE)}: {word}"
        for part in ALLOWED
        for path in modules(part)
        for word in banned
        if word in path.read_text()
    ]
    assert not found


def test_yaml_is_always_loaded_safely() -> None:
    for part in ALLOWED:
        for path in modules(part):
            assert "yaml.load(" not in path.read_text(), path
