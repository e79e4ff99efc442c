"""Calibration files: stored and registered like any file, with validity and the frames they are for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from lake.catalogue.models import File, Reference
from lake.catalogue.session import transaction
from lake.entries import FileEntry, in_utc, iso
from lake.errors import BadInput, Reason
from lake.fits.check import read_bytes
from lake.governance.policy import CUSTODY
from lake.lake import Lake
from lake.names import ProductKey, check_name, split_did, version_token
from lake.releases.drafts import Provenance
from lake.releases.finding import REFERENCE_SCOPE
from lake.releases.releases import extend, product_lock
from lake.storage.store import Ref, Stored, key_of

LEVEL = "0"
_MAX_TRIES = 100
_VERSION = re.compile(r"\.v(\d{4,})(\.[A-Za-z0-9.]+)?$")


@dataclass(frozen=True)
class NewReference:
    """A calibration file to be added.

    Parameters
    ----------
    path
        Where it lies now.
    need
        What steps call it ("flat", "degradation").
    instrument
        The instrument it is for.
    source
        Where it comes from: a paper, an archive, a program.
    valid_from, valid_until
        Observation times it is for, [from, until); None leaves that side open.
    selectors
        Keyword to value (or list of values) that a frame must have.
    name
        Name in the lake, before the version; the file's own when absent.
    simulated
        True for a file made from a model for tests and demonstrations.
    parents
        Releases it was made of; what it calibrates is under their embargo too.
    """

    path: Path
    need: str
    instrument: str
    source: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    selectors: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    simulated: bool = False
    parents: Sequence[str] = ()


@dataclass(frozen=True)
class ReferenceInfo:
    """A calibration file in the lake; picklable."""

    id: int
    need: str
    instrument: str
    did: str
    sha256: str
    source: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    selectors: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "need": self.need,
            "instrument": self.instrument,
            "did": self.did,
            "sha256": self.sha256,
            "source": self.source,
            "valid_from": iso(self.valid_from),
            "valid_until": iso(self.valid_until),
            "selectors": dict(self.selectors),
            "simulated": self.simulated,
        }


def add(lake: Lake, new: Sequence[NewReference]) -> list[ReferenceInfo]:
    """Add calibration files to the lake; those that are there with the same facts are left alone.

    Parameters
    ----------
    lake
        The lake.
    new
        The files; those of one instrument and need are published together.

    Returns
    -------
    list of ReferenceInfo
        One for each, in the given order.

    Raises
    ------
    BadInput
        When a file cannot be read or its validity ends before it begins.
    """
    groups: dict[ProductKey, list[int]] = {}
    for position, one in enumerate(new):
        if one.valid_from and one.valid_until and in_utc(one.valid_from) >= in_utc(one.valid_until):
            raise BadInput(
                "the validity ends before it begins",
                file=str(one.path),
                keyword="valid until",
                found=iso(one.valid_until),
                advice="give a later end, or none",
                code=Reason.BAD_KEYWORD,
            )
        groups.setdefault(_product(one), []).append(position)
    infos: dict[int, ReferenceInfo] = {}
    for product, positions in groups.items():
        # Held while versions are counted, so that two processes cannot give the same one.
        with product_lock(lake, ProductKey(product.scope, f"{product.observation}.names", LEVEL)):
            found = _add_group(lake, product, [new[position] for position in positions])
        infos |= dict(zip(positions, found, strict=True))
    return [infos[position] for position in range(len(new))]


def listing(lake: Lake, instrument: str | None = None, need: str | None = None) -> list[ReferenceInfo]:
    """References of the lake by instrument, need and beginning of validity."""
    query = select(Reference).order_by(
        Reference.instrument, Reference.need, Reference.valid_from.nulls_first(), Reference.id
    )
    if instrument is not None:
        query = query.where(Reference.instrument == instrument)
    if need is not None:
        query = query.where(Reference.need == need)
    with transaction(lake.sessions) as session:
        return [info(row) for row in session.scalars(query)]


def ref_of(lake: Lake, reference: ReferenceInfo) -> Ref:
    """The bytes of a reference."""
    return lake.ref(CUSTODY, *split_did(reference.did), reference.sha256)


def info(row: Reference) -> ReferenceInfo:
    """A row of the catalogue as plain data."""
    return ReferenceInfo(
        id=row.id,
        need=row.need,
        instrument=row.instrument,
        did=row.did,
        sha256=row.sha256,
        source=row.source,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        selectors=dict(row.selectors),
        simulated=row.simulated,
    )


def _product(new: NewReference) -> ProductKey:
    return ProductKey(REFERENCE_SCOPE, check_name(f"{new.instrument}.{new.need}"), LEVEL)


def _add_group(lake: Lake, product: ProductKey, new: Sequence[NewReference]) -> list[ReferenceInfo]:
    entries: dict[int, FileEntry] = {}
    done: dict[int, ReferenceInfo] = {}
    for position, one in enumerate(new):
        data = read_bytes(Path(one.path))
        there, entry = _same(lake, one, data, {file.name for file in entries.values()})
        if there is not None:
            done[position] = there
        else:
            entries[position] = entry or _store(lake, one, data)
    if entries:
        parents = {parent for position in entries for parent in new[position].parents}
        meta = {"simulated": True} if any(new[position].simulated for position in entries) else {}
        made = Provenance(parents=sorted(parents), observation_meta=meta)
        extend(lake, product, list(entries.values()), made)
    for position, entry in entries.items():
        done[position] = _insert(lake, new[position], entry)
    return [done[position] for position in range(len(new))]


def _same(
    lake: Lake, new: NewReference, data: bytes, taken: set[str]
) -> tuple[ReferenceInfo | None, FileEntry | None]:
    """An equal reference; or a file of these bytes that a crash left registered without its reference."""
    from lake.checksums import checksums
    from lake.releases.releases import entry

    sums = checksums(data)
    query = (
        select(File, Reference)
        .outerjoin(Reference, Reference.did == func.concat(File.scope, ":", File.name))
        .where(File.scope == REFERENCE_SCOPE, File.sha256 == sums.sha256, File.stem == _stem(new)[0])
        .order_by(File.id)
    )
    orphan = None
    with transaction(lake.sessions) as session:
        for file, row in session.execute(query):
            if row is None:
                orphan = orphan or (None if file.name in taken else entry(file))
            elif _facts(info(row)) == _facts(new):
                return info(row), None
    return None, orphan


def _facts(one: NewReference | ReferenceInfo) -> tuple[Any, ...]:
    begin, end = one.valid_from, one.valid_until
    return (
        one.need,
        one.instrument,
        in_utc(begin) if begin else None,
        in_utc(end) if end else None,
        {str(key): value for key, value in one.selectors.items()},
        one.source,
        one.simulated,
    )


def _stem(new: NewReference) -> tuple[str, str]:
    """Name before the version, and the suffix after it."""
    name = new.name or Path(new.path).name
    stem, dot, suffix = name.partition(".") if name.count(".") == 1 else name.rpartition(".")
    return (check_name(stem), f"{dot}{suffix}") if stem else (check_name(name), "")


def _store(lake: Lake, new: NewReference, data: bytes) -> FileEntry:
    """Put the bytes under the next free version of the name."""
    stem, suffix = _stem(new)
    with transaction(lake.sessions) as session:
        names = session.scalars(
            select(File.name).where(File.scope == REFERENCE_SCOPE, File.stem == stem)
        ).all()
    taken = [int(match[1]) for name in names if (match := _VERSION.search(name))]
    version = max(taken, default=0) + 1
    for attempt in range(version, version + _MAX_TRIES):
        name = check_name(f"{stem}.{version_token(attempt)}{suffix}")
        try:
            stored = lake.store.put(key_of(REFERENCE_SCOPE, name), data)
        except BadInput as error:
            if error.code is not Reason.NAME_CONFLICT:
                raise
            continue  # bytes that a crash left behind, which fsck names
        return _entry(name, stem, stored, new)
    raise BadInput(
        "no free version of the name was found",
        file=str(new.path),
        found=stem,
        advice="run `heliolake fsck --repair`",
        code=Reason.NAME_CONFLICT,
    )


def _entry(name: str, stem: str, stored: Stored, new: NewReference) -> FileEntry:
    return FileEntry(
        REFERENCE_SCOPE,
        name,
        LEVEL,
        stem,
        *stored.checksums,
        date_beg=new.valid_from,
        date_end=new.valid_until,
        meta={"instrument": new.instrument, "need": new.need},
        facts={},
    )


def _insert(lake: Lake, new: NewReference, entry: FileEntry) -> ReferenceInfo:
    row = Reference(
        need=new.need,
        instrument=new.instrument,
        did=entry.did,
        sha256=entry.sha256,
        valid_from=in_utc(new.valid_from) if new.valid_from else None,
        valid_until=in_utc(new.valid_until) if new.valid_until else None,
        selectors=dict(new.selectors),
        source=new.source,
        simulated=new.simulated,
        parents=list(new.parents),
    )
    with transaction(lake.sessions) as session:
        session.add(row)
    return info(row)
