"""Files to be taken in that lie in the lake's own storage, unregistered: where a killed command left them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lake.errors import BadInput, Reason
from lake.lake import Lake


@contextmanager
def at_hand(lake: Lake, paths: Sequence[str | Path]) -> Iterator[list[str | Path]]:
    """The paths, with copies for those that are addresses in the lake's S3 storage.

    Parameters
    ----------
    lake
        The lake.
    paths
        Paths and patterns, left as they are; addresses of objects, or of all that begin with one.

    Raises
    ------
    lake.errors.Retriable, lake.errors.Fatal
        When the storage, or the folder for the copies, fails.
    """
    base = lake.store.place("x")[:-1]
    if "://" not in base or not any(str(path).startswith(base) for path in paths):
        yield list(paths)
        return
    with tempfile.TemporaryDirectory(prefix="heliolake-") as folder:
        found: list[str | Path] = []
        for path in paths:
            if str(path).startswith(base):
                found += _copied(lake, str(path).removeprefix(base).rstrip("/"), Path(folder)) or [path]
            else:
                found.append(path)
        yield found


def _copied(lake: Lake, key: str, folder: Path) -> list[str | Path]:
    try:
        keys = [key] if lake.store.stat(key) else [one.path for one in lake.store.scan(key)]
    except BadInput as error:
        if error.code is not Reason.BAD_NAME:
            raise
        return []
    copies: list[str | Path] = []
    for one in keys:
        copy = folder / one
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("xb") as writer:
            for block in lake.store.blocks(one):
                writer.write(block)
        copies.append(copy)
    return copies
