"""All instruments that are installed, by name: their descriptions read, their steps loaded."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Final

from astropy.io import fits
from pydantic import ValidationError

from pipeline import sources
from pipeline.choices import choices, shortly
from pipeline.documents import load_yaml
from pipeline.errors import BadInput, Fatal
from pipeline.instrument import Instrument, header_text
from pipeline.mistakes import explained

_BUILT_IN: Final = Path(__file__).parent / "instruments"
#: Third parties announce instruments here: name → module whose folder holds `instrument.yaml`.
ENTRY_POINTS: Final = "heliolake.instruments"


def recognise(header: fits.Header, source: str = "") -> Instrument:
    """The instrument a header belongs to.

    Raises
    ------
    BadInput
        When no description, or more than one, recognises it.
    """
    found = [entry for entry in instruments().values() if entry.recognises(header)]
    if len(found) == 1:
        return found[0]
    keywords = {name: header_text(header, name) for name in ("OBSRVTRY", "TELESCOP", "INSTRUME", "DETECTOR")}
    says = ", ".join(f"{name}={value!r}" for name, value in keywords.items() if value)
    if found:
        raise BadInput(
            "more than one instrument recognises this header",
            file=source,
            keyword=", ".join(keywords),
            found=", ".join(entry.name for entry in found),
            advice="make the `recognise` blocks of these instruments exclude each other",
        )
    raise BadInput(
        "no instrument recognises this header",
        file=source,
        keyword=", ".join(keywords),
        found=says or "none of these keywords",
        advice="describe its instrument in an instrument.yaml (CONTRIBUTING.md says how); "
        f"known: {', '.join(instruments())}",
    )


@lru_cache(maxsize=1)
def instruments() -> dict[str, Instrument]:
    """All instruments, by name: those of this package and those other packages announce.

    Raises
    ------
    Fatal
        When a description is not valid or a name is taken twice.
    """
    found: dict[str, Instrument] = {}
    for module, folder in _folders():
        entry = read_description(folder)
        if entry.name in found:
            raise Fatal(f"instrument {entry.name!r} is described twice; rename the one in {folder}")
        if importlib.util.find_spec(f"{module}.steps"):
            importlib.import_module(f"{module}.steps")
        sources.note_instrument(entry.name, folder)
        found[entry.name] = entry
    import pipeline.steps  # noqa: F401 - registers the steps every instrument may use

    sources.note_pipeline()  # modules of it were loaded just now
    return found


def instrument(name: str) -> Instrument:
    """The instrument of this name, its steps registered.

    Raises
    ------
    Fatal
        When there is none.
    """
    known = instruments()
    if name not in known:
        raise Fatal(f"there is no instrument {shortly(name)}. {choices(name, known)}")
    return known[name]


def _folders() -> Iterator[tuple[str, Path]]:
    for path in sorted(_BUILT_IN.glob("*/instrument.yaml")):
        yield f"pipeline.instruments.{path.parent.name}", path.parent
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        spec = importlib.util.find_spec(entry.value)
        if spec is None or not spec.submodule_search_locations:
            raise Fatal(f"the instrument {entry.name!r} is announced by {entry.value}, which is no package")
        yield entry.value, Path(spec.submodule_search_locations[0])


def read_description(folder: Path) -> Instrument:
    """The description of an instrument that lies in a folder.

    Raises
    ------
    Fatal
        Naming the file, the place in it, and what is wrong there.
    """
    path = folder / "instrument.yaml"
    document = load_yaml(path, "instrument description")
    try:
        return Instrument.model_validate({**document, "folder": folder})
    except ValidationError as error:
        told = explained(error, lambda place: Instrument if len(place) == 1 else None)
        raise Fatal(f"{path} is not a valid instrument description: {told}") from error
    except TypeError as error:
        raise Fatal(f"{path} is not a valid instrument description: it should be a mapping") from error
