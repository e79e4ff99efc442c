"""Where the bytes of a finished product go: under their final name in a store, or into the folder of a trial.

Those of a large product are made window by window, as often as they are looked at: beside its images, which
the worker holds, there is no second copy of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from lake.checksums import Checksums, Summer
from lake.errors import BadInput as LakeBadInput
from lake.errors import Reason
from lake.fits.io import read_header
from lake.fits.product import Product
from lake.fits.stored import stored_header
from lake.storage.opening import open_store
from lake.storage.store import Ref
from lake.storage.verify import sums_of
from pipeline.errors import BadInput

#: Bytes of a product that is made at once, and summed while it is written.
_AT_ONCE: Final = 128 << 20


def put(store_url: str, key: str, product: Product, *, unit: str, lost: Checksums | None) -> Checksums:
    """Publish a product; the bytes of an attempt before this one are taken as they are.

    A unit that was written and not yet entered as done when its process died is done again. Where the
    software changed meanwhile the header differs, and the file that is there stays: a name stands for the
    same bytes for ever.

    Parameters
    ----------
    store_url, key
        Where to.
    product
        What.
    unit
        The unit that made it.
    lost
        Checksums of a file that is made again: it is written only where it has come out the same.
    """
    store = open_store(store_url)
    if lost is not None:
        sums = _sums(product)
        if sums == lost:
            store.put_back(key, sums, product.blocks)
        return sums
    try:
        if product.size <= _AT_ONCE:
            return store.put(key, product.whole()).checksums
        return store.put_windows(key, product.blocks(), _sums(product)).checksums
    except LakeBadInput as error:
        if error.code is not Reason.NAME_CONFLICT:
            raise
        if stored_header(Ref(store.url, key)).get("UNIT_ID") != unit:
            raise
        return sums_of(store, key)


def put_trial(path: Path, product: Product) -> Checksums:
    """Write the product of a trial whole or not at all; only that of an earlier trial is ever replaced."""
    if path.exists() and read_header(str(path), 0).get("TRIAL") is not True:
        raise BadInput(
            "a file of this name that is no trial product is in the way",
            file=path.name,
            keyword="TRIAL",
            found="absent",
            advice="move it away, or name another folder",
        )
    part, summer = path.with_name(f".{path.name}.{os.getpid()}.part"), Summer()
    try:
        with part.open("wb") as file:
            for block in product.blocks():
                file.write(block)
                summer.add(block)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return summer.result()


def _sums(product: Product) -> Checksums:
    summer = Summer()
    for block in product.blocks():
        summer.add(block)
    return summer.result()
