"""Files and pictures of a lake whose storages are several: one of them far, away, or with damaged copies."""

from __future__ import annotations

import hashlib
import io
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from fastapi.testclient import TestClient
from sqlalchemy import update

from lake.archive import copies, giving
from lake.archive.application import archive
from lake.archive.location import SECONDS
from lake.archive.surroundings import Surroundings
from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.config import Element
from lake.entries import FileEntry
from lake.errors import Retriable
from lake.governance import audit
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish
from lake.storage import previews
from lake.storage.posix import PosixStore
from lake.storage.previews import preview_key
from lake.storage.store import Store, key_of
from tests.lake.archive.conftest import UNTIL
from tests.objects import Objects
from tests.stored import damage, remove, write

SCOPE = "elsewhere"
SMALL, LARGE = "elsewhere_a.fits", "elsewhere_b.fits"
RELEASE = f"/api/v1/releases/{SCOPE}:far_obs.l1@v0001"


@dataclass(frozen=True)
class Sites:
    """Two storages, the archive over both, and two files that lie on the far one alone."""

    lake: Lake
    near: Store
    far: Store
    client: TestClient
    files: dict[str, bytes]

    def url(self, name: str, part: str = "") -> str:
        """Where the archive has a file."""
        return f"{RELEASE}/files/{name}{part}"

    def members(self, **asked: Any) -> tuple[dict[str, bytes], Any]:
        """What a download of all has, and its manifest."""
        answer = self.client.get(f"{RELEASE}/download", params=asked)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
            assert packed.testzip() is None
            found = {name.rpartition("/")[2]: packed.read(name) for name in packed.namelist()}
        return found, json.loads(found["MANIFEST.json"])


