"""Rows of the catalogue that contradict each other are named, and put right by what bears one of them out."""

from __future__ import annotations

import gzip
import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from cluster.home.home import Home
from lake.catalogue.models import File, Observation, Release, ReleaseFile, UnitResult
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.fsck.compare import fsck
from lake.lake import Lake
from lake.names import ProductKey, stem_of
from lake.releases.drafts import reserve
from lake.releases.releases import publish
from lake.storage.store import Ref, key_of
from tests.lake.conftest import MakeFiles
from tests.stored import path_of
from tests.within_rucio import call_replica


@pytest.fixture
def files(lake: Lake, scope: str, make_files: MakeFiles) -> list[FileEntry]:
    """Two files of a published release, made by units."""
    entries = make_files("a.fits", "b.fits", unit=True)
    publish(lake, reserve(lake, ProductKey(scope, "obs", "0"), "k"), entries)
    return entries


def change(lake: Lake, column: InstrumentedAttribute[Any], value: object, **where: object) -> None:
    """Set one column of some rows behind everybody's back."""
    with transaction(lake.sessions) as session:
        session.execute(update(column.class_).filter_by(**where).values({column: value}))


def value(lake: Lake, column: InstrumentedAttribute[Any], **where: object) -> Any:
    with transaction(lake.sessions) as session:
        return session.scalars(select(column).filter_by(**where)).one()


def look(lake: Lake, scope: str, **options: Any) -> dict[str, dict[str, Any]]:
    return {row["kind"]: row for row in fsck(lake, scopes=[scope], **options)["differences"]}


def named_and_mended(lake: Lake, scope: str, *kinds: str, deep: bool = False, **options: Any) -> None:
    found = look(lake, scope, deep=deep)
    assert set(found) == set(kinds)
    command = "heliolake fsck --deep --repair" if deep else "heliolake fsck --repair"
    assert all(row["commands"] == [command] for row in found.values())
    assert all(row["repaired"] for row in look(lake, scope, deep=deep, repair=True, **options).values())
    assert look(lake, scope, deep=True) == {}


def known_with_md5(lake: Lake, file: FileEntry, md5: str) -> None:
    """Register a file with Rucio as Heliolake did when it still took an md5."""
    row = {"scope": file.scope, "name": file.name, "bytes": file.size, "adler32": file.adler32, "md5": md5}
    lake.rucio.ensure_scope(file.scope)
    lake.rucio.ask("registering", lambda client: client.add_replicas(lake.config.rse, [row]))


def published_fits(lake: Lake, scope: str, *, packed: bool, checksum: bool = True) -> FileEntry:
    """A small image in a published release, gzipped or not, with sums of its own or without."""
    buffer = io.BytesIO()
    fits.PrimaryHDU(np.arange(16, dtype=np.int16).reshape(4, 4)).writeto(buffer, checksum=checksum)
    content = buffer.getvalue()
    name = "a.fits.gz" if packed else "a.fits"
    stored = lake.store.put(key_of(scope, name), gzip.compress(content) if packed else content)
    file = FileEntry(
        scope,
        name,
        "0",
        stem_of(name),
        *stored.checksums,
        date_beg=datetime(2020, 1, 1, tzinfo=UTC),
        date_end=datetime(2020, 1, 1, 1, tzinfo=UTC),
        shape=(4, 4),
        content_sha256=hashlib.sha256(content).hexdigest(),
    )
    publish(lake, reserve(lake, ProductKey(scope, "obs", "0"), "k"), [file])
    return file


def test_a_file_of_another_level_than_its_release(lake: Lake, scope: str, files: list[FileEntry]) -> None:
    change(lake, File.level, "2", scope=scope, name="a.fits")
    named_and_mended(lake, scope, "file-level")
    assert value(lake, File.level, scope=scope, name="a.fits") == "0"


def test_a_release_of_another_level_than_its_name(lake: Lake, scope: str, files: list[FileEntry]) -> None:
    change(lake, Release.level, "2", scope=scope)
    named_and_mended(lake, scope, "release-level")
    assert value(lake, Release.level, scope=scope) == "0"


@pytest.mark.parametrize("column", [Release.files, Release.bytes])
def test_a_release_that_counts_otherwise_than_its_rows(
    lake: Lake, scope: str, files: list[FileEntry], column: InstrumentedAttribute[Any]
) -> None:
    before = value(lake, column, scope=scope)
    change(lake, column, 7, scope=scope)
    named_and_mended(lake, scope, "release-count")
    assert value(lake, column, scope=scope) == before


def test_a_release_that_lost_a_row_gets_it_from_rucio(lake: Lake, scope: str, files: list[FileEntry]) -> None:
    with transaction(lake.sessions) as session:
        file_id = select(File.id).where(File.scope == scope, File.name == "b.fits").scalar_subquery()
        session.execute(delete(ReleaseFile).where(ReleaseFile.file_id == file_id))
    found = look(lake, scope)
    assert set(found) == {"dataset-content", "release-dates", "observation-dates"}
    look(lake, scope, repair=True)
    look(lake, scope, repair=True)  # dates follow the rows
    assert look(lake, scope) == {}


