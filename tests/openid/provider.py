"""npm's `oidc-provider` in a process of its own, started and stopped by tests."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from tests import npm

HERE = Path(__file__).resolve().parent
_FILES = ("package.json", "package-lock.json", "provider.mjs")


def require() -> None:
    """Skip the test that asks, with the reason, where the provider cannot be had."""
    reason = npm.absent()
    if not reason:
        try:
            install()
        except subprocess.CalledProcessError as error:
            reason = f"npm cannot install it: {error.stderr.decode(errors='replace').strip()[-200:]}"
    if reason:
        pytest.skip(f"The tests with a real OpenID provider need node and npm. {reason}")


def install() -> Path:
    """The folder it is installed in; made at first use.

    Raises
    ------
    subprocess.CalledProcessError
        When npm cannot install it.
    """
    return npm.install(HERE, _FILES)


class OpenIdProvider:
    """A provider that runs within a ``with`` block.

    Parameters
    ----------
    folder
        Where its file of people may lie.
    people
        Claims of each who may log in.
    behind
        How many seconds its clock is behind.
    sparing
        Whether claims are told at userinfo alone, and not in tokens.
    """

    def __init__(
        self, folder: Path, people: Mapping[str, Any], behind: int = 0, *, sparing: bool = False
    ) -> None:
        self.people_file = folder / f"people-{behind}.json"
        self.behind, self.sparing = behind, sparing
        self.let_in(people)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.issuer = f"http://127.0.0.1:{self.port}"

    def let_in(self, people: Mapping[str, Any]) -> None:
        """Who may log in from now on, with which claims."""
        self.people_file.write_text(json.dumps(people))

    def start(self) -> None:
        """Start it, with keys of its own; it forgets whatever was before."""
        words = ["node", "provider.mjs", str(self.port), str(self.people_file), str(self.behind)]
        words += ["sparing"] if self.sparing else []
        self.process = subprocess.Popen(
            words,
            cwd=install(),
            stdin=subprocess.PIPE,  # it ends with us, however we end
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert "ready\n" in iter(self.process.stdout.readline, ""), "the provider did not start"

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.communicate()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
