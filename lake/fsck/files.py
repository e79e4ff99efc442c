"""Each file: whether storage, Rucio and catalogue know it, with one size and one set of sums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from lake.checksums import Checksums
from lake.errors import HeliolakeLakeError, Retriable
from lake.fsck.cures import cure, lost
from lake.fsck.difference import DEEP_REPAIR, REPAIR, RESTORE, Difference, Look
from lake.fsck.orphans import taken_in_by
from lake.fsck.picture import Did, Picture
from lake.fsck.sums import account_for_sums, witness_of
from lake.lake import Lake
from lake.rucio.client import Replica
from lake.storage.store import Found, Unreadable, key_of
from lake.storage.verify import is_whole, sums_of


def files(look: Look) -> Iterator[Difference]:
    """Each file: known to all three, with one size and one set of sums."""
    picture = look.picture
    in_drafts = {
        did: release
        for release in picture.releases
        if release.status == "DRAFT"
        for did in picture.contents.get((release.scope, release.dataset), ())
    }
    for did in _raw_first(picture, picture.files.keys() | picture.known):
        name = ":".join(did)
        sums, (replica, state) = picture.files.get(did), picture.replicas.get(did, (None, None))
        found = picture.stored.get(picture.path_of(did))
        if not look.expects(did):
            if found is not None and sums is not None:
                yield _unregistered(look, did, sums)
            continue
        if found is None:
            yield _missing(look, did)
        if sums is None:
            draft = in_drafts.get(did)
            together = picture.contents[draft.scope, draft.dataset] if draft else {did}
            commands = taken_in_by(look, sorted(together), draft.key if draft else None)
            why = "it belongs to an unfinished release" if draft else "its registration broke off"
            yield Difference(
                "not-in-catalogue",
                name,
                f"Rucio has the file, the catalogue has not: {why}",
                commands=commands,
            )
        elif did not in picture.known:
            yield _not_in_rucio(look, did, sums, found)
        elif state != "AVAILABLE":
            yield _replica(look, did, sums, found, state)
        yield from _sizes(look, did, sums, replica, found)
        if sums and replica and replica.adler32 != sums.adler32:
            yield Difference(
                "checksum-mismatch",
                name,
                "Rucio and the catalogue have other checksums; the stored bytes decide",
                partial(account_for_sums, look.lake, did, sums, replica),
            )


def stored_bytes(look: Look) -> Iterator[Difference]:
    """Each stored file read and summed."""
    lake, picture = look.lake, look.picture
    for did in _raw_first(picture, picture.files.keys()):
        path, sums = picture.path_of(did), picture.files[did]
        if path not in picture.stored or not look.expects(did):
            continue
        try:
            found = sums_of(lake.store, path)
        except HeliolakeLakeError as error:
            if isinstance(error, Retriable) and not isinstance(error, Unreadable):
                raise  # a storage that does not answer says nothing of its bytes
            yield _damaged(picture, lake, "unreadable-bytes", did, str(error))
            continue
        if found == sums or found.size != sums.size:
            continue  # another size was named without reading
        if found.adler32 == sums.adler32:
            yield _other_sha256(picture, lake, did, found)
        elif not _disputed(picture, did):  # two accounts that contradict each other were named
            yield _damaged(picture, lake, "wrong-bytes", did, "the stored bytes are not those registered")


def _other_sha256(picture: Picture, lake: Lake, did: Did, found: Checksums) -> Difference:
    """Bytes of the registered size and adler32, but not of the sha256: what else is known of them decides."""
    sums, replica = picture.files[did], picture.replicas.get(did, (None, None))[0]
    witness = witness_of(lake, did, found, replica)
    if witness.bears_out is False or (witness.bears_out is None and did in picture.elsewhere):
        detail = f"the stored bytes are not those registered, though their adler32 is: {witness.told}"
        return _damaged(picture, lake, "wrong-bytes", did, detail)
    detail = (
        f"the catalogue's sha256 {sums.sha256[:16]}… is not that of the stored bytes "
        f"({found.sha256[:16]}…), whose adler32 is the registered one; {witness.told}"
    )
    if witness.bears_out is None:
        detail += "; compare them with a copy from where the file came from"
        return Difference("wrong-sha256", ":".join(did), detail, commands=(RESTORE,))
    repair = partial(account_for_sums, lake, did, sums, replica)
    return Difference("wrong-sha256", ":".join(did), detail, repair, (DEEP_REPAIR,))


def _raw_first(picture: Picture, dids: Iterable[Did]) -> list[Did]:
    """Raw files before what is made of them: they have to come back first."""
    return sorted(dids, key=lambda did: (did in picture.made_by, did))


def _disputed(picture: Picture, did: Did) -> bool:
    replica, sums = picture.replicas.get(did, (None, None))[0], picture.files[did]
    return replica is not None and replica.adler32 != sums.adler32


def _missing(look: Look, did: Did) -> Difference:
    picture, name = look.picture, ":".join(did)
    detail = f"no bytes at {picture.path_of(did)}"
    if did in picture.elsewhere and did in picture.files:
        detail += "; another site has a copy"
        return Difference("missing-bytes", name, detail, partial(_bring, look.lake, did, picture.files[did]))
    return Difference("missing-bytes", name, f"{detail}; {lost(picture, did)}", commands=cure(picture, did))


def _unregistered(look: Look, did: Did, sums: Checksums) -> Difference:
    """A copy that Rucio does not know of: two sites did the same unit, or a registration broke off."""
    rse = look.lake.config.rse
    detail = f"a copy lies on {rse} that Rucio does not know of; --repair registers it"
    return Difference(
        "copy-not-in-rucio", ":".join(did), detail, partial(_mend_replica, look.lake, did, sums)
    )


def _bring(lake: Lake, did: Did, sums: Checksums) -> None:
    """Put the bytes of a file back from the first other site whose copy is whole."""
    key = key_of(*did)
    for store in lake.holders(key):
        if store.url != lake.store.url and is_whole(store, key, sums):
            lake.store.put_back(key, sums, partial(store.blocks, key))
            lake.rucio.mend_replicas([Replica(*did, sums.size, sums.adler32)])
            return
    raise HeliolakeLakeError("no other site that is reached from here has a whole copy")


def _damaged(picture: Picture, lake: Lake, kind: str, did: Did, detail: str) -> Difference:
    """Damaged bytes; those of a product are set aside, so that its run makes them again."""
    if did in picture.elsewhere:
        first = REPAIR if kind == "size-mismatch" else DEEP_REPAIR
        bring = partial(_bring, lake, did, picture.files[did])
        return Difference(kind, ":".join(did), f"{detail}; another site has a copy", bring, (first,))
    commands = cure(picture, did)
    detail = f"{detail}; {lost(picture, did)}"
    if commands == (RESTORE,):
        return Difference(kind, ":".join(did), detail, commands=commands)
    repair = partial(_set_aside, lake, did, picture.files[did], commands)
    first = REPAIR if kind == "size-mismatch" else DEEP_REPAIR
    return Difference(kind, ":".join(did), detail, repair, (first, *commands))


def _set_aside(lake: Lake, did: Did, sums: Checksums, rest: tuple[str, ...]) -> tuple[str, ...]:
    key = key_of(*did)
    if lake.store.stat(key) is not None and not is_whole(lake.store, key, sums):
        lake.store.set_aside(key)
    return rest


def _not_in_rucio(look: Look, did: Did, sums: Checksums, found: Found | None) -> Difference:
    repair = None if found is None else partial(_register_and_hold, look.lake, did, sums)
    commands = () if repair else (*cure(look.picture, did), REPAIR)
    detail = "the catalogue has the file, Rucio has not"
    return Difference("not-in-rucio", ":".join(did), detail, repair, commands)


def _replica(look: Look, did: Did, sums: Checksums, found: Found | None, state: str | None) -> Difference:
    whole = found is not None and found.size == sums.size
    commands = () if whole else cure(look.picture, did)
    repair = partial(_mend_replica, look.lake, did, sums) if whole else None
    rse = look.lake.rucio.rse
    if state is None:
        return Difference("no-replica", ":".join(did), f"Rucio has no replica on {rse}", repair, commands)
    detail = f"Rucio's replica on {rse} is {state}"
    return Difference("replica-state", ":".join(did), detail, repair, commands)


def _sizes(
    look: Look, did: Did, sums: Checksums | None, replica: Replica | None, found: Found | None
) -> Iterator[Difference]:
    sizes = {
        "catalogue": sums.size if sums else None,
        "Rucio": replica.size if replica else None,
        "storage": found.size if found else None,
    }
    if len({size for size in sizes.values() if size is not None}) <= 1:
        return
    told = ", ".join(f"{who} {size}" for who, size in sizes.items() if size is not None)
    detail = f"sizes differ: {told}"
    if sums is None or replica is None or sums.size == replica.size:
        if did in look.picture.files:
            yield _damaged(look.picture, look.lake, "size-mismatch", did, detail)
        else:
            yield Difference("size-mismatch", ":".join(did), detail, commands=(RESTORE,))
    else:
        repair = partial(account_for_sums, look.lake, did, sums, replica)
        yield Difference("size-mismatch", ":".join(did), f"{detail}; the stored bytes decide", repair)


def _mend_replica(lake: Lake, did: Did, sums: Checksums) -> None:
    """Have Rucio call a replica good, once the bytes have proved to be the registered ones."""
    if not is_whole(lake.store, key_of(*did), sums):
        raise HeliolakeLakeError("the stored bytes are not those registered: `heliolake fsck --deep`")
    lake.rucio.mend_replicas([Replica(*did, sums.size, sums.adler32)])


def _register_and_hold(lake: Lake, did: Did, sums: Checksums) -> None:
    """Tell Rucio of a file; no dataset that is closed takes it, so a rule of its own holds it."""
    lake.rucio.ensure_scope(did[0])
    _mend_replica(lake, did, sums)
    lake.rucio.ensure_locked_rule(*did)
