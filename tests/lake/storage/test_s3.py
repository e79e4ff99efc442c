"""What S3 adds: one conditional put, services that lack the condition, and refusals in words."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lake.checksums import checksums
from lake.errors import BadInput, Fatal, Reason, Retriable
from lake.storage import credentials, s3
from lake.storage.credentials import Credentials
from lake.storage.opening import open_store, stored_path
from lake.storage.s3 import S3Store, s3_url
from lake.storage.store import Ref, key_of
from tests.objects import Objects

KEY = key_of("s", "a.fits")


def test_an_object_is_made_by_one_request_however_large(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = objects.store(secrets.token_hex(6))
    store.try_out()
    asked: list[str] = []
    genuine = store._wire.call

    def recorded(method: str, **arguments: object) -> dict[str, object]:
        asked.append(method)
        return genuine(method, **arguments)

    monkeypatch.setattr(store._wire, "call", recorded)
    content = bytes(60 << 20)  # more than s3fs itself sends in one part
    store.put(KEY, content)
    store.put_windows(key_of("s", "b"), [content, b"x"], checksums(content + b"x"))
    assert asked == ["put_object"] * 2


def test_what_one_request_cannot_take_is_refused_before_it_is_sent(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = objects.store(secrets.token_hex(6))
    monkeypatch.setattr(s3, "_LARGEST", 1000)
    with pytest.raises(BadInput, match="larger than an S3 storage takes in one piece") as refusal:
        store.put(KEY, bytes(1001))
    assert refusal.value.code is Reason.TOO_LARGE
    assert store.stat(KEY) is None
    store.put(KEY, bytes(1000))


def test_bytes_that_are_not_those_summed_never_become_an_object(objects: Objects) -> None:
    store = objects.store(secrets.token_hex(6))
    with pytest.raises((Fatal, Retriable)):
        store.put(KEY, b"abd", checksums(b"abc"))
    assert store.stat(KEY) is None


class Heedless(BaseHTTPRequestHandler):
    """A service that takes everything, whatever the condition."""

    protocol_version = "HTTP/1.1"

    def _take(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_DELETE = do_HEAD = _take  # noqa: N815 - as http.server names them

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def heedless() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Heedless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_service_that_does_not_heed_conditions_is_refused_and_named(heedless: str, tmp_path: Path) -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    url = s3_url("bucket", heedless)
    file = tmp_path / "stores.json"
    file.write_text(credentials.as_text({url: Credentials("a", "b")}))
    credentials.use(file)
    store = S3Store(url)
    with pytest.raises(Fatal, match="does not heed the condition If-None-Match") as refusal:
        store.put(KEY, b"abc")
    assert heedless.removeprefix("http://").replace(":", "%3A") in str(refusal.value)


def test_a_wrong_key_a_missing_bucket_and_a_service_that_is_down_are_told_apart(objects: Objects) -> None:
    wrong = objects.store("x", key="wrong")
    absent = objects.store("x", bucket="absent")
    for store, match in ((wrong, "refuses us"), (absent, "has no bucket absent")):
        for attempt in (
            lambda store=store: store.put(KEY, b"abc"),
            lambda store=store: store.stat(KEY),
            lambda store=store: list(store.scan()),
        ):
            with pytest.raises(Fatal, match=match):
                attempt()
        assert not store.answers()
    down = S3Store(s3_url("bucket", "http://127.0.0.1:1"))
    credentials.use(objects.stores)
    known = credentials.read(objects.stores) | {down.url: Credentials("a", "b")}
    objects.stores.write_text(credentials.as_text(known))
    with pytest.raises(Retriable, match=r"S3 storage http://127\.0\.0\.1:1"):
        down.stat(KEY)


def test_credentials_are_shown_nowhere_and_a_broken_file_of_them_is_told_without_its_contents(
    tmp_path: Path,
) -> None:
    file = tmp_path / "stores.json"
    file.write_text(credentials.as_text({"s3://b/": Credentials("key", "hush")}))
    assert credentials.read(file)["s3://b/"].secret_key == "hush"
    assert "hush" not in repr(credentials.read(file))
    file.write_text('{"s3://b/": {"access_key": "hush"}}')
    with pytest.raises(Fatal, match=r"stores\.json cannot be read") as told:
        credentials.read(file)
    assert "hush" not in str(told.value)
    assert credentials.read(tmp_path / "absent") == {}


def test_a_store_is_what_its_url_says(tmp_path: Path) -> None:
    store = open_store(s3_url("b", "http://h:1", prefix="p/q", region="r"))
    assert store.url == "s3://b/p/q?endpoint=http%3A%2F%2Fh%3A1&region=r"
    assert store.place(KEY) == f"s3://b/p/q/{KEY}"
    assert open_store(tmp_path.as_uri()).place(KEY) == str(tmp_path / KEY)
    with pytest.raises(Fatal, match="names no storage"):
        open_store("ftp://somewhere")
    with pytest.raises(BadInput, match="lie in no folder"):
        stored_path(Ref(store.url, KEY))
