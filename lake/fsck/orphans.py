"""Bytes that were stored and never registered, as a killed command leaves them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from functools import partial

from lake.errors import HeliolakeLakeError
from lake.fsck.difference import REPAIR, Difference, Look
from lake.fsck.picture import Did
from lake.fsck.storage import is_old
from lake.names import level_token, version_of, version_token
from lake.releases.finding import REFERENCE_SCOPE
from lake.storage.store import LOST_AND_FOUND, Store, key_of

_MANY = 20
"""Files that a command names one by one."""
_ADD = "heliolake context add PATH"
_FITS = b"SIMPLE  ="
_GZIP = b"\x1f\x8b"


def orphans(look: Look) -> Iterator[Difference]:
    """Whole files that neither Rucio nor the catalogue knows."""
    picture = look.picture
    expected = {picture.path_of(did) for did in picture.files.keys() | picture.known}
    drafts = {
        (one.scope, f".{level_token(one.level)}.{version_token(one.version)}.fits"): one.key
        for one in picture.releases
        if one.status == "DRAFT"
    }
    for path, found in picture.stored.items():
        if path in expected:
            continue
        scope = path.partition("/")[0]
        # The ledger may call these bytes done: whoever goes on with the run counts on them.
        key = next((key for (of, end), key in drafts.items() if scope == of and path.endswith(end)), None)
        movable = is_old(found, look.grace_seconds) and key is None
        commands = _commands(look, path, key, movable=movable)
        if key is not None:
            why = "they belong to an unfinished release"
        elif movable:
            why = f"--repair moves them to {LOST_AND_FOUND}"
        else:
            why = "a writer may be about to register them"
        yield Difference(
            "orphan-bytes",
            path,
            f"{found.size} bytes that neither Rucio nor the catalogue knows; {why}",
            partial(_move_aside, look, path) if movable else None,
            commands,
        )


def taken_in_by(look: Look, dids: Sequence[Did], key: str | None) -> tuple[str, ...]:
    """The command that finishes the registration of files: the run they belong to, else ingest."""
    if key in look.picture.open_runs:
        return (f"heliolake process --run {key}",)
    paths = [
        look.lake.store.place(key_of(*did))
        for did in dids
        if look.picture.path_of(did) in look.picture.stored and version_of(did[1]) is None
    ]
    if not paths:
        return ()
    if dids[0][0] == REFERENCE_SCOPE:
        return (_ADD,)
    if len(paths) > _MANY:
        paths = sorted({path.rsplit("/", 3)[0] for path in paths})
    return (f"heliolake ingest {shlex.join(paths)}",)


def _commands(look: Look, path: str, key: str | None, *, movable: bool) -> tuple[str, ...]:
    if key in look.picture.open_runs:
        return (f"heliolake process --run {key}",)
    store, name = look.lake.store, path.rpartition("/")[2]
    if path.startswith(f"{REFERENCE_SCOPE}/"):
        return (_ADD,)
    if version_of(path) is None and ".-" not in name and _looks_like_fits(store, path):
        # From where it lies: the bytes are there, only the registration is not.
        return (f"heliolake ingest {shlex.quote(store.place(path))}",)
    return (REPAIR,) if movable else ()


def _looks_like_fits(store: Store, key: str) -> bool:
    try:
        start = store.read(key, 0, len(_FITS))
    except HeliolakeLakeError:
        return False
    return start.startswith((_FITS, _GZIP))


def _move_aside(look: Look, path: str) -> None:
    look.lake.store.set_aside(path)
