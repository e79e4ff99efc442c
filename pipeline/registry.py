"""All instruments that are installed, by name: their descriptions read, their steps loaded."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

from astropy.io import fits
from pydantic import ValidationError

from pipeline import sources
from pipeline.choices import choices, shortly
from pipeline.documents import load_yaml
from pipeline.errors import BadInput, Fatal
from pipeline.instrument import Instrument, header_text
from pipeline.mistakes import explained
from pipeline.step import forget_steps

log = logging.getLogger(__name__)

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
    asked = _Asked(header)
    found = [entry for entry in instruments().values() if entry.recognises(asked)]
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
    describe = "describe its instrument: `heliolake new instrument NAME --package` writes an instrument.yaml "
    bare = "have the file with its keywords (JSOC's exports: protocol FITS, not as-is), or "
    raise BadInput(
        "no instrument recognises this header",
        file=source,
        keyword=", ".join(keywords),
        found=says or "none of these keywords",
        advice=("" if says else bare)
        + f"{describe}to begin with (CONTRIBUTING.md says how); known: {', '.join(instruments())}",
    )


class _Asked(dict[str, Any]):
    """A header whose values are looked up once, however many descriptions ask for them."""

    def __init__(self, header: fits.Header) -> None:
        super().__init__()
        self._header = header

    def get(self, keyword: str, default: Any = None) -> Any:
        """Value of a card."""
        if keyword not in self:
            self[keyword] = self._header.get(keyword)
        found = self[keyword]
        return default if found is None else found


#: Called with the name of an instrument that is used no longer, by what remembers its steps and reductions.
when_forgotten: Final[list[Callable[[str], None]]] = [forget_steps]


class _Found(NamedTuple):
    """Instruments that can be used, why others cannot, and the packages of the former."""

    usable: dict[str, Instrument]
    broken: dict[str, str]
    modules: dict[str, str]


#: Instruments that lie in folders somebody works on: module → folder. See `working_on`.
_WORKED_ON: Final[dict[str, Path]] = {}


@lru_cache(maxsize=1)
def _found() -> _Found:
    found = _Found({}, {}, {})
    for path in sorted(_BUILT_IN.glob("*/instrument.yaml")):
        _take(found, f"pipeline.instruments.{path.parent.name}", path.parent)
    for module, folder in _WORKED_ON.items():
        _take(found, module, folder)
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        # A package of somebody else's must not keep the others from working, whatever it raises.
        try:
            _take(found, entry.value, _folder_of(entry))
        except Exception as error:
            found.broken[entry.name] = _why(entry, error)
            log.warning("%s", found.broken[entry.name])
    import pipeline.steps  # noqa: F401 - registers the steps every instrument may use

    sources.note_pipeline()  # modules of it were loaded just now
    return found


def instruments() -> dict[str, Instrument]:
    """All instruments that can be used, by name: those of this package and those other packages announce.

    Raises
    ------
    Fatal
        When a description of this package is not valid.
    """
    return _found().usable


def broken() -> Mapping[str, str]:
    """The announced instruments that cannot be used, each with a sentence that says why."""
    return _found().broken


def instrument(name: str) -> Instrument:
    """The instrument of this name, its steps registered.

    Raises
    ------
    Fatal
        When there is none, or it cannot be used.
    """
    known = instruments()
    if name in known:
        return known[name]
    if name in broken():
        raise Fatal(broken()[name])
    raise Fatal(f"there is no instrument {shortly(name)}. {choices(name, known)}")


def modules() -> Mapping[str, str]:
    """The package of each instrument that can be used."""
    return _found().modules


def is_announced(entry: Instrument) -> bool:
    """Whether an instrument comes with another package."""
    return not entry.folder.is_relative_to(_BUILT_IN)


def forget() -> None:
    """Look for instruments anew when they are asked for next."""
    _found.cache_clear()


@contextmanager
def working_on(folder: Path) -> Iterator[str]:
    """Use an instrument that lies in a folder and is not installed; gives its name.

    Raises
    ------
    Fatal
        When its description is not valid, or its steps cannot be loaded.
    """
    folder = folder.resolve()
    name = read_description(folder).name
    known = instruments().get(name)
    if known is not None and known.folder.resolve() == folder:
        yield name
        return
    module, root = _module_of(folder)
    loaded = set(sys.modules)
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    _WORKED_ON[module] = folder
    forget()
    try:
        try:
            instruments()
        except Fatal:
            raise
        except Exception as error:  # whatever somebody's module does while it is loaded
            raise Fatal(f"the steps in {folder} cannot be loaded: {_told(error)}") from error
        yield name
    finally:
        sys.path.remove(str(root))
        del _WORKED_ON[module]
        for one in set(sys.modules) - loaded:
            if one == module or one.startswith(f"{module}."):
                del sys.modules[one]
        for forget_what_it_brought in when_forgotten:
            forget_what_it_brought(name)
        forget()


def _module_of(folder: Path) -> tuple[str, Path]:
    """The module a folder is, and the folder it is imported from."""
    parts, root = [folder.name], folder.parent
    while (root / "__init__.py").exists():
        parts, root = [root.name, *parts], root.parent
    return ".".join(parts), root


def _take(found: _Found, module: str, folder: Path) -> None:
    entry = read_description(folder)
    if entry.name in found.usable:
        other = found.usable[entry.name].folder
        if other.resolve() == folder.resolve():  # somebody works on what is installed
            return
        raise Fatal(f"instrument {entry.name!r} is described twice; rename the one in {folder}")
    if importlib.util.find_spec(f"{module}.steps"):
        importlib.import_module(f"{module}.steps")
    sources.note_instrument(entry.name, folder)
    found.usable[entry.name] = entry
    found.modules[entry.name] = module


def _folder_of(entry: metadata.EntryPoint) -> Path:
    spec = importlib.util.find_spec(entry.value)
    if spec is None or not spec.submodule_search_locations:
        raise Fatal(f"it is announced as {entry.value}, which is no package")
    return Path(spec.submodule_search_locations[0])


def _why(entry: metadata.EntryPoint, error: Exception) -> str:
    owner = f" of the package {entry.dist.name}" if entry.dist else ""
    return f"the instrument {entry.name}{owner} cannot be used: {_told(error)}"


def _told(error: Exception) -> str:
    told = " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{told}; install what provides {error.name}"
    return told if isinstance(error, (ImportError, Fatal)) else f"{type(error).__name__}: {told}"


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
