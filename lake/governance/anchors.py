"""Heads of the audit trail kept outside the database, and exported trails; the trail itself is `audit`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from lake.errors import BadInput, Reason, Retriable
from lake.governance.chain import Anchor, Entry, Unreadable

_PATIENCE: Final = 30.0  # seconds for whoever keeps anchors to answer


def append(path: Path, anchor: Mapping[str, Any]) -> None:
    """Write an anchor behind those a file holds, one a line."""
    with path.open("a+b") as stream:
        torn = False
        if stream.tell() > 0:
            stream.seek(-1, os.SEEK_END)
            torn = stream.read(1) != b"\n"  # a writer before died: its line is not to spoil this one
        stream.write(b"\n" * torn + json.dumps(anchor).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def send(url: str, anchor: Mapping[str, Any]) -> None:
    """Send an anchor to an address by POST, as JSON.

    Raises
    ------
    BadInput
        When it is no such address, or the answer is not that it was taken.
    Retriable
        When nobody answers.
    """
    shown = urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2], query="").geturl()
    if urlsplit(url).scheme not in ("http", "https"):
        raise BadInput("anchors are sent to addresses of http or https", keyword="--url", found=shown)
    try:
        answer = requests.post(url, json=dict(anchor), timeout=_PATIENCE, allow_redirects=False)
    except requests.RequestException as error:
        raise Retriable(
            f"{shown} does not answer ({type(error).__name__}); the anchor was not kept there. "
            "Try again with the same `heliolake audit anchor`, or write it to a file with -o."
        ) from None
    if not requests.codes.ok <= answer.status_code < requests.codes.multiple_choices:
        raise BadInput(
            f"{shown} did not take the anchor",
            keyword="status",
            found=answer.status_code,
            advice="it must take a POST of JSON and answer 2xx.",
        )


def read(path: Path) -> list[Anchor]:
    """The anchors of a file.

    Raises
    ------
    BadInput
        When it is no file of anchors.
    """
    found = []
    for number, text in _lines(path):
        try:
            one = json.loads(text)
            if type(one["number"]) is not int or one["number"] < 0:
                raise ValueError(one["number"])
            found.append(Anchor(one["number"], str(one["hash"]), str(one.get("anchored", ""))))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadInput(
                f"line {number} is no anchor",
                file=str(path),
                advice="name a file that `heliolake audit anchor -o FILE` wrote.",
            ) from None
    if not found:
        raise BadInput("there is no anchor in it", file=str(path), advice="name another file.")
    return found


def exported(path: Path) -> Iterator[Entry | Unreadable]:
    """The entries of an exported trail, one after another."""
    for number, text in _lines(path):
        try:
            yield Entry.from_json(json.loads(text))
        except (ValueError, KeyError, TypeError):
            yield Unreadable(number)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for number, text in enumerate(stream, 1):
                if text.strip():
                    yield number, text
    except OSError as error:
        raise BadInput(
            f"it cannot be read: {error.strerror}", file=str(path), code=Reason.MISSING_FILE
        ) from error
