"""What cases gave, kept in a file: a run that broke off goes on there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[2]
#: What an answer depends on.
_SOURCES: Final = ("bench/psf", "pipeline/psf", "pipeline/kernels")


@dataclass
class Kept:
    """Rows of each case, by its name.

    Attributes
    ----------
    path
        Where they are kept; `None` for nowhere.
    sources
        Digest of what made them.
    found
        The rows.
    """

    path: Path | None
    sources: str
    found: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None) -> Kept:
        """Those of before, if the sources are what they were then; else none."""
        sources = _sources()
        told = json.loads(path.read_text()) if path is not None and path.is_file() else {}
        known = isinstance(told, dict) and told.get("sources") == sources
        return cls(path, sources, told["found"] if known else {})

    def add(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Keep the rows of a case."""
        self.found[name] = rows
        if self.path is None:
            return
        written = self.path.with_suffix(self.path.suffix + ".part")
        written.write_text(json.dumps({"sources": self.sources, "found": self.found}, indent=1))
        written.replace(self.path)  # never half a file, whenever it breaks off


def _sources() -> str:
    """A digest of all that makes an answer."""
    told = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((_ROOT / folder).glob("*.py")):
            told.update(path.read_bytes())
    return told.hexdigest()
