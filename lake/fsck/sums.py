"""Sums of a file that Rucio and the catalogue have otherwise: the stored bytes and one of the two decide."""

from __future__ import annotations

from sqlalchemy import update

from lake.catalogue.models import File, Reference
from lake.catalogue.session import transaction
from lake.checksums import Checksums
from lake.errors import HeliolakeLakeError
from lake.fsck.picture import Did
from lake.lake import Lake
from lake.rucio.client import Replica
from lake.storage.store import key_of
from lake.storage.verify import sums_of


def account_for_sums(lake: Lake, did: Did, row: Checksums, replica: Replica | None) -> None:
    """Correct the catalogue's sums of a file, where the stored bytes are those that Rucio has registered.

    Raises
    ------
    HeliolakeLakeError
        When the stored bytes do not speak for Rucio's account.
    """
    found = sums_of(lake.store, key_of(*did))
    if replica is None:
        raise HeliolakeLakeError("Rucio has no sums that could bear the stored bytes out")
    if (found.size, found.adler32, found.md5) != (replica.size, replica.adler32, replica.md5 or found.md5):
        if found == row:
            raise HeliolakeLakeError(
                "the stored bytes are those of the catalogue; Rucio's record cannot be changed by a client, "
                "an administrator of its database has to"
            )
        raise HeliolakeLakeError(
            "the stored bytes are those of neither: give a copy, `heliolake restore PATH`"
        )
    if replica.md5 is None and found.md5 != row.md5 and found.sha256 != row.sha256:
        raise HeliolakeLakeError("Rucio has no md5 of it; its adler32 alone cannot bear the stored bytes out")
    with transaction(lake.sessions) as session:
        session.execute(
            update(File).where(File.scope == did[0], File.name == did[1]).values(**found._asdict())
        )
        session.execute(update(Reference).where(Reference.did == ":".join(did)).values(sha256=found.sha256))
