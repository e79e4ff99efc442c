"""Scripts that fetch files and go on where they broke off: for a shell with curl or wget, and in Python.

A token is read from the environment, and is no word of a command, which everybody on the machine could see.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

By = Literal["curl", "wget", "python"]
MEDIA: Final = {"curl": "text/x-shellscript", "wget": "text/x-shellscript", "python": "text/x-python"}


class Wanted(NamedTuple):
    """A file to be fetched: where to, from where, and its sum; or why it is not to be had.

    Without a path it stands for all that this script leaves to the next, which is where `url` says.
    """

    path: str
    url: str
    sha256: str
    refused: str = ""


#: How each fetches a file and goes on where it broke off, with what is secret in a private file.
_SHELL: Final = {
    "curl": ('header = \\"Authorization: Bearer %s\\"', "curl -fsS --retry 3 -C - -K", "-o"),
    "wget": ("header = Authorization: Bearer %s", "wget -q -c --config", "-O"),
}
_HEAD: Final = """#!/bin/sh
# Fetches {what} into the folder where it runs, goes on where it broke off, and compares the sums.
# What is not public: HELIOLAKE_TOKEN=hlk_... sh {by}.sh
set -eu
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
if [ -n "${{HELIOLAKE_TOKEN:-}}" ]; then printf "{setting}\\n" "$HELIOLAKE_TOKEN" > "$settings"; fi
fetch() {{
  mkdir -p "$(dirname "$1")"
  # What is there whole is left alone: some servers have no answer to a range behind the end.
  if [ -f "$1" ] && printf '%s  %s\\n' "$3" "$1" | sha256sum -c --status -; then echo "$1: OK"; return; fi
  {command} "$settings" {output} "$1" "$2"
  printf '%s  %s\\n' "$3" "$1" | sha256sum -c -
}}
"""
_PYTHON: Final = '''#!/usr/bin/env python3
"""Fetches {what} into the folder where it runs, goes on where it broke off, and compares the sums.

What is not public: HELIOLAKE_TOKEN=hlk_... python3 fetch.py
"""
import hashlib, os, pathlib, sys, urllib.error, urllib.request

TOKEN = os.environ.get("HELIOLAKE_TOKEN", "")
WRONG = []


def whole(path, sha256):
    """Whether a file has the right bytes."""
    if not path.is_file():
        return False
    sums = hashlib.sha256()
    with path.open("rb") as there:
        while block := there.read(1 << 20):
            sums.update(block)
    return sums.hexdigest() == sha256


def fetch(name, url, sha256):
    """One file, from where it broke off."""
    path = pathlib.Path(name)
    if whole(path, sha256):
        print(name + ": OK")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    there = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={{"Range": "bytes=%d-" % there}} if there else {{}})
    if TOKEN:
        request.add_header("Authorization", "Bearer " + TOKEN)
    try:
        with urllib.request.urlopen(request) as answer:
            with part.open("ab" if answer.status == 206 else "wb") as target:
                while block := answer.read(1 << 20):
                    target.write(block)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            WRONG.append(name)
            print("%s: %s %s" % (name, error.code, error.reason), file=sys.stderr)
            return
    if not whole(part, sha256):
        part.unlink(missing_ok=True)
        WRONG.append(name)
        print(name + ": other bytes than it should have", file=sys.stderr)
        return
    part.replace(path)
    print(name + ": OK")


def files():
    """Path, address and sha256 of each."""
'''
_NEXT: Final = "More match than this script fetches: the next one is at {url}"
_PYTHON_END: Final = """

for one in files():
    fetch(*one)
sys.exit(1 if WRONG else 0)
"""


def script(what: str, files: Iterator[Wanted], by: By) -> Iterator[str]:
    """The lines of a script.

    Parameters
    ----------
    what
        What it fetches, in a word.
    files
        In their order.
    by
        What fetches.
    """
    return _python(what, files) if by == "python" else _shell(what, files, by)


def safe(path: str) -> str:
    """A path below here, whatever comes: names of the lake begin with a letter or digit and hold no slash."""
    kept = path.replace("\\", "_").replace("\n", "_").split("/")
    return "/".join(part.lstrip("-.") or "_" for part in kept)


def _shell(what: str, files: Iterator[Wanted], by: str) -> Iterator[str]:
    setting, command, output = _SHELL[by]
    yield _HEAD.format(what=what, by=by, setting=setting, command=command, output=output)
    for file in files:
        if not file.path:
            yield f"echo {shlex.quote(_NEXT.format(url=file.url))} >&2\n"
        elif file.refused:
            yield f"# not to be had: {json.dumps(file.path)}: {json.dumps(file.refused)}\n"
        else:
            yield f"fetch {shlex.quote(safe(file.path))} {shlex.quote(file.url)} {file.sha256}\n"


def _python(what: str, files: Iterator[Wanted]) -> Iterator[str]:
    yield _PYTHON.format(what=what)
    for file in files:
        if not file.path:
            yield f"    print({json.dumps(_NEXT.format(url=file.url))}, file=sys.stderr)\n"
        elif file.refused:
            yield f"    # not to be had: {json.dumps(file.path)}: {json.dumps(file.refused)}\n"
        else:
            yield f"    yield {json.dumps([safe(file.path), file.url, file.sha256])}\n"
    yield "    return\n"
    yield _PYTHON_END