def _image(size: int) -> bytes:
    buffer = io.BytesIO()
    fits.PrimaryHDU(np.arange(size * 64, dtype=np.float32).reshape(64, size)).writeto(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A file that is looked at in one piece, and one that is read twice."""
    return {SMALL: _image(100), LARGE: _image(3 * giving.BLOCK // 256)}


@pytest.fixture(scope="module")
def published(lake: Lake, files: dict[str, bytes]) -> int:
    """The release; its bytes are put where a test wants them."""
    entries = []
    for name, data in files.items():
        stored = lake.store.put(key_of(SCOPE, name), data)
        entries.append(
            FileEntry(
                SCOPE, name, "1", name[:-5], *stored.checksums,
                date_beg=datetime(2023, 5, 1, tzinfo=UTC), date_end=datetime(2023, 5, 1, tzinfo=UTC),
                shape=(64, len(data) // 256),
            )
        )  # fmt: skip
    draft = reserve(lake, ProductKey(SCOPE, "far_obs", "1"), "k")
    publish(lake, draft, entries, Provenance())
    return draft.release_id


@pytest.fixture(params=["posix", pytest.param("s3", marks=pytest.mark.slow)])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty storage of another site."""
    if request.param == "posix":
        (tmp_path / "far").mkdir()
        return PosixStore(tmp_path / "far")
    store: Store = request.getfixturevalue("objects").store(tmp_path.name)
    return store


@pytest.fixture
def sites(
    lake: Lake, published: int, files: dict[str, bytes], far: Store, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sites]:  # fmt: skip
    """The two storages; the near one is empty."""
    monkeypatch.setattr(copies, "_AWAY", copies._Away())
    (tmp_path / "near").mkdir()
    near = PosixStore(tmp_path / "near")
    config = replace(lake.config, store_credentials=None)  # those of the tests' storage are known already
    there = Lake(replace(config, store=near.url, others=(Element("FAR", far.url),)))
    for name, data in files.items():
        far.put(key_of(SCOPE, name), data)
    with there, TestClient(archive(there), raise_server_exceptions=False) as client:
        yield Sites(there, near, far, client, files)


@contextmanager
def embargoed(lake: Lake, release: int) -> Iterator[None]:
    """Under embargo for as long as the block lasts."""

    def put(**values: Any) -> None:
        with transaction(lake.sessions) as session:
            session.execute(update(Release).where(Release.id == release).values(**values))

    put(embargo_until=UNTIL, embargo_holders=["ar-holder"])
    try:
        yield
    finally:
        put(embargo_until=None, embargo_holders=[])


def test_a_file_of_another_site_comes_whole_in_part_and_in_a_zip(sites: Sites) -> None:
    for name, data in sites.files.items():
        assert sites.client.get(sites.url(name)).content == data
        part = sites.client.get(sites.url(name), headers={"Range": "bytes=100-299"})
        assert (part.status_code, part.content) == (206, data[100:300])
        assert sites.client.get(sites.url(name, "/header")).json()["cards"][0][0] == "SIMPLE"
        row = np.frombuffer(sites.client.get(sites.url(name, "/values?at=1,:5")).content, "<f4")
        with fits.open(io.BytesIO(data)) as hdus:
            assert row.tolist() == hdus[0].data[1, :5].tolist()
    members, manifest = sites.members()
    assert {name: members[name] for name in sites.files} == sites.files
    assert (manifest["given"], manifest["refused"]) == (2, 0)
    assert sites.client.get(f"{RELEASE}").status_code == 200


def test_pictures_of_another_site_are_shown(sites: Sites) -> None:
    entry = sites.client.get(sites.url(SMALL, "/about")).json()["file"]
    scene = {"made_of": entry["sha256"], "drawn_by": "abc"}
    previews.keep(sites.far, preview_key(SCOPE, SMALL), {"medium.png": b"medium"}, scene)
    assert sites.client.get(sites.url(SMALL, "/preview")).content == b"medium"
    dataset = "far_obs.l1.v0001"
    previews.keep(sites.far, preview_key(SCOPE, dataset), {"movie.webp": b"film"}, {"made_of": "x"})
    assert sites.client.get(f"{RELEASE}/movie").content == b"film"


@pytest.mark.parametrize("damage", ["cut off", "other bytes"])
def test_of_two_copies_the_whole_one_is_given(sites: Sites, damage: str) -> None:
    for name, data in sites.files.items():
        worse = data[:-2880] if damage == "cut off" else data[:3000] + b"?" + data[3001:]
        write(sites.near, key_of(SCOPE, name), worse)
    members, manifest = sites.members()
    assert {name: members[name] for name in sites.files} == sites.files
    assert manifest["refused"] == 0
    if damage == "cut off":  # seen without reading it
        assert sites.client.get(sites.url(LARGE)).content == sites.files[LARGE]


def test_parts_are_given_of_copies_alone_that_are_right_as_a_whole(
    sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, key = sites.files[LARGE], key_of(SCOPE, LARGE)
    part, wanted = {"Range": "bytes=100-299"}, data[100:300]
    read: list[str] = []
    digest, near = hashlib.file_digest, sites.near.place(key)

    def noted(file: Any, kind: str) -> Any:
        read.append(str(file.name))
        return digest(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", noted)

    def given() -> tuple[int, bytes]:
        answer = sites.client.get(sites.url(LARGE), headers=part)
        return answer.status_code, answer.content

    write(sites.near, key, data)
    assert [given() for _ in range(3)] == [(206, wanted)] * 3
    assert read == [near], "it is read as a whole once"
    write(sites.near, key, data[:-1] + b"?")  # far from what is asked for
    assert [given() for _ in range(3)] == [(206, wanted)] * 3  # of the far copy
    assert read.count(near) == 2, "what is wrong is not read again and again"
    damage(sites.far, key)
    write(sites.near, key, data)
    assert given() == (206, wanted)
    remove(sites.near, key)
    if isinstance(sites.far, PosixStore):
        answer = sites.client.get(sites.url(LARGE), headers=part)
        assert (answer.status_code, answer.json()["code"]) == (404, "missing-file")
        assert "content-range" not in answer.headers
        assert sites.client.head(sites.url(LARGE), headers=part).status_code == 206


@pytest.mark.parametrize("name", [SMALL, LARGE])
@pytest.mark.parametrize("damage", ["cut off", "other bytes", "gone"])
def test_a_damaged_file_is_told_in_the_manifest_and_the_rest_comes(
    sites: Sites, name: str, damage: str
) -> None:
    data, key = sites.files[name], key_of(SCOPE, name)
    if damage == "gone":
        remove(sites.far, key)
    else:
        write(sites.far, key, data[:-2880] if damage == "cut off" else data[:-1] + b"?")
    members, manifest = sites.members()
    (refused,) = [one for one in manifest["files"] if "refused" in one]
    assert (refused["name"], manifest["given"]) == (name, 1)
    assert "cannot be given now" in refused["refused"]
    assert name not in members
    (other,) = set(sites.files) - {name}
    assert members[other] == sites.files[other]
    if damage != "other bytes":
        answer = sites.client.get(sites.url(name))
        assert (answer.status_code, answer.json()["code"]) == (404, "missing-file")


def test_a_storage_that_is_away_is_no_lost_file(lake: Lake, sites: Sites) -> None:
    nowhere = Lake(
        replace(
            lake.config, store=sites.near.url, others=(Element("FAR", "s3://x?endpoint=http://127.0.0.1:9"),)
        )
    )
    with nowhere, TestClient(archive(nowhere), raise_server_exceptions=False) as client:
        for part in ("", "/header", "/preview", "/values?at=0,0", "/location"):
            answer = client.get(sites.url(LARGE, part))
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["retry-after"]
            assert "127.0.0.1" not in answer.text
        assert client.get(RELEASE).status_code == 200
        page = client.get(f"/releases/{SCOPE}:far_obs.l1@v0001", headers={"Accept": "text/html"})
        assert page.status_code == 200
        answer = client.get(f"{RELEASE}/download", params={"form": "zip"})
        with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
            manifest = json.loads(packed.read("MANIFEST.json"))
        assert [one["advice"] for one in manifest["files"]] == ["ask for this file again later"] * 2


def test_a_storage_that_lets_somebody_wait_is_not_asked_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_PATIENCE", 0.0)
    away, store = copies._Away(), PosixStore(tmp_path)

    def waiting() -> str:
        with pytest.raises(Retriable, match="not asked again yet"):
            away.asked(store, lambda: "another")
        return "in the end"

    assert away.asked(store, waiting) == "in the end"
    assert away.asked(store, lambda: "a third") == "a third"
    with pytest.raises(Retriable, match="gone"):
        away.asked(store, _failing)
    with pytest.raises(Retriable, match="not asked again yet"):
        away.asked(store, lambda: "a fourth")


def _failing() -> str:
    raise Retriable("gone")


def test_an_embargo_set_meanwhile_ends_what_is_on_its_way(
    lake: Lake, sites: Sites, published: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving, "ASKED_AGAIN", -1.0)
    with sites.client.stream("GET", sites.url(LARGE)) as answer, embargoed(lake, published):
        given = list(answer.iter_raw())
    assert sum(map(len, given)) < len(sites.files[LARGE])


@pytest.mark.slow
@pytest.mark.parametrize("far", ["s3"], indirect=True)
def test_an_address_in_s3_is_signed_for_who_may_have_what_lies_there_whole(
    lake: Lake, sites: Sites, published: int, objects: Objects, token: dict[str, dict[str, str]]
) -> None:
    served = archive(sites.lake, Surroundings(objects={"FAR": objects.home.url("s3")}))
    url, data = sites.url(LARGE, "/location"), sites.files[LARGE]
    with TestClient(served, raise_server_exceptions=False) as client:
        told = client.get(url).json()
        left = datetime.fromisoformat(told["expires"]) - datetime.now(UTC)
        assert 0 < left.total_seconds() <= SECONDS
        assert "X-Amz-Signature" in told["url"]
        assert fetched(told["url"]) == (200, data)
        assert fetched(told["url"], Range="bytes=100-199") == (206, data[100:200])
        assert fetched(told["url"].replace(LARGE, SMALL))[0] == 403
        assert "X-Amz-Signature" not in sites.client.get(url).text  # where visitors do not reach it
        with embargoed(lake, published):
            assert client.get(url).status_code == 403
            told = client.get(url, headers=token["ar-holder"]).json()
            assert fetched(told["url"]) == (200, data)
            (noted,) = audit.entries(lake, what="access.signed", subject=f"{SCOPE}:far_obs.l1@v0001")
            assert (noted.who, noted.detail["seconds"]) == ("ar-holder", SECONDS)
        write(sites.far, key_of(SCOPE, LARGE), data[:-2880])
        assert (client.get(url).status_code, client.get(url).json()["code"]) == (404, "missing-file")


def fetched(url: str, **headers: str) -> tuple[int, bytes]:
    """What is at an address in S3."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, b""
