"""A file as the lake registers it, and times as it writes them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from lake.checksums import Checksums
from lake.rucio.client import Replica


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What is registered about a file. Picklable, and plain data through `as_dict`.

    Parameters
    ----------
    scope, name
        Its DID.
    level
        Level as the instrument writes it.
    stem
        What its products are named after.
    size, adler32, sha256
        Of its bytes.
    date_beg, date_end
        Of the observation, in UTC.
    shape
        Shape of the image, slowest axis first.
    dims
        Names of its last axes; empty for an image of rows and columns.
    image_hdu
        Number of the image's HDU.
    meta
        Searchable metadata.
    caveats
        What is odd about it.
    unit_id
        The unit that made it; None for raw files.
    refs
        DIDs of the references it was made with.
    original
        What its archive calls it, where that differs from `name`.
    content_sha256
        Of the bytes once they are unpacked, where they are known to be packed; not read back.
    rse
        Storage element on which it was just made, where that is another than the nearest; not read back.
    facts
        What `lake.fits.facts` read in its header when it was made or taken in; not read back.
    """

    scope: str
    name: str
    level: str
    stem: str
    size: int
    adler32: str
    sha256: str
    date_beg: datetime | None = None
    date_end: datetime | None = None
    shape: tuple[int, ...] = ()
    dims: tuple[str, ...] = ()
    image_hdu: int = 0
    meta: dict[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    unit_id: str | None = None
    refs: tuple[str, ...] = ()
    original: str = ""
    content_sha256: str = ""
    rse: str = ""
    facts: dict[str, Any] | None = None

    @property
    def did(self) -> str:
        """`scope:name`."""
        return f"{self.scope}:{self.name}"

    @property
    def checksums(self) -> Checksums:
        """Size and sums of the bytes."""
        return Checksums(self.size, self.adler32, self.sha256)

    @property
    def replica(self) -> Replica:
        """The part of it that Rucio knows."""
        return Replica(self.scope, self.name, self.size, self.adler32)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        document: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        for key in ("date_beg", "date_end"):
            document[key] = iso(document[key])
        for key in ("shape", "dims", "caveats", "refs"):
            document[key] = list(document[key])
        # JSON knows no names that are not UTF-8, and a plan of a million files nothing that is empty.
        document["original"] = os.fsencode(self.original).decode("utf-8", "backslashreplace")
        for key in ("dims", "original", "content_sha256", "rse", "facts"):
            if not document[key]:
                del document[key]
        return document | {"meta": dict(self.meta)}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> FileEntry:
        """The inverse of `as_dict`."""
        values = dict(document)
        values.pop("md5", None)  # plans that were made when files had one
        for key in ("date_beg", "date_end"):
            values[key] = from_iso(values.get(key))
        for key in ("shape", "dims", "caveats", "refs"):
            values[key] = tuple(values.get(key, ()))
        return cls(**values)


def iso(moment: datetime | None) -> str | None:
    """A time in UTC as `2011-09-10T11:47:21.000Z`; a time without a zone is taken as UTC."""
    if moment is None:
        return None
    return in_utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str | None) -> datetime | None:
    """The inverse of `iso`."""
    return None if text is None else in_utc(datetime.fromisoformat(text))


def in_utc(moment: datetime) -> datetime:
    """The same time with the zone UTC; a time without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
