"""What the shell offers when a word is completed: read from files, or asked of a catalogue that runs.

A person waits for it, so nothing slow is imported (no instrument, no SQLAlchemy), no service is started, and
whatever fails offers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final

import typer

from cluster.home.home import Home
from heliolake.demo import subjects

_MOST: Final = 50
_PATIENCE_S: Final = 1
_NAME: Final = re.compile(r"^name:\s*['\"]?([A-Za-z0-9_.-]+)", re.MULTILINE)
_STEP: Final = re.compile(r"\bstep:\s*['\"]?([A-Za-z0-9_.-]+)")

_RUNS: Final = "SELECT id FROM run ORDER BY created DESC LIMIT %s"
_CONTEXTS: Final = "SELECT number FROM context ORDER BY number DESC LIMIT %s"
_PRODUCTS: Final = "SELECT name FROM product WHERE split_part(name, ':', 2) LIKE %s ORDER BY name LIMIT %s"


def recipe_names(incomplete: str) -> list[str]:
    """Recipes that come with instruments; a path is left to the shell."""
    return _beginning(incomplete, _recipes())


def instrument_names(incomplete: str) -> list[str]:
    """Instruments of this installation."""
    found = (_named(folder / "instrument.yaml") for folder in _instrument_folders())
    return _beginning(incomplete, filter(None, found))


def demonstrations(incomplete: str) -> list[str]:
    """Instruments that have a demonstration."""
    return _beginning(incomplete, subjects.named())


def settings(ctx: typer.Context, incomplete: str) -> list[str]:
    """``STEP.`` and ``STEP.enabled=`` for each step of the recipe that was named, numbered where twice."""
    known = _recipes()
    # Before an option that still lacks its value, Typer does not tell arguments from each other.
    named = next((word for word in (ctx.params.get("recipe"), *ctx.args) if word in known), None)
    steps = _STEP.findall(_text(known[named])) if named else []
    numbered = [
        f"{step}#{steps[: place + 1].count(step)}" if steps.count(step) > 1 else step
        for place, step in enumerate(steps)
    ]
    return _beginning(incomplete, [f"{step}.{end}" for step in numbered for end in ("", "enabled=")])


def run_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """The latest runs of the home."""
    return _beginning(incomplete, _asked(ctx, _RUNS, (_MOST,)))


def context_numbers(ctx: typer.Context, incomplete: str) -> list[str]:
    """The latest contexts of the home."""
    return _beginning(incomplete, _asked(ctx, _CONTEXTS, (_MOST,)))


def site_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The sites of the home."""
    try:
        from cluster.sites.book import Book

        known = list(Book(Home.resolve(ctx.find_root().params.get("home"))).sites)
    except Exception:
        return []
    return _beginning(incomplete, known)


def product_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Products of the home; without their instrument, for shells break words at colons."""
    _, colon, start = incomplete.rpartition(":")
    escaped = start.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    names = _asked(ctx, _PRODUCTS, (f"{escaped}%", _MOST))
    return _beginning(incomplete, [name if colon else name.partition(":")[2] for name in names])


def _recipes() -> dict[str, Path]:
    paths = [path for folder in _instrument_folders() for path in sorted((folder / "recipes").glob("*.yaml"))]
    return {name: path for path in paths if (name := _named(path))}


def _instrument_folders() -> Iterator[Path]:
    # A package at the top is found without being imported.
    for package in ("pipeline", *(one.value for one in metadata.entry_points(group="heliolake.instruments"))):
        with suppress(ImportError, ValueError):
            spec = util.find_spec(package)
            for place in (spec.submodule_search_locations or ()) if spec else ():
                folder = Path(place)
                yield from sorted((folder / "instruments").iterdir()) if package == "pipeline" else [folder]


def _named(path: Path) -> str | None:
    match = _NAME.search(_text(path))
    return match[1] if match else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _asked(ctx: typer.Context, query: str, values: tuple[Any, ...]) -> list[str]:
    """First column of an answer of the home's catalogue; nothing when it does not run."""
    try:
        import psycopg

        url = Home.resolve(ctx.find_root().params.get("home")).database_url(driver="postgresql")
        with psycopg.connect(url, connect_timeout=_PATIENCE_S) as connection:
            return [str(row[0]) for row in connection.execute(query.encode(), values)]
    except Exception:
        return []


def _beginning(incomplete: str, names: Any) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