def test_an_observation_that_begins_otherwise_than_its_releases(
    lake: Lake, scope: str, files: list[FileEntry]
) -> None:
    before = value(lake, Observation.date_beg, scope=scope)
    change(lake, Observation.date_beg, datetime(1999, 1, 1, tzinfo=UTC), scope=scope)
    named_and_mended(lake, scope, "observation-dates")
    assert value(lake, Observation.date_beg, scope=scope) == before


@pytest.mark.parametrize("wrong", ["file", "release"])
def test_of_a_file_and_a_release_that_differ_in_date_the_header_says_which_is_wrong(
    lake: Lake, scope: str, files: list[FileEntry], wrong: str
) -> None:
    late = datetime(2031, 1, 1, tzinfo=UTC)
    if wrong == "file":
        change(lake, File.date_end, late, scope=scope, name="b.fits")
    else:
        change(lake, Release.date_end, late, scope=scope)
    told = {file.name: (file.date_beg, file.date_end) for file in files}

    def read_dates(ref: Ref) -> tuple[datetime | None, datetime | None]:
        return told[ref.name]

    assert "release-dates" in look(lake, scope)
    look(lake, scope, repair=True, read_dates=read_dates)
    assert look(lake, scope) == {}
    assert value(lake, File.date_end, scope=scope, name="b.fits") == files[1].date_end
    assert value(lake, Release.date_end, scope=scope) == files[1].date_end


def test_a_header_that_differs_by_its_rounding_changes_nothing(
    lake: Lake, scope: str, files: list[FileEntry]
) -> None:
    change(lake, Release.date_end, datetime(2031, 1, 1, tzinfo=UTC), scope=scope)
    for_all = (files[0].date_beg or datetime.now(UTC)) + timedelta(milliseconds=400)
    look(lake, scope, repair=True, read_dates=lambda _: (for_all, files[0].date_end))
    assert value(lake, File.date_beg, scope=scope, name="a.fits") == files[0].date_beg


def test_a_result_that_is_another_units_file(lake: Lake, scope: str, files: list[FileEntry]) -> None:
    unit, other = files[0].unit_id, value(lake, File.id, scope=scope, name="b.fits")
    change(lake, UnitResult.file_id, other, unit_id=unit)
    named_and_mended(lake, scope, "unit-result")
    assert value(lake, UnitResult.file_id, unit_id=unit) == value(lake, File.id, scope=scope, name="a.fits")


def test_a_result_whose_unit_has_no_file_at_all_is_forgotten(
    lake: Lake, scope: str, files: list[FileEntry]
) -> None:
    file_id = value(lake, File.id, scope=scope, name="b.fits")
    with transaction(lake.sessions) as session:
        session.add(UnitResult(unit_id=f"{scope}-stranger", outcome="done", file_id=file_id))
    named_and_mended(lake, scope, "unit-result")
    with transaction(lake.sessions) as session:
        rows = select(func.count()).where(UnitResult.unit_id == f"{scope}-stranger")
        assert session.scalar(rows) == 0


def test_a_sha256_that_is_not_that_of_bytes_whose_other_sums_are_right(
    lake: Lake, scope: str, files: list[FileEntry]
) -> None:
    change(lake, File.sha256, "0" * 64, scope=scope, name="a.fits")
    assert look(lake, scope) == {}  # only the bytes can tell
    named_and_mended(lake, scope, "wrong-sha256", deep=True)
    assert value(lake, File.sha256, scope=scope, name="a.fits") == files[0].sha256


def test_a_sha256_that_the_catalogue_bears_out_is_not_overwritten_for_bytes_of_the_right_adler32(
    lake: Lake, scope: str, files: list[FileEntry]
) -> None:
    for column in (File.sha256, File.content_sha256):
        change(lake, column, "0" * 64, scope=scope, name="a.fits")
    found = look(lake, scope, deep=True, repair=True)
    assert set(found) == {"wrong-bytes"}
    assert "another sha256 of their content" in found["wrong-bytes"]["detail"]
    assert found["wrong-bytes"]["commands"] == ["heliolake restore PATH"]
    assert value(lake, File.sha256, scope=scope, name="a.fits") == "0" * 64


def test_a_sum_in_which_rucio_and_the_stored_bytes_outvote_the_catalogue(
    lake: Lake, scope: str, files: list[FileEntry]
) -> None:
    change(lake, File.adler32, "0" * 8, scope=scope, name="a.fits")
    named_and_mended(lake, scope, "checksum-mismatch")


