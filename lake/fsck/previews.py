"""Pictures beside the storage: of what is ACTIVE, whole, and of the bytes that are registered."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from lake.fsck.difference import Difference, Look
from lake.fsck.storage import is_old
from lake.names import level_token, version_token
from lake.storage import previews
from lake.storage.previews import preview_key
from lake.storage.store import PREVIEWS, Found, scope_key

_MAKE: Final = "heliolake preview"


def stale_previews(look: Look) -> Iterator[Difference]:
    """Pictures of what is not ACTIVE any more, and what dead writers of pictures left."""
    shown, on_their_way = _shown(look), tuple(_drafts(look))
    store = look.lake.store
    for found in _kept(look):
        if found.path in shown or not is_old(found, look.grace_seconds):
            continue  # a young one may be of a product that is about to be published
        if any(found.path.startswith(where) and found.path.endswith(end) for where, end in on_their_way):
            continue  # a run takes as long as it takes
        why = (
            f"a writer of pictures (pid {found.writer}) died"
            if found.writer is not None
            else "what they show is superseded, withdrawn, or not in the lake"
        )
        detail = f"{found.size} bytes of pictures: {why}; --repair removes them"
        yield Difference("stale-preview", found.path, detail, partial(previews.drop, store, found.path))


def damaged_previews(look: Look) -> Iterator[Difference]:
    """Pictures that are cut off or changed, or of other bytes than those registered."""
    shown = _shown(look)
    store = look.lake.store
    for found in _kept(look):
        sha256 = shown.get(found.path)
        if sha256 is None or found.writer is not None:
            continue
        whole = previews.is_whole(store, found.path)
        told = (previews.scene(store, found.path) or {}).get("made_of")
        if whole and (not sha256 or told == sha256):
            continue
        why = "of other bytes than those registered" if whole else "cut off or changed"
        yield Difference(
            "damaged-preview",
            found.path,
            f"its pictures are {why}; --repair removes them, and `{_MAKE}` makes them again",
            partial(_dropped, look, found.path),
        )


def _dropped(look: Look, path: str) -> tuple[str, ...]:
    """Nothing is wrong once they are gone: pictures are made again at any time."""
    previews.drop(look.lake.store, path)
    return ()


def _kept(look: Look) -> Iterator[Found]:
    for scope in [""] if look.picture.scopes is None else look.picture.scopes:
        yield from previews.kept(look.lake.store, scope)


def _drafts(look: Look) -> Iterator[tuple[str, str]]:
    """How keys of pictures of releases that are being made begin and end."""
    for one in look.picture.releases:
        if one.status == "DRAFT":
            end = f".{level_token(one.level)}.{version_token(one.version)}.fits.zip"
            yield f"{PREVIEWS}/{scope_key(one.scope)}/", end


def _shown(look: Look) -> dict[str, str]:
    """Keys of the pictures there may be, with the sha256 of what they are made of; '' for films."""
    shown: dict[str, str] = {}
    for release in look.picture.releases:
        if release.status == "ACTIVE":
            shown[preview_key(release.scope, release.dataset)] = ""
            shown |= {preview_key(*did): look.picture.files[did].sha256 for did in release.files}
    return shown
