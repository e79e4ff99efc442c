"""Requests to an S3 service, and its refusals in the words of the lake."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from lake.errors import Fatal, HeliolakeLakeError, Retriable
from lake.storage import credentials

#: Seconds to wait for a connection, and for a sign of life on one.
_CONNECT, _READ = 5, 60
_TRIES: Final = 3
_UNMET: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412"}
_ABSENT: Final = {"NoSuchKey", "404", "NotFound"}
_DENIED: Final = {
    "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
    "AllAccessDisabled", "401", "403",
}  # fmt: skip
_FULL: Final = {"InsufficientStorage", "XMinioStorageFull", "QuotaExceeded", "507"}
_INSTALL: Final = "pip install 'heliolake[s3]'"


class Unmet(HeliolakeLakeError):
    """The condition of a request did not hold."""


class Absent(HeliolakeLakeError):
    """There is nothing under the key."""


class Wire:
    """A connection to one bucket, opened when it is first used, and again in a forked process.

    Parameters
    ----------
    store
        URL of the store, by which its credentials are found.
    endpoint
        Address of the service, '' for AWS.
    region
        Of the bucket.
    bucket
        Its name.
    """

    def __init__(self, store: str, endpoint: str, region: str, bucket: str) -> None:
        self._store, self._endpoint, self._region, self._bucket = store, endpoint, region, bucket
        self._opened: tuple[int, Any] | None = None
        self._signing: dict[tuple[int, str], Any] = {}

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Ask once (and again where nothing was answered) for what the S3 API calls so.

        Raises
        ------
        Unmet, Absent
            When a condition did not hold, or there is no such key.
        Retriable, Fatal
            When the service fails, or refuses us.
        """
        files = self._files
        for again in range(_TRIES, 0, -1):
            if "Body" in arguments and hasattr(arguments["Body"], "seek"):
                arguments["Body"].seek(0)  # what a try before this one had sent
            try:
                with self._translated():
                    answer: dict[str, Any] = files.call_s3(method, Bucket=self._bucket, **arguments)
            except Retriable:
                if again == 1:
                    raise
                time.sleep(0.3)
            else:
                return answer
        raise AssertionError

    def read(self, key: str, start: int, end: int, etag: str) -> bytes:
        """Bytes of a range, all of one version of the object; raises as `call`."""
        return self.read_several(key, [(start, end)], etag)[0]

    def read_several(self, key: str, spans: Sequence[tuple[int, int]], etag: str) -> list[bytes]:
        """Bytes of several ranges, asked for at once; raises as `call`."""
        from fsspec.asyn import sync

        files = self._files
        whose = {"Bucket": self._bucket, "Key": key, "IfMatch": etag}
        wanted = [whose | {"Range": f"bytes={start}-{end - 1}"} for start, end in spans]
        for again in range(_TRIES, 0, -1):
            try:
                with self._translated():
                    data: list[bytes] = sync(files.loop, _bodies, files, wanted)
            except Retriable:
                if again == 1:
                    raise
            else:
                return data
        raise AssertionError

    def signed(self, key: str, seconds: int, endpoint: str, said: dict[str, str]) -> str:
        """An address at which an object is read for so many seconds; nothing is asked of the service.

        Parameters
        ----------
        key, seconds
            Which, and how long.
        endpoint
            Address of the service for those who read it: it is part of what is signed.
        said
            Headers that the service is to answer with.
        """
        mine = (os.getpid(), endpoint or self._endpoint)
        if mine not in self._signing:
            self._signing[mine] = self._open(mine[1], signature_version="s3v4")
        with self._translated():
            url: str = self._signing[mine].url(f"{self._bucket}/{key}", expires=seconds, **said)
        return url

    @property
    def _files(self) -> Any:
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), self._open(self._endpoint))
        return self._opened[1]

    def _open(self, endpoint: str, **config: Any) -> Any:
        try:
            from s3fs import S3FileSystem
        except ImportError as error:
            raise Fatal(f"{self._store} lies in S3, and s3fs is not installed. Run: {_INSTALL}") from error
        known = credentials.find(self._store)
        files = S3FileSystem(
            key=known.access_key if known else None,
            secret=known.secret_key if known else None,
            endpoint_url=endpoint or None,
            client_kwargs={"region_name": self._region} if self._region else {},
            config_kwargs={
                "connect_timeout": _CONNECT,
                "read_timeout": _READ,
                "retries": {"max_attempts": 2, "mode": "standard"},
                "proxies": {} if "//127.0.0.1" in endpoint else None,
                "s3": {"addressing_style": "path"} if endpoint else {},
                **config,
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        files.retries = 1  # its own would send the rest of a body for the whole
        return files

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except HeliolakeLakeError:
            raise
        except Exception as error:
            raise self._in_our_words(error) from error

    def _in_our_words(self, error: Exception) -> HeliolakeLakeError:
        where = f"The S3 storage {self._endpoint or 'of AWS'} (bucket {self._bucket})"
        code, said = _code(error), str(error)
        if code in _UNMET:
            return Unmet(said)
        if code == "NoSuchBucket":
            return self.no_bucket()
        if code in _ABSENT:
            return Absent(said)
        if code in _DENIED or type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
            return Fatal(f"{where} refuses us: {said}. Check the access key and its permissions.")
        if code in _FULL:
            return Fatal(f"{where} is full: {said}. Free some space and run again.")
        if (code and code.startswith("4")) or code.startswith("Invalid"):
            return Fatal(f"{where} refuses the request: {said}.")
        what = said or type(error).__name__
        return Retriable(f"{where} failed: {what}. Try again; check that it runs if it stays so.")

    def no_bucket(self) -> Fatal:
        """What to say where the bucket itself is missing."""
        return Fatal(
            f"The S3 storage {self._endpoint or 'of AWS'} has no bucket {self._bucket}. "
            "Make it if it is new; check the address if it is not."
        )


async def _bodies(files: Any, wanted: list[dict[str, Any]]) -> list[bytes]:
    return await asyncio.gather(*(_body(files, one) for one in wanted))


async def _body(files: Any, wanted: dict[str, Any]) -> bytes:
    answer = await files._call_s3("get_object", **wanted)
    async with answer["Body"] as body:
        data: bytes = await body.read()
    return data


def _code(error: BaseException) -> str:
    """What the service called its refusal, '' where it said nothing."""
    seen: BaseException | None = error
    while seen is not None:
        answer = getattr(seen, "response", None)
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code", ""))
        seen = seen.__cause__
    return ""
