"""What S3 adds: one conditional put, services that lack the condition, and refusals in words."""

from __future__ import annotations

import io
import os
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lake.checksums import checksums
from lake.errors import BadInput, Fatal, Reason, Retriable
from lake.storage import credentials, s3
from lake.storage.credentials import Credentials
from lake.storage.opening import open_store, stored_path
from lake.storage.s3 import S3Store, s3_url
from lake.storage.store import LOST_AND_FOUND, Ref, key_of
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


def test_one_request_takes_five_gibibytes_as_s3_says(objects: Objects) -> None:
    store = objects.store(secrets.token_hex(6))
    beyond = checksums(b"x")._replace(size=5 * 1024**3 + 1)
    with pytest.raises(BadInput, match=f"{beyond.size} bytes, at most {5 * 1024**3}") as refusal:
        store.put(KEY, b"x", beyond)
    assert refusal.value.file == "a.fits"


def test_bytes_that_are_not_those_summed_never_become_an_object(objects: Objects) -> None:
    store = objects.store(secrets.token_hex(6))
    with pytest.raises((Fatal, Retriable)):
        store.put(KEY, b"abd", checksums(b"abc"))
    assert store.stat(KEY) is None


class Heedless(BaseHTTPRequestHandler):
    """A service that takes everything, whatever the condition: of those of `heeds` alone none holds."""

    protocol_version = "HTTP/1.1"
    heeds: tuple[str, ...] = ()
    seen: set[tuple[str, str]]

    def _take(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # What has no condition of its own, or is asked with that of the probe's first write, goes through.
        unmet = any(name in self.headers for name in self.heeds) and (self.command, self.path) in self.seen
        self.seen.add((self.command, self.path))
        self.send_response(412 if unmet else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_DELETE = do_HEAD = _take  # noqa: N815 - as http.server names them

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def service(heeds: tuple[str, ...], folder: Path) -> Iterator[S3Store]:
    """A store in a service that heeds some conditions only."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    handler = type("Handler", (Heedless,), {"heeds": heeds, "seen": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = s3_url("bucket", f"http://127.0.0.1:{server.server_port}")
    file = folder / "stores.json"
    file.write_text(credentials.as_text({url: Credentials("a", "b")}))
    credentials.use(file)
    try:
        yield S3Store(url)
    finally:
        server.shutdown()
        server.server_close()


def test_a_service_that_does_not_heed_conditions_is_refused_and_named(tmp_path: Path) -> None:
    with service((), tmp_path) as store:
        for attempt in (lambda: store.put(KEY, b"abc"), store.try_out):
            with pytest.raises(Fatal, match="does not heed the condition If-None-Match") as refusal:
                attempt()
            assert store.url in str(refusal.value)
        with pytest.raises(Fatal, match="does not heed the condition If-Match"):
            store.set_aside(KEY)


def test_a_service_is_trusted_with_what_it_heeds_and_no_more(tmp_path: Path) -> None:
    with service(("If-None-Match",), tmp_path) as store:
        assert store.put(KEY, b"abc").adopted is False
        store.try_out()
        for attempt in (
            lambda: store.set_aside(KEY),
            lambda: store.put_back(KEY, checksums(b"abc"), lambda: [b"abc"]),
        ):
            with pytest.raises(Fatal, match="does not heed the condition If-Match"):
                attempt()


def test_trying_a_service_out_leaves_nothing_behind(objects: Objects) -> None:
    store = objects.store(secrets.token_hex(6))
    store.try_out()
    assert [*store.scan(), *store.scan(LOST_AND_FOUND)] == []


def test_a_listing_of_many_pages_is_read_to_its_end(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = objects.store(secrets.token_hex(6))
    names = [key_of("s", f"{number}.fits") for number in range(5)]
    for name in names:
        store.put(name, name.encode())
    genuine, pages = store._wire.call, []

    def in_small_pages(method: str, **arguments: object) -> dict[str, object]:
        pages.append(method)
        return genuine(method, MaxKeys=2, **arguments)

    monkeypatch.setattr(store._wire, "call", in_small_pages)
    assert sorted(found.path for found in store.scan()) == sorted(names)
    assert {found.path: found.size for found in store.scan("s")} == {name: len(name) for name in names}
    assert pages == ["list_objects_v2"] * 6


def test_a_bucket_is_made_where_there_is_none(objects: Objects) -> None:
    store = objects.store("x", bucket=f"made-{secrets.token_hex(6)}")
    assert not store.answers()
    for _ in range(2):
        store.make_bucket()
        assert store.answers()
    assert list(store.scan()) == []


def test_an_object_is_a_file_that_is_read_where_it_is_asked(objects: Objects) -> None:
    store = objects.store(secrets.token_hex(6))
    store.put(KEY, b"0123456789")
    with store.open(KEY) as file:
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
        assert (file.read(3), file.tell()) == (b"012", 3)
        assert (file.seek(2, os.SEEK_CUR), file.read(2)) == (5, b"56")
        assert (file.seek(-1, os.SEEK_END), file.read(9), file.read(9)) == (9, b"9", b"")
        assert file.seek(20) == 20
        assert file.read() == b""
    buffered = store.open(KEY)
    assert isinstance(buffered, io.BufferedReader)
    assert buffered.detach().seek(-5) == 0, "a file begins at its beginning"


def test_an_object_that_was_replaced_or_removed_is_not_read_on(objects: Objects) -> None:
    store = objects.store(secrets.token_hex(6))
    store.put(KEY, b"0123456789")
    replaced, removed = store.open(KEY), store.open(KEY)
    store.remove(KEY)
    with pytest.raises(BadInput) as refusal:
        removed.read()
    assert refusal.value.code is Reason.MISSING_FILE
    store.put(KEY, b"abcdefghij")
    with pytest.raises(Retriable, match="was replaced while it was read"):
        replaced.read()


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


def test_a_signed_address_opens_one_object_for_a_while_and_no_other(objects: Objects) -> None:
    store = objects.store(secrets.token_hex(6))
    key, other = key_of("s", "a.fits"), key_of("s", "b.fits")
    for one in (key, other):
        store.put(one, one.encode())
    url = store.signed(key, 60, 'a"\n.fits', "")
    assert url is not None
    with urllib.request.urlopen(url) as answer:  # noqa: S310
        assert answer.read() == key.encode()
        assert answer.headers["Content-Disposition"] == 'attachment; filename="a__.fits"'
    for wrong in (url.replace("a.fits", "b.fits"), url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")):
        assert wrong != url
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(wrong)  # noqa: S310
    elsewhere = store.signed(key, 60, "a.fits", "https://s3.example.org")
    assert elsewhere is not None
    assert elsewhere.startswith("https://s3.example.org/heliolake/")


def test_a_store_is_what_its_url_says(tmp_path: Path) -> None:
    store = open_store(s3_url("b", "http://h:1", prefix="p/q", region="r"))
    assert store.url == "s3://b/p/q?endpoint=http%3A%2F%2Fh%3A1&region=r"
    assert store.place(KEY) == f"s3://b/p/q/{KEY}"
    assert open_store(tmp_path.as_uri()).place(KEY) == str(tmp_path / KEY)
    with pytest.raises(Fatal, match="names no storage"):
        open_store("ftp://somewhere")
    with pytest.raises(BadInput, match="lie in no folder"):
        stored_path(Ref(store.url, KEY))
