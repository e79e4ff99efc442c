"""Which code this process runs: noted when it is loaded, compared before a recipe is carried out.

A worker that was started yesterday runs yesterday's steps whatever lies on
disk today. Sources are therefore hashed when packages are imported, not when
somebody asks. Where sources had changed between two imports of one process
(it loads some modules late), both hashes enter: such a mixture is like no
other process and never passes for one.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.errors import Fatal

if TYPE_CHECKING:
    from pipeline.recipe import Recipe

#: What a process runs, part by part: name → version or hash.
Code = Mapping[str, str]

_LETTERS: Final = 16  # of a hash: enough to tell sources apart, short enough to travel with every block
_LIBRARIES: Final = ("heliolake", "numpy", "numba", "scipy", "astropy")
_LOADED: Final[dict[str, str]] = {}
_KERNELS: Final = "sources of pipeline.kernels"
_PIPELINE: Final = "sources of pipeline"


def note(part: str, sources: Iterator[Path]) -> None:
    """Note the sources of a part of the code as they are at this moment, which is that of its import."""
    found = _hash(sources)
    known = _LOADED.get(part)
    _LOADED[part] = found if known in (None, found) else _short(f"{known} then {found}")


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


def of_instrument(name: str) -> Code:
    """What everything of one instrument depends on: sources, Python, and the libraries all steps use."""
    from pipeline.instrument import instrument
    from pipeline.provenance import library_version

    instrument(name)  # loads and notes it
    parts = (_PIPELINE, _KERNELS, _sources_of(name), f"description of {name}")
    return {
        "Python": platform.python_version(),
        **{library: library_version(library) for library in _LIBRARIES},
        **{part: _LOADED[part] for part in parts},
    }


def of_recipe(recipe: Recipe) -> Code:
    """What a recipe's result depends on in this process: `of_instrument`, its steps, and their libraries.

    Parameters are not looked at: a step that is older may not know them.
    """
    return dict(_of_steps(recipe.instrument, tuple(call.step for call in recipe.steps if call.enabled)))


@lru_cache(maxsize=64)
def _of_steps(instrument: str, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    from pipeline.provenance import library_version
    from pipeline.step import find_step

    found = dict(of_instrument(instrument))
    for name in names:
        try:
            step = find_step(instrument, name)
        except Fatal:  # told as a difference, by the name of the step
            found[f"step {name}"] = "absent"
            continue
        found[f"step {name}"] = f"version {step.version}"
        found.update({library: library_version(library) for library in step.libraries})
    return tuple(sorted(found.items()))


def forget() -> None:
    """Find out anew; for instruments that are installed while a process runs."""
    _of_steps.cache_clear()


def digest(code: Code) -> str:
    """One short name for all of it."""
    return _short(json.dumps(dict(code), sort_keys=True))


def require_same(wanted: Code, here: Code, what: str, who: str) -> None:
    """Refuse to work with other code than was asked for.

    Parameters
    ----------
    wanted, here
        What the asking process runs, and what this one does.
    what
        What was to be done, for the message.
    who
        What this process is.

    Raises
    ------
    Fatal
        Naming what differs, and what to do.
    """
    if wanted == here:
        return
    raise Fatal(
        f"{who} runs other code than what {what} was planned with: {differences(wanted, here)}. Nothing was "
        "computed with it. Run `heliolake down` and `heliolake up`, restart notebooks that were open "
        "meanwhile, then give the same command again"
    )


def differences(wanted: Code, here: Code) -> str:
    """What differs, in words: versions with both values, sources by name."""
    told = []
    for part in sorted(wanted.keys() | here.keys()):
        planned, found = wanted.get(part, "absent"), here.get(part, "absent")
        if planned == found:
            continue
        told.append(
            f"{part} differ"
            if part.startswith(("sources", "description"))
            else f"{part} is {found} here and {planned} there"
        )
    return "; ".join(told)


def _sources_of(name: str) -> str:
    return f"sources of {name}"


def _hash(sources: Iterator[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(sources):
        whole.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:_LETTERS]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_LETTERS]
