"""Which sources this process loaded, noted at that moment: on disk they may change while it runs.

Where sources had changed between two imports of one process (it loads some
modules late), both hashes enter: such a mixture is like no other process and
never passes for one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_LETTERS: Final = 16  # of a hash: enough to tell sources apart, short enough to travel with every block
_LOADED: Final[dict[str, str]] = {}
_KERNELS: Final = "sources of pipeline.kernels"
_PIPELINE: Final = "sources of pipeline"


def note(part: str, sources: Iterator[Path]) -> None:
    """Note the sources of a part of the code as they are at this moment, which is that of its import."""
    found = _hash(sources)
    known = _LOADED.get(part)
    _LOADED[part] = found if known in (None, found) else short_hash(f"{known} then {found}")


def note_pipeline() -> None:
    """Note the sources of this package, instruments left out: they are noted one by one."""
    folder = Path(__file__).parent
    note(_KERNELS, folder.joinpath("kernels").rglob("*.py"))
    apart = {"instruments", "kernels"}
    note(
        _PIPELINE,
        (path for path in folder.rglob("*.py") if path.relative_to(folder).parts[0] not in apart),
    )


def note_instrument(name: str, folder: Path) -> None:
    """Note the sources of an instrument's package, its description included; recipes travel by themselves."""
    note(_sources_of(name), folder.rglob("*.py"))
    note(f"description of {name}", iter([folder / "instrument.yaml"]))


def noted_alone(part: str) -> Mapping[str, str]:
    """What was noted of one part: part → hash."""
    return {part: _LOADED[part]}


def noted(instrument: str) -> Mapping[str, str]:
    """What was noted of the pipeline and of one instrument, which has to be loaded: part → hash."""
    parts = (_PIPELINE, _KERNELS, _sources_of(instrument), f"description of {instrument}")
    return {part: _LOADED[part] for part in parts}


def short_hash(text: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:_LETTERS]


def _sources_of(name: str) -> str:
    return f"sources of {name}"


def _hash(sources: Iterator[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(sources):
        whole.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:_LETTERS]
