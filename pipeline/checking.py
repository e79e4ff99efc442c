"""Whether an instrument is fit for use: its description, recipes, steps, selectors, and its packaging."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from string import Formatter
from typing import Any, Final, NamedTuple

from pipeline.errors import Fatal, HeliolakeError
from pipeline.instrument import Instrument, ReferenceRule
from pipeline.preview import colour_map
from pipeline.recipe import Recipe
from pipeline.reduction import ReductionKind, reductions_of
from pipeline.registry import ENTRY_POINTS, instruments, is_announced, read_description, working_on
from pipeline.step import Step, owner_of, steps

_ABOVE: Final = 3
"""Folders above an instrument's in which the description of its package is looked for."""


class Checked(NamedTuple):
    """What was found.

    Attributes
    ----------
    name
        Of the instrument; the folder's where it has none.
    problems
        What must be put right, a sentence each.
    notes
        What may be meant so.
    recipes, steps
        What the instrument brings.
    """

    name: str
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


def check(folder: Path) -> Checked:
    """Check the instrument in a folder, installed or not.

    Parameters
    ----------
    folder
        That of ``instrument.yaml``, or of a package that holds one such folder.
    """
    try:
        folder = described_in(folder)
        entry = read_description(folder)
    except Fatal as error:
        return Checked(folder.name, (str(error),))
    problems = [*_patterns(entry), *_observation(entry), *_selectors(entry), *_previews(entry)]
    problems += _packaging(entry)
    try:
        with working_on(folder):
            own = [one for one in steps(entry.name) if owner_of(one) == entry.name]
            found, broken = _recipes(folder)
            problems += [*broken, *_levels(entry, found), *_expectations(entry)]
            problems += _reductions(entry, reductions_of(entry.name), found)
            notes = tuple(_notes(entry, own, found))
    except HeliolakeError as error:
        return Checked(entry.name, (*problems, str(error)))
    names = tuple(one.name for one in found), tuple(one.name for one in own)
    return Checked(entry.name, tuple(problems), notes, *names)


def described_in(folder: Path) -> Path:
    """The folder of `instrument.yaml`: the one given, or the only one below it that has one."""
    if (folder / "instrument.yaml").exists():
        return folder
    below = sorted(path.parent for path in folder.glob("*/instrument.yaml")) or sorted(
        path.parent for path in folder.glob("src/*/instrument.yaml")
    )
    if len(below) == 1:
        return below[0]
    if below:
        raise Fatal(f"{folder} holds several instruments: {', '.join(map(str, below))}; name one of them")
    raise Fatal(
        f"{folder} holds no instrument.yaml; `heliolake new instrument NAME` writes one to begin with"
    )


def _patterns(entry: Instrument) -> Iterator[str]:
    found: list[tuple[str, str]] = [
        (f"recognise, keyword {keyword}", pattern)
        for block in entry.recognise
        for keyword, pattern in block.items()
    ]
    found += [(f"meta {name}", rule.pattern) for name, rule in entry.meta.items()]
    found += [(f"references, {rule.need}, name", rule.name) for rule in entry.references]
    found += [(f"references, {rule.need}, contains", rule.contains) for rule in entry.references]
    rule = entry.level
    while rule:
        found.append(("level", rule.pattern))
        rule = rule.otherwise  # type: ignore[assignment]
    for where, pattern in found:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"{where}: {pattern!r} is no regular expression: {error}"


