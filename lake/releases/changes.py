"""What is different about a release against the one before: the notes to a version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lake.catalogue.models import File, Plan, Release, ReleaseFile, Run, UnitResult
from lake.catalogue.session import transaction
from lake.governance.inheritance import version_before
from lake.lake import Lake
from lake.names import version_token
from lake.releases.search import resolve

_SHOWN = 5


@dataclass(frozen=True)
class _Facts:
    """What a release was made of and with."""

    recipe: str
    steps: Mapping[str, Mapping[str, Any]]
    procedures: Mapping[str, int]
    software: Mapping[str, str]
    context: int | None
    references: frozenset[str]
    parents: frozenset[str]
    files: Mapping[str, str]


def changes(lake: Lake, product: str, against: int | None = None) -> dict[str, Any]:
    """What changed from the version before, or any other one, to this one.

    Parameters
    ----------
    lake
        The lake.
    product
        ``PRODUCT@vNNNN``, or the ACTIVE release of a product.
    against
        Number of the version that it is compared with; of the one before, where none is named.

    Returns
    -------
    dict
        ``release``, ``before`` (its name, or None for a first version) and ``changes``, a list of sentences
        with the ``kind`` of each: recipe, parameter, step, software, context, reference, input or file.

    Raises
    ------
    BadInput
        When there is no such release, or no such version.
    """
    release, key = resolve(lake, product)
    named = None if against is None else resolve(lake, f"{key.name}@{version_token(against)}")[0]
    with transaction(lake.sessions) as session:
        before = named or version_before(session, release)
        if before is None:
            told = [("file", "the first version")]
        else:
            told = list(_differences(_facts(session, before), _facts(session, release)))
            told = told or [("file", "no difference is known: the same files, made of and with the same")]
    name = None if before is None else f"{key.name}@{version_token(before.version)}"
    return {
        "release": f"{key.name}@{version_token(release.version)}",
        "before": name,
        "changes": [{"kind": kind, "text": text} for kind, text in told],
    }


def made_with(session: Session, release: Release) -> dict[str, Any]:
    """The steps that made a release with their parameters, and the code: its digests by name."""
    document = _plan(session, release)
    steps = _steps(document.get("recipe", {}).get("steps", ()))
    return {
        "recipe": release.recipe,
        "recipe_version": release.recipe_version,
        "context": release.context,
        "run": release.run_id,
        "steps": [{"step": name, "parameters": dict(one)} for name, one in steps.items()],
        "code": dict(document.get("code", {})),
    }


def _plan(session: Session, release: Release) -> Mapping[str, Any]:
    query = select(Plan.document).join(Run, Run.plan_id == Plan.id).where(Run.id == release.run_id)
    return session.scalar(query) or {}


def _facts(session: Session, release: Release) -> _Facts:
    document = _plan(session, release)
    recipe = document.get("recipe", {})
    rows = session.execute(
        select(File.stem, File.sha256, UnitResult.detail)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .outerjoin(UnitResult, UnitResult.unit_id == File.unit_id)
        .where(ReleaseFile.release_id == release.id)
    )
    files: dict[str, str] = {}
    procedures: dict[str, int] = {}
    for stem, sha256, detail in rows:
        files[stem] = sha256
        procedures |= (detail or {}).get("procedures", {})
    return _Facts(
        recipe=f"{release.recipe} {release.recipe_version}" if release.recipe else "",
        steps=_steps(recipe.get("steps", ())),
        procedures=procedures,
        software=document.get("code", {}),
        context=release.context,
        references=frozenset(release.refs),
        parents=frozenset(release.parents),
        files=files,
    )


def _steps(calls: Any) -> dict[str, Mapping[str, Any]]:
    """The parameters of each step of a recipe; a step that is done again is `NAME#2`."""
    found: dict[str, Mapping[str, Any]] = {}
    for call in calls:
        if not call.get("enabled", True):
            continue
        name = str(call["step"])
        number = sum(one.partition("#")[0] == name for one in found)
        found[name if not number else f"{name}#{number + 1}"] = dict(call.get("params", {}))
    return found


def _differences(old: _Facts, new: _Facts) -> Iterator[tuple[str, str]]:
    if old.recipe != new.recipe:
        yield "recipe", f"recipe {new.recipe or 'none'} (was {old.recipe or 'none'})"
    yield from _of_steps(old.steps, new.steps)
    for name in sorted(old.procedures.keys() & new.procedures.keys()):
        if old.procedures[name] != new.procedures[name]:
            yield "step", f"step {name} is version {new.procedures[name]} (was {old.procedures[name]})"
    software = sorted({*old.software, *new.software})
    changed = [name for name in software if old.software.get(name) != new.software.get(name)]
    if changed and old.software and new.software:
        yield "software", f"the software changed: {_few(changed)}"
    if old.context != new.context:
        yield "context", f"context {new.context or 'none'} (was {old.context or 'none'})"
    yield from _of_sets("reference", old.references, new.references)
    yield from _of_sets("input", old.parents, new.parents)
    yield from _of_files(old.files, new.files)


def _of_steps(
    old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    if not old or not new:
        return
    yield from (("step", f"step {name} is new") for name in new if name not in old)
    yield from (("step", f"step {name} is left out") for name in old if name not in new)
    for name in new.keys() & old.keys():
        for key in sorted({*old[name], *new[name]}):
            was, now = old[name].get(key, "the default"), new[name].get(key, "the default")
            if was != now:
                yield "parameter", f"{name}.{key} is {now} (was {was})"
    if list(old) != list(new) and set(old) == set(new):
        yield "step", f"the steps come in another order: {', '.join(new)}"


def _of_sets(kind: str, old: frozenset[str], new: frozenset[str]) -> Iterator[tuple[str, str]]:
    if added := sorted(new - old):
        yield kind, f"{kind}{'s' * (len(added) > 1)} {_few(added)} new"
    if gone := sorted(old - new):
        yield kind, f"{kind}{'s' * (len(gone) > 1)} {_few(gone)} no more"


def _of_files(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    added, gone = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    changed = sum(old[stem] != new[stem] for stem in old.keys() & new.keys())
    if added:
        yield "file", f"{len(added)} file{'s' * (len(added) > 1)} more: {_few(added)}"
    if gone:
        yield "file", f"{len(gone)} file{'s' * (len(gone) > 1)} less: {_few(gone)}"
    if changed:
        yield "file", f"{changed} of {len(new)} files changed"


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
