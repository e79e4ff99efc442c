"""A film of a release, made of the pictures of its files: in time, few enough to be looked at, with gaps."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any, Final

import numpy as np
from distributed import Client, fire_and_forget
from sqlalchemy import select

from lake.catalogue.models import File, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.errors import BadInput, Reason
from lake.lake import Lake
from lake.names import version_token
from lake.releases.search import resolve
from lake.storage import previews
from lake.storage.opening import open_store
from lake.storage.previews import preview_key
from pipeline.pictures.film import Still, common, film, stills_of
from pipeline.registry import instruments
from pipeline.scale import Scale, palette_of

_log = logging.getLogger(__name__)
#: Images of a film at most; of more, every n-th.
MOST: Final = 120
_FEWEST: Final = 2
#: How much longer than usual it takes to the next image where one is missing.
_LATE: Final = 1.5
_MANY: Final = 5000
_PICTURE: Final = "medium.png"
_VERSION: Final = 1


@dataclass(frozen=True)
class Shot:
    """One image of a film that is to be made: where its picture lies, and how many are missing before it."""

    store: str
    key: str
    sha256: str
    caption: str
    missing: int = 0


@dataclass(frozen=True)
class Script:
    """A film that is to be made: all that a worker has to know.

    Attributes
    ----------
    name
        Of the release.
    store, key
        Where it goes.
    shots
        Its images.
    """

    name: str
    store: str
    key: str
    shots: tuple[Shot, ...]

    @property
    def made_of(self) -> str:
        """What it depends on."""
        told = "\n".join(f"{one.sha256} {one.missing}" for one in self.shots)
        return hashlib.sha256(f"{_VERSION}\n{told}".encode()).hexdigest()

    def stands(self) -> bool:
        """Whether it was made already."""
        told = previews.scene(open_store(self.store), self.key)
        return told is not None and told.get("made_of") == self.made_of


def script_of(lake: Lake, release_id: int, name: str) -> Script | None:
    """The film of a release; None where there is no motion in it.

    Where its instrument says in what images of one film agree, it is that of the kind with most images.
    """
    with transaction(lake.sessions) as session:
        release = session.get_one(Release, release_id)
        scope, dataset = release.scope, release.dataset
        entry = instruments().get(scope)
        alike = [File.meta[key].astext for key in (entry.film if entry else ())]
        query = (
            select(File.scope, File.name, File.sha256, File.date_beg, *alike)
            .join(ReleaseFile, ReleaseFile.file_id == File.id)
            .where(ReleaseFile.release_id == release_id, File.date_beg.is_not(None))
            .order_by(File.date_beg, File.name)
            .execution_options(yield_per=_MANY)
        )
        rows = [tuple(row) for row in session.execute(query)] if release.status == "ACTIVE" else []
    rows, kind = _of_one_kind(rows)
    if len(rows) < _FEWEST:
        return None
    gaps = missing_before([row[3] for row in rows])
    every = -(-len(rows) // MOST)
    shots = []
    for start in range(0, len(rows), every):
        of, stem, sha256, begin = rows[start][:4]
        key = preview_key(of, stem)
        lost = sum(gaps[max(0, start - every + 1) : start + 1])
        caption = f"{begin:%Y-%m-%d %H:%M:%S} UTC{kind}"
        shots.append(Shot(lake.store_of(key).url, key, sha256, caption, lost))
    return Script(name, shots[0].store, preview_key(scope, dataset), tuple(shots))


def _of_one_kind(rows: Sequence[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], str]:
    """The files of the kind with most of them, of several the first, and its name where there are others."""
    kinds: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        kinds.setdefault(row[4:], []).append(row)
    if len(kinds) < 2:
        return list(rows), ""
    kind, most = max(kinds.items(), key=lambda one: len(one[1]))
    told = [value for value, *others in zip(kind, *kinds, strict=True) if any(value != one for one in others)]
    return most, f"  {' '.join(str(value) for value in told)}"


def missing_before(times: Sequence[datetime]) -> list[int]:
    """How many images are missing before each, by the usual time between two."""
    steps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    usual = median([step for step in steps if step > 0] or [0.0])
    if not usual:
        return [0] * len(times)
    return [0, *(round(step / usual) - 1 if step > _LATE * usual else 0 for step in steps)]


def shoot(script: Script) -> int:
    """Make a film (in a worker) of the pictures that are there; the number of its images.

    Raises
    ------
    lake.errors.BadInput
        When there are not two pictures of its images.
    """
    scales = [scale for shot in script.shots if (scale := _scale(shot)) is not None]
    first = next((numbers for shot in script.shots if (numbers := _numbers(shot)) is not None), None)
    if first is None or len(scales) < _FEWEST:
        raise BadInput(
            "there are no pictures to make a film of",
            file=script.name,
            found=f"{len(scales)} of {len(script.shots)}",
            advice="heliolake preview makes them",
            code=Reason.NO_IMAGE,
        )
    made = film(_stills(script), common(scales), (first.shape[0], first.shape[1]))
    scene = {"made_of": script.made_of, "images": len(script.shots)}
    previews.keep(open_store(script.store), script.key, {"movie.webp": made}, scene)
    return len(script.shots)


def shoot_later(client: Client, lake: Lake, releases: Sequence[Mapping[str, Any]]) -> None:
    """Have films of releases made when the workers have nothing better to do; nobody waits for them.

    Parameters
    ----------
    client
        Of the cluster that made them.
    lake
        The lake.
    releases
        As `lake.releases.search.search` lists them; a release is published whatever becomes of its film.
    """
    for one in releases:
        if int(one["files"]) < _FEWEST:
            continue
        name = f"{one['product']}@{version_token(one['version'])}"
        try:
            script = script_of(lake, resolve(lake, name)[0].id, name)
            if script is not None:
                fire_and_forget(client.submit(shoot, script, pure=False, priority=-100, retries=0))
        except Exception as error:  # `heliolake preview --movies` says it again, to a person
            _log.warning("no film of %s: %s: %s", name, type(error).__name__, error)


def _stills(script: Script) -> Iterator[Still]:
    for shot in script.shots:
        if shot.missing:
            images = "1 image" if shot.missing == 1 else f"{shot.missing} images"
            yield Still(None, None, f"{images} missing", shot.missing)
        scale, numbers = _scale(shot), _numbers(shot)
        if scale is None or numbers is None:
            yield Still(None, None, f"{shot.caption}  no picture", 1)
        else:
            yield Still(numbers, scale, shot.caption)


def _scale(shot: Shot) -> Scale | None:
    told: dict[str, Any] = previews.scene(open_store(shot.store), shot.key) or {}
    if told.get("made_of") != shot.sha256 or not told.get("edges"):
        return None
    return Scale(np.array(told["edges"], np.float64), palette_of(told["colours"]))


def _numbers(shot: Shot) -> Any:
    found = previews.piece(open_store(shot.store), shot.key, _PICTURE)
    try:
        return None if found is None else stills_of(found)
    except (OSError, ValueError):
        return None