def _observation(entry: Instrument) -> Iterator[str]:
    known = {"date", *entry.meta}
    unknown = [name for name in _fields(entry.observation) if name not in known]
    there = ", ".join(sorted(entry.meta)) or "none"
    for name in unknown:
        yield f"observation: {{{name}}} is neither date nor one of meta: {there}"
    if unknown:
        return
    try:
        entry.observation.format(date=datetime(2024, 5, 6, tzinfo=UTC), **dict.fromkeys(entry.meta, "x"))
    except (ValueError, KeyError, IndexError, AttributeError, TypeError):
        try:  # a number's format
            entry.observation.format(date=datetime(2024, 5, 6, tzinfo=UTC), **dict.fromkeys(entry.meta, 1))
        except (ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
            yield f"observation: {entry.observation!r} makes no name: {error}"


def _previews(entry: Instrument) -> Iterator[str]:
    for rule in entry.preview:
        unknown = [name for name in rule.values if name not in entry.meta]
        for name in unknown:
            there = ", ".join(sorted(entry.meta)) or "which is empty"
            yield f"preview: {{{name}}} in colours is none of meta ({there})"
        if not rule.values:
            try:
                colour_map(rule.colours)
            except Fatal as error:
                yield f"preview: {error}"


def _selectors(entry: Instrument) -> Iterator[str]:
    known = {*entry.meta, *(rule.keyword for rule in entry.meta.values()), "FILENAME", "LEVEL"}
    for rule in entry.references:
        groups = _groups(rule)
        if groups is None:
            continue
        for name, wanted in rule.selectors.items():
            if name not in known:
                yield (
                    f"references, {rule.need}: the selector {name} is none of meta "
                    f"({', '.join(sorted(entry.meta)) or 'which is empty'}), so no frame could have it"
                )
            for text in (wanted,) if isinstance(wanted, str) else wanted:
                yield from _unknown_groups(rule, f"the selector {name}", text, groups)
        yield from _unknown_groups(rule, "valid_from", rule.valid_from, groups)


def _unknown_groups(rule: ReferenceRule, what: str, text: str, groups: set[str]) -> Iterator[str]:
    for field in _fields(text):
        if field not in groups:
            named = ", ".join(sorted(groups)) or "none"
            yield f"references, {rule.need}: {what} asks for {{{field}}}; the groups of its name are {named}"


def _groups(rule: ReferenceRule) -> set[str] | None:
    try:
        return set(re.compile(rule.name).groupindex)
    except re.error:
        return None


def _fields(template: str) -> list[str]:
    try:
        return [re.split(r"[.\[]", field)[0] for _, field, _, _ in Formatter().parse(template) if field]
    except ValueError:
        return [template]


def _recipes(folder: Path) -> tuple[list[Recipe], list[str]]:
    found, broken = [], []
    for path in sorted((folder / "recipes").glob("*")):
        if path.suffix == ".yml":
            broken.append(f"{path} is not looked at; its name has to end in .yaml")
        elif path.suffix == ".yaml":
            try:
                found.append(Recipe.load(path))
            except Fatal as error:
                broken.append(str(error))
    return found, broken


def _levels(entry: Instrument, recipes: list[Recipe]) -> Iterator[str]:
    reached = entry.level.levels | {one.to_level for one in recipes}
    names = [one.name for one in recipes]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two recipes are called {name}"
    for one in recipes:
        if one.instrument != entry.name:
            yield f"recipe {one.name} is for the instrument {one.instrument}, not for {entry.name}"
        elif one.from_level not in reached:
            yield (
                f"recipe {one.name} takes level {one.from_level}, which no file has and no recipe makes; "
                f"there are {', '.join(sorted(reached))}"
            )
        others = {
            name: other.name
            for other in instruments().values()
            if other.name != entry.name
            for name in (path.stem for path in (other.folder / "recipes").glob("*.yaml"))
        }
        if one.name in others:
            yield f"the recipe name {one.name} is taken by {others[one.name]}; begin it with {entry.name}"


def _expectations(entry: Instrument) -> Iterator[str]:
    known = {one.name for one in steps(entry.name)}
    for level, expected in entry.expects.items():
        for one in expected:
            if one.step not in known:
                yield f"expects, level {level}: there is no step {one.step}"


def _reductions(entry: Instrument, kinds: list[ReductionKind], recipes: list[Recipe]) -> Iterator[str]:
    levels = entry.level.levels | {one.to_level for one in recipes}
    for kind in kinds:
        for name in kind.alike:
            if name not in entry.meta:
                there = ", ".join(sorted(entry.meta)) or "which is empty"
                yield (
                    f"reduction {kind.name}: its frames are to agree in {name}, "
                    f"which is none of meta ({there})"
                )
        if kind.level not in levels:
            there = ", ".join(sorted(levels))
            yield f"reduction {kind.name} takes level {kind.level}; there are {there}"


def _notes(entry: Instrument, own: list[Step], recipes: list[Recipe]) -> Iterator[str]:
    used = {call.step for recipe in recipes for call in recipe.steps}
    for one in own:
        if one.name not in used:
            yield f"no recipe of its own uses the step {one.name}"
    asked = {need.name for one in own for need in one.needs}
    described = {rule.need for rule in entry.references}
    for kind in reductions_of(entry.name):
        if kind.need not in asked:
            yield f"reduction {kind.name} makes {kind.need}, which no step of its own asks for"
    for name in sorted(described - asked):
        yield f"references: no step asks for {name}"
    for name in sorted(asked - described):
        yield f"references: nothing says how to recognise {name}; it has to be added with --need {name}"
    if not recipes:
        yield "there is no recipe: its files are recognised and kept, nothing is made of them"


def _packaging(entry: Instrument) -> Iterator[str]:
    """What keeps a package that is built from working: data that are left out, no announcement."""
    project = _project_of(entry.folder)
    if project is None or not is_announced(entry):
        return
    try:
        document = tomllib.loads(project.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield f"{project} cannot be read: {error}"
        return
    module = entry.folder.name
    announced = _at(document, "project", "entry-points", ENTRY_POINTS)
    if not isinstance(announced, dict) or not any(
        str(one).split(".")[-1] == module for one in announced.values()
    ):
        yield (
            f'{project} does not announce it; add [project.entry-points."{ENTRY_POINTS}"] with '
            f'{entry.name} = "{module}"'
        )
    elif entry.name not in announced:
        yield f"{project} announces it under another name than {entry.name}: {', '.join(announced)}"
    if not (entry.folder / "__init__.py").exists():
        yield f"{entry.folder} has no __init__.py, so it is not installed as a package"
    if _at(document, "build-system", "build-backend") == "setuptools.build_meta":
        yield from _package_data(entry, document, project)


def _package_data(entry: Instrument, document: dict[str, Any], project: Path) -> Iterator[str]:
    told = _at(document, "tool", "setuptools", "package-data")
    patterns = [
        str(pattern)
        for package, listed in (told.items() if isinstance(told, dict) else ())
        if package in ("*", entry.folder.name) and isinstance(listed, list)
        for pattern in listed
    ]
    if (project.parent / "MANIFEST.in").exists():
        return
    data = [entry.folder / "instrument.yaml", *sorted((entry.folder / "recipes").glob("*.yaml"))]
    for path in data:
        name = path.relative_to(entry.folder).as_posix()
        if not any(fnmatch(name, pattern) for pattern in patterns):
            yield (
                f"{name} is left out when {project} is built; add [tool.setuptools.package-data] with "
                f'{entry.folder.name} = ["instrument.yaml", "recipes/*.yaml"]'
            )


def _project_of(folder: Path) -> Path | None:
    for parent in list(folder.resolve().parents)[:_ABOVE]:
        if (parent / "pyproject.toml").exists():
            return parent / "pyproject.toml"
    return None


def _at(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document
