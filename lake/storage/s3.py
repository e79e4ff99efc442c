"""Bytes under their final key in an S3 bucket, whole or not at all.

An object appears by one conditional PUT of all its bytes (`If-None-Match: *`), which of several writers
exactly one wins. The completion of a multipart upload is not atomic (measured), so nothing is ever uploaded
in parts; and nothing is read to decide whether to write. A service that ignores the conditions is refused.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import math
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from lake.checksums import Checksums, Summer, checksums
from lake.errors import BadInput, Fatal, HeliolakeLakeError, Reason, Retriable
from lake.storage.cache import Cache, spooled
from lake.storage.store import (
    BESIDE,
    LOST_AND_FOUND,
    Data,
    Found,
    PutBack,
    Ref,
    Stored,
    changed_meanwhile,
    check_key,
    conflict,
    gone,
    not_those,
    other_bytes,
)
from lake.storage.verify import is_whole, sums_of
from lake.storage.wire import Absent, Unmet, Wire

_LARGEST: Final = 5 << 30
_RANGE: Final = 8 << 20  # bytes of one request
_AT_ONCE: Final = 16  # requests for parts of one object
_HEADER: Final = 1 << 18  # bytes read ahead of who looks at the beginning of a file
_NAMESAKES: Final = 1000
_SEEN: Final = 60.0  # seconds for which a bucket that was there is thought to be


def s3_url(bucket: str, endpoint: str = "", *, prefix: str = "", region: str = "") -> str:
    """The URL of a store in S3: ``s3://BUCKET/PREFIX?endpoint=ADDRESS&region=REGION``."""
    query = urlencode({name: value for name, value in (("endpoint", endpoint), ("region", region)) if value})
    return f"s3://{bucket}/{quote(prefix.strip('/'))}" + (f"?{query}" if query else "")


