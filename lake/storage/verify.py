"""Stored bytes compared with what was registered of them, whatever store they lie in."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from lake.checksums import Checksums, Summer
from lake.errors import BadInput, Reason
from lake.storage.files import storage_error
from lake.storage.store import Store, Unreadable


def sums_of(store: Store, key: str) -> Checksums:
    """Checksums of stored bytes, read through a window of a few megabytes; raises as `Store.read`."""
    summer = Summer()
    for block in store.blocks(key):
        summer.add(block)
    return summer.result()


def is_whole(store: Store, key: str, expected: Checksums) -> bool:
    """Whether a key holds the registered bytes; one that is damaged so that it cannot be read does not.

    A storage that does not answer says nothing of its bytes: then this raises as `Store.read`.
    """
    try:
        found = store.stat(key)
        return found is not None and found.size == expected.size and sums_of(store, key) == expected
    except (BadInput, Unreadable):
        return False


def copy_verified(store: Store, key: str, target: Path, expected: Checksums, did: str) -> None:
    """Copy a stored file to a folder of the user, sums compared on the way; nothing half-written stays.

    Raises
    ------
    BadInput
        When the stored copy is lost or damaged.
    Retriable, Fatal
        When the storage or the folder fails.
    """
    # Short: the target may bear an archive's name, as long as the user's file system takes it.
    part = target.with_name(f".{target.name[:40]}.{os.getpid()}.{secrets.token_hex(4)}.part")
    summer = Summer()
    try:
        with part.open("xb") as writer:
            for block in store.blocks(key):
                summer.add(block)
                writer.write(block)
        if summer.result() != expected:
            raise _damaged(did, store.place(key), "other bytes than were registered")
        part.replace(target)
    except BadInput as error:
        if error.code is not Reason.MISSING_FILE:
            raise
        raise _damaged(did, store.place(key), "no bytes") from error
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        part.unlink(missing_ok=True)


def _damaged(did: str, place: str, found: str) -> BadInput:
    return BadInput(
        f"{did} cannot be given out: its stored copy is {'lost' if found == 'no bytes' else 'damaged'}",
        file=place,
        found=found,
        advice="`heliolake fsck --deep` names the command that restores it",
        code=Reason.CORRUPTED_DATA,
    )
