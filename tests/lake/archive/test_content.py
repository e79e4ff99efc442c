"""Files are given whole or in part, to those who may have them, and never others than those registered."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import unquote

import pytest
from astropy.io import fits
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.archive.content import _headers
from lake.entries import FileEntry
from lake.lake import Lake
from lake.storage.store import key_of
from tests.conftest import FUZZ
from tests.lake.archive.conftest import SCOPE, Served
from tests.stored import path_of

SIZE = 8640


def url_of(release: Served, name: str = "") -> str:
    return f"{release.url}/files/{name or release.first}"


def test_a_file_comes_with_its_name_its_sum_and_its_bytes(
    client: TestClient, served: dict[str, Served]
) -> None:
    for name, data in served["public"].files.items():
        answer = client.get(url_of(served["public"], name))
        assert (answer.status_code, answer.content) == (200, data)
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
        assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert answer.headers["content-type"] == "application/fits"
        head = client.head(url_of(served["public"], name))
        for header in ("content-length", "etag", "repr-digest", "content-disposition", "accept-ranges"):
            assert head.headers[header] == answer.headers[header]
        assert head.content == b""
    release = f"http://testserver/releases/{served['public'].product}@v0001"
    assert answer.headers["link"] == f'<{release}>; rel="collection"; type="text/html"'
    assert client.get(release).status_code == 200
    named = client.head(url_of(served["public"], "public_2.fits")).headers["content-disposition"]
    assert named == "attachment; filename=\"Gr__e_2.fits\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%202.fits"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_no_name_breaks_out_of_the_header_that_tells_it(name: str) -> None:
    entry = FileEntry("s", "a.fits", "0", "a", 1, "0" * 8, "0" * 64, original=name)
    told = _headers(entry)["Content-Disposition"]
    plain, encoded = re.fullmatch(r"attachment; filename=\"(.*)\"; filename\*=UTF-8''(.*)", told).groups()  # type: ignore[union-attr]
    assert re.fullmatch(r"[A-Za-z0-9._+-]+", plain)
    assert re.fullmatch(r"[A-Za-z0-9._~%-]+", encoded)
    assert unquote(encoded) == name


def test_the_digest_of_a_part_is_that_of_the_whole(client: TestClient, served: dict[str, Served]) -> None:
    whole = client.get(url_of(served["public"]))
    for more in ({}, {"If-Range": whole.headers["etag"]}):
        part = client.get(url_of(served["public"]), headers={"Range": "bytes=5-9", **more})
        assert (part.status_code, part.content) == (206, whole.content[5:10])
        assert part.headers["repr-digest"] == whole.headers["repr-digest"]  # RFC 9530: of the representation
        assert "content-digest" not in part.headers


@settings(max_examples=60 * FUZZ, deadline=None)
@given(
    st.none() | st.integers(0, SIZE + 50), st.none() | st.integers(0, SIZE + 50), st.sampled_from(["", "if"])
)
def test_any_range_gives_the_bytes_it_names(
    client: TestClient, served: dict[str, Served], first: int | None, last: int | None, condition: str
) -> None:
    data = served["public"].files[served["public"].first]
    wanted = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    headers = {"Range": wanted} | ({"If-Range": '"another"'} if condition else {})
    answer = client.get(url_of(served["public"]), headers=headers)
    right: bytes | None = data
    if not condition and not (first is None and last is None):
        if first is None:
            right = data[-last:] if last else None
        elif last is None or last >= first:
            right = data[first : None if last is None else last + 1] or None
    if right is None:
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(data)}")
        return
    assert answer.content == right
    assert answer.status_code == (200 if right == data else 206)
    if right != data:
        start, size = data.index(right) if first is None else first, len(right)
        assert answer.headers["content-range"].endswith(f"/{len(data)}")
        assert answer.headers["content-length"] == str(size)
        assert first is None or answer.headers["content-range"].startswith(f"bytes {start}-")


@pytest.mark.parametrize("wanted", ["lines=1-2", "bytes=1-2,5-6", "bytes=x-", "bytes=9-3", "bytes=-", "?"])
def test_a_range_that_is_none_gives_everything(
    client: TestClient, served: dict[str, Served], wanted: str
) -> None:
    answer = client.get(url_of(served["public"]), headers={"Range": wanted})
    assert (answer.status_code, len(answer.content)) == (200, SIZE)


def test_what_somebody_has_already_is_not_sent_again(client: TestClient, served: dict[str, Served]) -> None:
    tag = client.head(url_of(served["public"])).headers["etag"]
    for known in (tag, f'"a", W/{tag}', "*"):
        answer = client.get(url_of(served["public"]), headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert client.get(url_of(served["public"]), headers={"If-None-Match": '"a"'}).status_code == 200


@pytest.mark.parametrize("asker", ["", "ar-stranger"])
@pytest.mark.parametrize("part", ["", "/header"])
@pytest.mark.parametrize(("standing", "status"), [("embargoed", 403), ("withdrawn", 410), ("draft", 404)])
def test_what_may_not_be_had_gives_nothing_away(
    client: TestClient,
    served: dict[str, Served],
    token: dict[str, dict[str, str]],
    standing: str,
    status: int,
    part: str,
    asker: str,
) -> None:
    entry = served[standing].entries[0]
    for more in ({}, {"Range": "bytes=0-0"}, {"If-None-Match": f'"{entry.sha256}"'}, {"If-None-Match": "*"}):
        answer = client.get(f"{url_of(served[standing])}{part}", headers=token.get(asker, {}) | more)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert not {"etag", "repr-digest", "content-range"} & set(answer.headers)
        assert entry.sha256 not in answer.text
        head = client.head(url_of(served[standing]), headers=token.get(asker, {}) | more)
        assert (head.status_code, head.content) == (status, b"")
    if standing == "embargoed":
        assert "2999-01-01" in client.get(url_of(served[standing])).json()["detail"]


def test_who_holds_it_gets_it(
    client: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    release = served["embargoed"]
    answer = client.get(url_of(release), headers=token["ar-holder"])
    assert answer.content == release.files[release.first]
    assert answer.headers["cache-control"].startswith("private")
    assert client.get(url_of(served["withdrawn"]), headers=token["ar-holder"]).status_code == 410


def test_a_header_is_given_as_cards_and_as_it_stands(client: TestClient, served: dict[str, Served]) -> None:
    url = f"{url_of(served['public'])}/header"
    document = client.get(url).json()
    assert ["OBSERVER", "public 1", "whose; and 'quoted'"] in document["cards"]
    assert ["TEMP", 1.5, ""] in document["cards"]
    plain = client.get(url, params={"form": "text"})
    assert plain.headers["content-type"].startswith("text/plain")
    assert fits.Header.fromstring(plain.text, sep="\n")["OBSERVER"] == "public 1"
    answer = client.get(url, params={"hdu": 7})
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("how", ["longer", "other", "gone"])
def test_bytes_that_are_not_those_registered_are_never_given_whole(
    client: TestClient, lake: Lake, served: dict[str, Served], how: str
) -> None:
    release = served["public"]
    name = list(release.files)[1]
    path, data = path_of(lake, SCOPE, name), release.files[name]
    path.chmod(0o600)
    try:
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes(data + b"x" if how == "longer" else b"y" + data[1:])
        answer = client.get(url_of(release, name))
        if how == "other":  # seen once they are read: the client misses what it was promised
            assert (answer.headers["content-length"], answer.content) == (str(SIZE), b"")
        else:
            assert (answer.status_code, answer.json()["code"]) == (404, "missing-file")
            assert str(path) not in answer.text
    finally:
        path.unlink(missing_ok=True)
        lake.store.put(key_of(SCOPE, name), data)


def test_where_a_file_is_had_is_told_to_those_who_may_have_it(
    client: TestClient, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    release, headers = served["embargoed"], token["ar-holder"]
    url = f"{url_of(release)}/location"
    assert client.get(url).status_code == 403
    told = client.get(url, headers=headers).json()
    assert (told["expires"], told["sha256"]) == (None, release.entries[0].sha256)
    assert client.get(told["url"], headers=headers).content == release.files[release.first]
    led = client.get(url, params={"follow": True}, headers=headers, follow_redirects=False)
    assert (led.status_code, led.headers["location"]) == (307, told["url"])