def test_no_sum_is_overwritten_for_the_adler32_alone(lake: Lake, scope: str, files: list[FileEntry]) -> None:
    for column, other in ((File.adler32, "0" * 8), (File.sha256, "0" * 64), (File.content_sha256, "0" * 64)):
        change(lake, column, other, scope=scope, name="a.fits")
    found = look(lake, scope, repair=True)["checksum-mismatch"]
    assert not found["repaired"]
    assert "too little to go by" in found["detail"]
    assert value(lake, File.sha256, scope=scope, name="a.fits") == "0" * 64


@pytest.mark.parametrize("same", [True, False])
def test_an_md5_that_an_older_heliolake_told_rucio_says_which_is_wrong(
    lake: Lake, scope: str, make_files: MakeFiles, same: bool
) -> None:
    (file,) = make_files("a.fits")
    md5 = hashlib.md5(path_of(lake, scope, "a.fits").read_bytes()).hexdigest() if same else "0" * 32  # noqa: S324
    known_with_md5(lake, file, md5)
    publish(lake, reserve(lake, ProductKey(scope, "obs", "0"), "k"), [file])
    assert look(lake, scope, deep=True) == {}
    for column in (File.sha256, File.content_sha256):
        change(lake, column, "0" * 64, scope=scope, name="a.fits")
    if same:
        named_and_mended(lake, scope, "wrong-sha256", deep=True)
    else:
        assert set(look(lake, scope, deep=True, repair=True)) == {"wrong-bytes"}
    for column in (File.sha256, File.content_sha256):
        assert value(lake, column, scope=scope, name="a.fits") == (file.sha256 if same else "0" * 64)


@pytest.mark.parametrize("packed", [True, False])
def test_a_sha256_is_put_right_by_what_the_catalogue_knows_of_the_content(
    lake: Lake, scope: str, packed: bool
) -> None:
    file = published_fits(lake, scope, packed=packed)
    change(lake, File.sha256, "0" * 64, scope=scope, name=file.name)
    named_and_mended(lake, scope, "wrong-sha256", deep=True)
    assert value(lake, File.sha256, scope=scope, name=file.name) == file.sha256
    assert value(lake, File.content_sha256, scope=scope, name=file.name) == file.content_sha256


def test_a_packed_file_of_an_older_catalogue_is_borne_out_by_the_sums_of_its_hdus(
    lake: Lake, scope: str
) -> None:
    file = published_fits(lake, scope, packed=True)
    change(lake, File.content_sha256, None, scope=scope, name=file.name)
    change(lake, File.sha256, "0" * 64, scope=scope, name=file.name)
    assert "CHECKSUM and DATASUM" in look(lake, scope, deep=True)["wrong-sha256"]["detail"]
    named_and_mended(lake, scope, "wrong-sha256", deep=True)
    assert value(lake, File.sha256, scope=scope, name=file.name) == file.sha256


def test_where_nothing_bears_bytes_out_but_their_adler32_a_person_has_to_decide(
    lake: Lake, scope: str
) -> None:
    file = published_fits(lake, scope, packed=True, checksum=False)
    change(lake, File.content_sha256, None, scope=scope, name=file.name)
    change(lake, File.sha256, "0" * 64, scope=scope, name=file.name)
    found = look(lake, scope, deep=True, repair=True)["wrong-sha256"]
    assert not found["repairable"]
    assert "compare them with a copy from where the file came from" in found["detail"]
    assert value(lake, File.sha256, scope=scope, name=file.name) == "0" * 64


@pytest.mark.parametrize("state", ["U", "D"])
def test_a_replica_that_rucio_calls_bad_although_its_bytes_are_right(
    lake: Lake, scope: str, files: list[FileEntry], home: Home, state: str
) -> None:
    call_replica(home, scope, "a.fits", state)
    assert "replica-state" in look(lake, scope)
    assert look(lake, scope, repair=True)["replica-state"]["repaired"]
    assert "replica-state" not in look(lake, scope)


def test_a_replica_whose_bytes_are_wrong_is_not_called_good(
    lake: Lake, scope: str, files: list[FileEntry], home: Home
) -> None:
    call_replica(home, scope, "a.fits", "D")
    path = path_of(lake, scope, "a.fits")
    path.write_bytes(b"?" * files[0].size)
    found = look(lake, scope, repair=True)
    assert not found["replica-state"]["repaired"]
    assert "fsck --deep" in found["replica-state"]["detail"]
    assert look(lake, scope, deep=True)["wrong-bytes"]["commands"] == ["heliolake restore PATH"]


def test_a_release_whose_dataset_rucio_lost_gets_it_again(
    lake: Lake, scope: str, make_files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("lake.releases.publishing.into_rucio", lambda *_: None)
        publish(lake, reserve(lake, ProductKey(scope, "obs", "0"), "k"), make_files("a.fits"))
    lake.rucio.ensure_scope(scope)
    assert set(look(lake, scope)) == {"not-in-rucio", "no-dataset"}
    look(lake, scope, repair=True)
    assert look(lake, scope, deep=True) == {}
