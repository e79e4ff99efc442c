"""What there is instead of what was asked for: names and levels near a misspelt one."""

from __future__ import annotations

from difflib import get_close_matches

from sqlalchemy import select

from lake.catalogue.models import Observation, Release, Run
from lake.catalogue.session import transaction
from lake.lake import Lake
from lake.names import level_token, version_token
from lake.text import listed

_LOOKED_AT = 2000
"""Names compared: one letter after the other, which takes its time."""
_SHOWN = 6
_SAME_START = 4


def instruments_with_releases(lake: Lake) -> list[str]:
    """Scopes of the releases there are."""
    with transaction(lake.sessions) as session:
        return sorted(session.scalars(select(Release.scope).distinct()))


def levels(lake: Lake, instrument: str | None = None) -> list[str]:
    """Levels of the releases there are, of one instrument or of all."""
    query = select(Release.level).distinct()
    if instrument is not None:
        query = query.where(Release.scope == instrument)
    with transaction(lake.sessions) as session:
        return sorted(session.scalars(query))


def observations(lake: Lake, name: str, instrument: str | None = None) -> list[str]:
    """Names of observations that a misspelt one may stand for, the nearest first."""
    names = select(Observation.name).order_by(Observation.id.desc()).limit(_LOOKED_AT)
    if instrument is not None:
        names = names.where(Observation.scope == instrument)
    alike = names.where(Observation.name.startswith(name[:_SAME_START], autoescape=True))
    with transaction(lake.sessions) as session:
        # Those that begin alike first: of a great lake not all names can be compared.
        known = dict.fromkeys([*session.scalars(alike), *session.scalars(names)])
    return get_close_matches(name, known, n=3, cutoff=0.6)


def releases_of(lake: Lake, observation: str, scope: str | None = None) -> list[str]:
    """Releases (``PRODUCT@vNNNN``) of the observation of this very name, of each level the latest first."""
    query = (
        select(Release.scope, Release.level, Release.version)
        .join(Observation, Observation.scope == Release.scope)
        .where(Observation.name == observation, Release.status != "DRAFT")
        .where(Release.dataset.startswith(f"{observation}.", autoescape=True))
        .order_by(Release.level, Release.version.desc())
    )
    if scope is not None:
        query = query.where(Release.scope == scope)
    with transaction(lake.sessions) as session:
        return [
            f"{row.scope}:{observation}.{level_token(row.level)}@{version_token(row.version)}"
            for row in session.execute(query)
        ]


def instead_of(lake: Lake, observation: str, scope: str | None = None) -> str:
    """Advice for somebody who asked for a release that is not there."""
    if others := releases_of(lake, observation, scope) or releases_of(lake, observation):
        return f"of {observation} there are: {listed(others, _SHOWN)}"
    if near := observations(lake, observation):
        return f"did you mean {' or '.join(near)}? `heliolake search` lists what there is"
    return "list what there is with `heliolake search`"


def run_instead_of(lake: Lake, run_id: str) -> str:
    """Advice for somebody who asked for a run that never was."""
    query = select(Run.id).order_by(Run.created.desc()).limit(_LOOKED_AT)
    with transaction(lake.sessions) as session:
        known = list(session.scalars(query))
    near = get_close_matches(run_id, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}the latest are: {listed(known, _SHOWN)}" if known else "nothing was processed yet"