class S3Store:
    """A bucket, or what begins with a prefix in it; see `lake.storage.store.Store`.

    Parameters
    ----------
    url
        As `s3_url` makes it. Credentials are found by it (`lake.storage.credentials`), never in it.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._url = url
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        self._wire = Wire(url, options.get("endpoint", ""), options.get("region", ""), self._bucket)
        self._lacks: tuple[str, ...] | None = None
        self._seen = -math.inf

    def __repr__(self) -> str:
        return f"S3Store({self._url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return S3Store, (self._url,)

    @property
    def url(self) -> str:
        """As it was given."""
        return self._url

    @property
    def scratch(self) -> Path | None:
        """None: a bucket holds no nameless files."""
        return None

    def answers(self) -> bool:
        """As `Store.answers`."""
        try:
            self._see_bucket()
        except HeliolakeLakeError:
            return False
        return True

    def place(self, key: str) -> str:
        """``s3://BUCKET/KEY``."""
        return f"s3://{self._bucket}/{self._prefix}{check_key(key)}"

    def put(self, key: str, data: Data, sums: Checksums | None = None) -> Stored:
        """As `Store.put`."""
        sums = sums or checksums(data)
        return self._put(key, lambda: io.BytesIO(data), sums)

    def put_windows(self, key: str, parts: Iterable[Data], sums: Checksums) -> Stored:
        """As `Store.put_windows`; the bytes wait in a file of this machine until they have proved right."""
        with spooled() as waiting:
            if _fill(waiting, parts) != sums:
                raise changed_meanwhile(key)
            return self._put(key, lambda: _again(waiting), sums)

    def _put(self, key: str, body: Callable[[], IO[bytes]], sums: Checksums) -> Stored:
        while True:
            try:
                self._commit(key, body(), sums, IfNoneMatch="*")
            except Unmet:
                with contextlib.suppress(_Gone):
                    return self._adopt(key, sums)
            else:
                return Stored(key, sums, adopted=False)

    def _commit(self, key: str, body: IO[bytes], sums: Checksums, **condition: str) -> None:
        """The one request that makes an object; the service compares its bytes with their sha256.

        Raises
        ------
        Unmet
            When the condition does not hold; nothing is written then.
        """
        if sums.size > _LARGEST:
            raise BadInput(
                "the file is larger than an S3 storage takes in one piece, and pieces cannot be put together "
                "atomically",
                file=key.rpartition("/")[2],
                found=f"{sums.size} bytes, at most {_LARGEST}",
                advice="split it, or keep it in a storage of the kind posix",
                code=Reason.TOO_LARGE,
            )
        self._require("If-None-Match" if "IfNoneMatch" in condition else "If-Match")
        digest = base64.b64encode(bytes.fromhex(sums.sha256)).decode()
        # Given no length, the client would upload a file in chunks of its own.
        arguments = {"Body": body, "ContentLength": sums.size, "ChecksumSHA256": digest}
        self._wire.call("put_object", Key=self._key(key), **arguments, **condition)

    def _adopt(self, key: str, sums: Checksums) -> Stored:
        try:
            there = sums_of(self, key)
        except _Changed as error:
            raise _Gone from error
        except BadInput as error:
            if error.code is not Reason.MISSING_FILE:
                raise
            raise _Gone from error
        if there != sums:
            raise conflict(key, sums, there)
        return Stored(key, sums, adopted=True)

    def put_back(self, key: str, expected: Checksums, blocks: Callable[[], Iterable[Data]]) -> PutBack:
        """As `Store.put_back`."""
        while True:
            before = self._head(key)
            with contextlib.suppress(_Changed):
                if before is not None and is_whole(self, key, expected):
                    return PutBack("whole")
            with spooled() as waiting:
                if _fill(waiting, blocks()) != expected:
                    raise not_those(key)
                with contextlib.suppress(Unmet, Absent):
                    if before is None:
                        self._commit(key, _again(waiting), expected, IfNoneMatch="*")
                        return PutBack("missing")
                    kept = self._keep(key, before)
                    self._commit(key, _again(waiting), expected, IfMatch=before["ETag"])
                    return PutBack("damaged", kept)
            # Another process changed what lies there meanwhile: look again.

    def stat(self, key: str) -> Found | None:
        """As `Store.stat`."""
        found = self._head(key)
        return None if found is None else _found(key, found["ContentLength"], found)

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """As `Store.read`."""
        return b"".join(self._ranges(key, start, size))

    def blocks(self, key: str) -> Iterator[bytes]:
        """As `Store.blocks`."""
        yield from self._ranges(key, 0, None)

    @property
    def gap(self) -> int:
        """What comes in the time that a request takes."""
        return 1 << 16

    def stretches(self, key: str, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """As `Store.stretches`."""
        found = self._head(key)
        if found is None:
            raise gone(self.place(key))
        whole = found["ContentLength"]
        within = [(min(start, whole), min(whole, start + size)) for start, size in spans]
        for several in _batches(within):
            there = [(start, end) for start, end in several if start < end]
            with self._telling(key):
                data = iter(self._wire.read_several(self._key(key), there, found["ETag"]))
            yield from (next(data) if start < end else b"" for start, end in several)

    def open(self, key: str) -> BinaryIO:
        """As `Store.open`."""
        found = self._head(key)
        if found is None:
            raise gone(self.place(key))
        return io.BufferedReader(_Object(self, key, found), _HEADER)

    def signed(self, key: str, seconds: int, name: str, endpoint: str) -> str | None:
        """As `Store.signed`."""
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        said = {
            "ResponseContentDisposition": f'attachment; filename="{plain}"',
            "ResponseContentType": "application/fits",
            "ResponseCacheControl": "private, no-store",
        }
        return self._wire.signed(self._key(key), seconds, endpoint, said)

    @contextlib.contextmanager
    def local(self, ref: Ref) -> Iterator[Path]:
        """As `Store.local`: a copy in the cache of this machine."""
        found = self._head(ref.key)
        if found is None:
            raise gone(self.place(ref.key))
        # What a registered file holds never changes; another one is known by its version for the service.
        name = ref.sha256 or hashlib.sha256(f"{self._url} {ref.key} {found['ETag']}".encode()).hexdigest()
        whole = partial(self._given, ref.key, found, 0, found["ContentLength"])
        with Cache.usual().copy(name, ref.sha256, whole, found["ContentLength"]) as (path, sha256):
            if sha256 != ref.sha256:
                raise other_bytes(ref, sha256)
            yield path

    def scan(self, below: str = "") -> Iterator[Found]:
        """As `Store.scan`; a bucket has no leftovers, for an object is there when its bytes are."""
        prefix = f"{self._key(below)}/" if below else self._prefix
        hidden = tuple(f"{one}/" for one in BESIDE if not below.startswith(one))
        more: dict[str, str] = {}
        while True:
            answer = self._wire.call("list_objects_v2", Prefix=prefix, **more)
            for one in answer.get("Contents", ()):
                key = one["Key"].removeprefix(self._prefix)
                if not key.startswith(hidden):
                    yield _found(key, one["Size"], one)
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def set_aside(self, key: str) -> str:
        """As `Store.set_aside`."""
        while (before := self._head(key)) is not None:
            self._require("If-Match")
            with contextlib.suppress(Unmet, Absent):
                kept = self._keep(key, before)
                self._wire.call("delete_object", Key=self._key(key), IfMatch=before["ETag"])
                return kept
        raise gone(self.place(key))

    def remove(self, key: str) -> None:
        """As `Store.remove`."""
        self._wire.call("delete_object", Key=self._key(key))

    def _keep(self, key: str, before: dict[str, Any]) -> str:
        """Copy an object to the lost and found, unless a repair that died here had.

        Raises
        ------
        Unmet, Absent
            When it is not the one that was looked at any more.
        """
        with spooled() as waiting:
            sums = _fill(waiting, self._span(key, before, 0, before["ContentLength"]))
            for number in range(_NAMESAKES):
                kept = f"{LOST_AND_FOUND}/{key}" + (f".{number}" if number else "")
                try:
                    return self._put(kept, lambda: _again(waiting), sums).key
                except BadInput as error:
                    if error.code is not Reason.NAME_CONFLICT:
                        raise
        raise Fatal(f"{self.place(kept)} and many like it are taken. Look through them, and remove some.")

    def make_bucket(self) -> None:
        """Make the bucket of a new store; nothing where it is there."""
        try:
            self._see_bucket()
        except Fatal:
            self._wire.call("create_bucket")

    def try_out(self) -> None:
        """Write an object and remove it again.

        Raises
        ------
        Retriable, Fatal
            When the service does not take it, or heeds no conditions.
        """
        self._lacks = None
        self._require("If-None-Match")

    def _key(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            return self._wire.call("head_object", Key=self._key(key))
        except Absent:
            if time.monotonic() - self._seen > _SEEN:  # the answer is the same where there is no bucket
                self._see_bucket()
            return None

    def _see_bucket(self) -> None:
        try:
            self._wire.call("head_bucket")
        except Absent:
            raise self._wire.no_bucket() from None
        self._seen = time.monotonic()

    def _ranges(self, key: str, start: int, size: int | None) -> Iterator[bytes]:
        found = self._head(key)
        if found is None:
            raise gone(self.place(key))
        whole = found["ContentLength"]
        yield from self._given(key, found, start, whole if size is None else min(whole, start + size))

    def _given(self, key: str, found: dict[str, Any], start: int, end: int) -> Iterator[bytes]:
        """As `_span`, for those outside."""
        with self._telling(key):
            yield from self._span(key, found, start, end)

    @contextlib.contextmanager
    def _telling(self, key: str) -> Iterator[None]:
        """Tell those outside what became of an object that was there."""
        try:
            yield
        except Absent as error:
            raise gone(self.place(key)) from error
        except Unmet as error:
            raise _Changed(f"{self.place(key)} was replaced while it was read. Try again.") from error

    def _span(self, key: str, found: dict[str, Any], start: int, end: int) -> Iterator[bytes]:
        """Bytes of the version that was found, and of no other."""
        for position in range(start, end, _RANGE):
            upto = min(position + _RANGE, end)
            yield self._wire.read(self._key(key), position, upto, found["ETag"])

    def _require(self, condition: str) -> None:
        """Refuse a service that takes a condition and does not heed it.

        Raises
        ------
        Fatal
            Saying which, and what it lacks.
        """
        if self._lacks is None:
            self._lacks = tuple(self._tried())
        if condition in self._lacks:
            raise Fatal(
                f"The S3 storage {self._url} does not heed the condition {condition}: two writers could "
                "destroy each other's bytes. Use a service with conditional writes, or a storage of the kind "
                "posix."
            )

    def _tried(self) -> Iterator[str]:
        """The conditions that the service does not heed, found out with an object of our own."""
        name = {"Key": f"{self._prefix}{LOST_AND_FOUND}/.probe-{secrets.token_hex(8)}"}
        self._wire.call("put_object", Body=b"1", IfNoneMatch="*", **name)
        try:
            if self._takes("put_object", Body=b"2", IfNoneMatch="*", **name):
                yield "If-None-Match"
            other = f'"{0:032}"'
            if self._takes("put_object", Body=b"3", IfMatch=other, **name) or self._takes(
                "delete_object", IfMatch=other, **name
            ):
                yield "If-Match"
        finally:
            self._wire.call("delete_object", **name)

    def _takes(self, method: str, **arguments: Any) -> bool:
        try:
            self._wire.call(method, **arguments)
        except Unmet:
            return False
        return True


class _Gone(Exception):
    """What was in the way is not any more."""


class _Changed(Retriable):
    """An object became another one between two looks at it."""


class _Object(io.RawIOBase):
    """An object as a file to be read; a range of it is fetched when it is asked for."""

    def __init__(self, store: S3Store, key: str, found: dict[str, Any]) -> None:
        self._store, self._of, self._found = store, key, found
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._found["ContentLength"]}
        self._position = max(0, start[whence] + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._found["ContentLength"])
        data = b"".join(self._store._given(self._of, self._found, self._position, end))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _found(key: str, size: int, answer: dict[str, Any]) -> Found:
    return Found(key, size, answer["LastModified"].timestamp())


def _batches(spans: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Spans that are asked for at once: some requests, and no more bytes than are held for one who asks."""
    batch: list[tuple[int, int]] = []
    for span in spans:
        if batch and (len(batch) == _AT_ONCE or sum(b - a for a, b in (*batch, span)) > _RANGE):
            yield batch
            batch = []
        batch.append(span)
    if batch:
        yield batch


def _fill(waiting: IO[bytes], blocks: Iterable[Data]) -> Checksums:
    summer = Summer()
    for block in blocks:
        summer.add(block)
        waiting.write(block)
    return summer.result()


def _again(waiting: IO[bytes]) -> IO[bytes]:
    waiting.seek(0)
    return waiting
