"""Sums that do not agree: what besides size and adler32 says whether stored bytes are the registered ones."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import NamedTuple

from sqlalchemy import case, select, update

from lake.catalogue.models import File, Reference
from lake.catalogue.session import transaction
from lake.checksums import Checksums
from lake.errors import BadInput, HeliolakeLakeError
from lake.fits.check import CheckedFits, read_checked
from lake.fits.windows import GZIP
from lake.fsck.picture import Did
from lake.lake import Lake
from lake.rucio.client import Replica
from lake.storage.store import Ref, key_of
from lake.storage.verify import sums_of


class Witness(NamedTuple):
    """What else is known of stored bytes whose sha256 is not the catalogue's.

    Parameters
    ----------
    bears_out
        Whether it says that they are the registered ones; None where there is nothing that could tell.
    told
        The same in words.
    """

    bears_out: bool | None
    told: str


def account_for_sums(lake: Lake, did: Did, row: Checksums, replica: Replica | None) -> None:
    """Correct the catalogue's sums of a file, where the stored bytes are those that Rucio has registered.

    Raises
    ------
    HeliolakeLakeError
        When the stored bytes do not speak for Rucio's account, or nothing but Rucio's adler32 for them.
    """
    found = sums_of(lake.store, key_of(*did))
    if replica is None:
        raise HeliolakeLakeError("Rucio has no sums that could bear the stored bytes out")
    if (found.size, found.adler32) != (replica.size, replica.adler32):
        if found == row:
            raise HeliolakeLakeError(
                "the stored bytes are those of the catalogue; Rucio's record cannot be changed by a client, "
                "an administrator of its database has to"
            )
        raise HeliolakeLakeError(
            "the stored bytes are those of neither: give a copy, `heliolake restore PATH`"
        )
    if found.sha256 != row.sha256 and not (witness := witness_of(lake, did, found, replica)).bears_out:
        raise HeliolakeLakeError(
            f"the stored bytes have Rucio's size and adler32, which is too little to go by: {witness.told}; "
            "compare them with a copy from where the file came from"
        )
    # The content of a file that is not packed is the file.
    content = case((File.content_sha256 == File.sha256, found.sha256), else_=File.content_sha256)
    with transaction(lake.sessions) as session:
        session.execute(
            update(File)
            .where(File.scope == did[0], File.name == did[1])
            .values(**found._asdict(), content_sha256=content)
        )
        session.execute(update(Reference).where(Reference.did == ":".join(did)).values(sha256=found.sha256))


def witness_of(lake: Lake, did: Did, found: Checksums, replica: Replica | None) -> Witness:
    """Ask whatever there is that knows stored bytes by more than their size and adler32.

    An md5 that an older Heliolake told Rucio and the catalogue's sum of the content are beyond chance and
    decide alone. The file's own sums are of 32 bits: they count where the catalogue has no other account.

    Parameters
    ----------
    lake
        From where the bytes are near.
    did
        The file.
    found
        Sums of the stored bytes.
    replica
        What Rucio says of it.
    """
    if replica is not None and replica.md5:
        same = _md5(lake, did) == replica.md5
        return Witness(same, f"Rucio has {'the same' if same else 'another'} md5 of them")
    with transaction(lake.sessions) as session:
        content = session.scalar(select(File.content_sha256).filter_by(scope=did[0], name=did[1]))
    key = key_of(*did)
    if content and lake.store.read(key, 0, len(GZIP)) != GZIP:
        return _by_content(found.sha256, content)
    try:
        with (
            lake.store.local(Ref(lake.store.url, key, found.sha256)) as path,
            closing(read_checked(path)) as checked,
        ):
            return _by_content(checked.content_sha256, content) if content else _by_own_sums(checked)
    except BadInput as error:
        return Witness(False, f"they cannot be read ({error.reason})")


def _by_content(found: str, registered: str) -> Witness:
    same = found == registered
    return Witness(same, f"the catalogue has {'the same' if same else 'another'} sha256 of their content")


def _by_own_sums(checked: CheckedFits) -> Witness:
    if all(set(states.values()) == {"valid"} for states in checked.sums):
        return Witness(True, "CHECKSUM and DATASUM of all their HDUs are right")
    return Witness(None, "nothing else is known of them, and not all their HDUs have CHECKSUM and DATASUM")


def _md5(lake: Lake, did: Did) -> str:
    whole = hashlib.md5(usedforsecurity=False)
    for block in lake.store.blocks(key_of(*did)):
        whole.update(block)
    return whole.hexdigest()
