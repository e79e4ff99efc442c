"""Many files as one: what may be had is in it, what may not be had is told with the reason."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.archive.packing import PACKERS
from lake.archive.scripts import Wanted, safe, script
from lake.lake import Lake
from lake.storage.store import key_of
from tests.lake.archive.conftest import SCOPE, Served
from tests.stored import path_of

API = "/api/v1"


def unpacked(data: bytes, form: str) -> dict[str, bytes]:
    """Members of a download by their names, in order."""
    if form == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            assert packed.testzip() is None
            return {name: packed.read(name) for name in packed.namelist()}
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            reader = tar.extractfile(member)
            assert reader is not None
            found[member.name] = reader.read()
    return found


def manifest_of(members: dict[str, bytes]) -> Any:
    """The manifest, after a look whether the sums are those of the members."""
    document = json.loads(members["MANIFEST.json"])
    given = {one["path"]: one for one in document["files"] if "path" in one}
    files = {name: data for name, data in members.items() if name not in ("MANIFEST.json", "SHA256SUMS")}
    sums = dict(line.split("  ")[::-1] for line in members["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert {name: one["sha256"] for name, one in given.items()} == sums
    assert (document["given"], document["refused"]) == (len(given), len(document["files"]) - len(given))
    return document


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_a_release_comes_as_one_file(client: TestClient, served: dict[str, Served], form: str) -> None:
    release = served["public"]
    answer = client.get(f"{release.url}/download", params={"form": form})
    assert answer.headers["content-disposition"] == f'attachment; filename="public_obs.{form}"'
    members = unpacked(answer.content, form)
    manifest = manifest_of(members)
    for name, data in release.files.items():
        assert members[f"{SCOPE}/public_obs.l0.v0001/{name}"] == data
    assert manifest["files"][1]["original"] == "Größe 2.fits"


def test_some_of_its_files_are_given_where_they_are_named(
    client: TestClient, served: dict[str, Served]
) -> None:
    release = served["public"]
    url = f"{release.url}/download"
    members = unpacked(client.get(url, params={"file": [release.first]}).content, "zip")
    assert [one["path"].rpartition("/")[2] for one in manifest_of(members)["files"]] == [release.first]
    assert client.get(url, params={"file": [release.first, "other.fits"]}).status_code == 404


@pytest.mark.parametrize(("standing", "status"), [("embargoed", 403), ("withdrawn", 410), ("draft", 404)])
def test_a_release_that_may_not_be_had_is_a_problem(
    client: TestClient, served: dict[str, Served], standing: str, status: int
) -> None:
    assert client.get(f"{served[standing].url}/download").status_code == status


def test_what_matches_comes_with_what_may_not_be_had_told_in_the_manifest(
    client: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    asked = {"instrument": SCOPE, "form": "tar"}
    manifest = manifest_of(unpacked(client.get(f"{API}/download", params=asked).content, "tar"))
    refused = [one for one in manifest["files"] if "refused" in one]
    assert {one["name"] for one in refused} == set(served["embargoed"].files)
    assert all("under embargo until 2999-01-01" in one["refused"] and one["advice"] for one in refused)
    assert manifest["given"] == 2
    answer = client.get(f"{API}/download", params=asked, headers=token["ar-holder"])
    assert manifest_of(unpacked(answer.content, "tar"))["given"] == 4
    available = client.get(f"{API}/download", params=asked | {"available": True})
    assert manifest_of(unpacked(available.content, "tar"))["refused"] == 0


def test_releases_are_named_one_by_one(client: TestClient, served: dict[str, Served]) -> None:
    names = [served["public"].product, f"{served['withdrawn'].product}@v0001"]
    manifest = manifest_of(unpacked(client.get(f"{API}/download", params={"product": names}).content, "zip"))
    assert (manifest["given"], manifest["refused"]) == (2, 2)
    assert "was withdrawn" in manifest["files"][2]["refused"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"instrument": "nothing"}, 404),
        ({"product": "archived:nothing.l0"}, 404),
        ({"product": "archived:public_obs.l0", "instrument": SCOPE}, 400),
        ({"form": "rar"}, 422),
    ],
)
def test_what_cannot_be_packed_is_a_problem(client: TestClient, asked: dict[str, str], status: int) -> None:
    assert client.get(f"{API}/download", params=asked).status_code == status


def test_a_file_that_is_lost_is_told_and_the_others_come(
    client: TestClient, lake: Lake, served: dict[str, Served]
) -> None:
    release = served["public"]
    path, data = path_of(lake, SCOPE, release.first), release.files[release.first]
    path.chmod(0o600)
    for damage in (None, b"y" + data[1:]):
        path.unlink()
        if damage is not None:
            path.write_bytes(damage)
        try:
            manifest = manifest_of(unpacked(client.get(f"{release.url}/download").content, "zip"))
            assert manifest["files"][0]["name"] == release.first
            assert "cannot be given now" in manifest["files"][0]["refused"]
            assert manifest["given"] == 1
        finally:
            path.unlink(missing_ok=True)
            lake.store.put(key_of(SCOPE, release.first), data)


def test_what_matches_is_taken_in_parts_each_of_which_tells_where_the_next_is(
    client: TestClient, served: dict[str, Served]
) -> None:
    url, taken = f"{API}/download?instrument={SCOPE}&form=tar&limit=1", []
    while url:
        manifest = manifest_of(unpacked(client.get(url).content, "tar"))
        taken.append({one.get("release") for one in manifest["files"]})
        url = manifest["next"]
    assert taken == [{f"{served[one].product}@v0001"} for one in ("public", "embargoed")]
    beyond = client.get(f"{API}/download", params={"instrument": SCOPE, "until": "2000-01-01", "limit": 1})
    assert beyond.status_code == 404


@pytest.mark.parametrize("limit", [{}, {"limit": 1}])
@pytest.mark.parametrize("form", ["download", "script"])
def test_a_part_that_begins_nowhere_is_a_problem_before_anything_is_given(
    client: TestClient, served: dict[str, Served], form: str, limit: dict[str, int]
) -> None:
    answer = client.get(
        f"{API}/{form}", params={"instrument": SCOPE, "after": "URLr016dLnShCv0uDuz", **limit}
    )
    assert (answer.status_code, answer.json()["keyword"]) == (404, "after")


@pytest.mark.parametrize("by", ["curl", "python"])
def test_a_script_of_a_part_tells_where_the_next_is(
    client: TestClient, served: dict[str, Served], by: str, tmp_path: Path
) -> None:
    url = f"{API}/script?instrument={SCOPE}&by={by}&limit=1"
    assert "More match" not in client.get(f"{url}&available=true").text  # there is but one that may be had
    said = client.get(url).text
    assert said.count("More match") == 1
    (tmp_path / "get").write_text(said.replace("fetch(*one)", "pass").replace("\nfetch ", "\n: "))
    run = [sys.executable if by == "python" else "sh", "get"]
    told = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stderr
    following = client.get(told.strip().rpartition(" ")[2]).text
    assert "under embargo" in following
    assert "More match" not in following


def test_files_are_ordered_by_name_more_than_an_address_holds(
    client: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    public, held = served["public"], served["embargoed"]
    wanted = [
        {"product": public.product, "files": [public.first, *(f"none_{n}.fits" for n in range(1200))]},
        {"product": f"{public.product}@v0001"},
        {"product": held.product, "files": [held.first]},
        {"product": f"{SCOPE}:nothing.l0"},
        {"product": "?"},
    ]
    answer = client.post(f"{API}/download", json={"releases": wanted, "form": "zip"})
    files = manifest_of(unpacked(answer.content, "zip"))["files"]
    assert [one["path"] for one in files if "path" in one] == [f"{SCOPE}/public_obs.l0.v0001/{public.first}"]
    refused = [one for one in files if "refused" in one]
    assert len(refused) == 1204
    assert refused[0]["refused"] == "the release holds no such file"
    assert "named before" in refused[1200]["refused"]
    assert (refused[1201]["name"], "under embargo" in refused[1201]["refused"]) == (held.first, True)
    assert "there is no release" in refused[1202]["refused"]
    assert held.entries[0].sha256 not in json.dumps(files)
    answer = client.post(
        f"{API}/download", json={"releases": wanted[2:3], "form": "tar"}, headers=token["ar-holder"]
    )
    assert manifest_of(unpacked(answer.content, "tar"))["given"] == 1
    said = client.post(f"{API}/script", json={"releases": wanted[:1] + wanted[2:], "by": "wget"}).text
    assert said.count("\nfetch ") == 1
    assert said.count("# not to be had") == 1203
    assert held.entries[0].sha256 not in said


def test_a_question_without_end_is_not_read_to_it(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(16):
            yield bytes(1 << 20)

    for route in ("download", "script"):
        answer = client.post(f"{API}/{route}", content=parts(), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
        assert "Ask in parts" in answer.json()["detail"]


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(PACKERS)),
    st.lists(st.lists(st.binary(max_size=1500), max_size=3), max_size=4),
)
def test_what_is_packed_comes_out_again(form: str, files: list[list[bytes]]) -> None:
    packer = PACKERS[form]()
    moment = datetime(1975, 1, 1, tzinfo=UTC)
    data = b""
    for number, blocks in enumerate(files):
        data += b"".join(packer.member(f"d/{number}", sum(map(len, blocks)), moment, iter(blocks)))
    data += b"".join(packer.end())
    assert unpacked(data, form) == {f"d/{number}": b"".join(one) for number, one in enumerate(files)}


def test_little_is_held_while_much_is_packed() -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(64):
            yield bytes(1 << 20)

    for packer in (PACKERS["zip"](), PACKERS["tar"]()):
        parts = packer.member("a", 64 << 20, datetime.now(UTC), blocks())
        assert max(map(len, parts)) < 2 << 20


@given(st.text(max_size=30))
def test_no_path_of_a_script_leads_out_of_its_folder(path: str) -> None:
    kept = safe(path)
    assert not kept.startswith(("/", "-"))
    assert not {"..", "", "."} & set(kept.split("/"))
    lines = "".join(script("x", iter([Wanted(path, "http://x", "0"), Wanted(path, "", "", path)]), "python"))
    compile(lines, "fetch.py", "exec")


def test_a_script_of_what_matches_tells_what_may_not_be_had(
    client: TestClient, served: dict[str, Served], tmp_path: Path
) -> None:
    for by in ("curl", "python"):
        said = client.get(f"{API}/script", params={"instrument": SCOPE, "by": by}).text
        for name in served["public"].files:
            assert f"{SCOPE}/public_obs.l0.v0001/{name}" in said
        assert "not to be had" in said
        assert served["embargoed"].entries[0].sha256 not in said
        (tmp_path / by).write_text(said)
    assert subprocess.run(["sh", "-n", "curl"], cwd=tmp_path, check=False).returncode == 0
    assert (
        subprocess.run([sys.executable, "-m", "py_compile", "python"], cwd=tmp_path, check=False).returncode
        == 0
    )
