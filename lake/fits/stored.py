"""Headers of files that lie in a store, read without the rest of them."""

from __future__ import annotations

from astropy.io import fits

from lake.fits.io import header_from
from lake.storage.opening import open_store
from lake.storage.store import Ref


def stored_header(ref: Ref, hdu: int = 0) -> fits.Header:
    """Header of one HDU of a stored file.

    Raises
    ------
    BadInput
        When the file is absent or has no such HDU.
    Retriable, Fatal
        When the storage fails.
    """
    store = open_store(ref.store)
    with store.open(ref.key) as file:
        return header_from(file, hdu, store.place(ref.key))
