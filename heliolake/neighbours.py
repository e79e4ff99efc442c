"""Whether the packages Heliolake is made of are its own.

Their names are common words. A folder ``lake/`` or a module ``pipeline.py`` beside a
notebook comes before ours on Python's path and would be imported in its place.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_PARTS: Final = ("cluster", "lake", "pipeline")
_HOUSE: Final = Path(__file__).resolve().parent.parent


def require_own() -> None:
    """See to it that every part of Heliolake is the one installed beside this package.

    Raises
    ------
    ImportError
        Naming what hides which package, and what to do.
    """
    for name in _PARTS:
        found = _place(name)
        if found is None or found != _HOUSE / name:
            raise ImportError(_sentence(name, found), name=name, path=str(found) if found else None)


def _place(name: str) -> Path | None:
    """Folder of a package, or file of a module, that an import of this name gives."""
    loaded = sys.modules.get(name)
    try:
        spec: ModuleSpec | None = find_spec(name) if loaded is None else loaded.__spec__
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    if folders:
        return Path(folders[0]).resolve()
    return Path(spec.origin).resolve() if spec.origin else None


def _sentence(name: str, found: Path | None) -> str:
    if found is None:
        return f"Heliolake's package {name!r} is missing from {_HOUSE}; install Heliolake again"
    return (
        f"{found} hides Heliolake's package {name!r}, because it has the same name and comes first on "
        "Python's path; rename it, or start Python in another folder (then restart the kernel)"
    )
