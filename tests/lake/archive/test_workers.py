"""Several processes serve one archive: one that is lost is replaced, and none outlives the command."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable

import psutil
import pytest

from cluster.home.home import Home
from tests.conftest import HOUSE


def until(fact: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not fact():
        assert time.monotonic() - begun < 120
        time.sleep(0.1)


def asked(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/api/v1/ready", timeout=60) as answer:  # noqa: S310
            return bool(json.load(answer) == {"status": "ok"})
    except OSError:
        return False


@pytest.mark.slow
def test_a_process_that_is_lost_is_replaced_and_all_end_with_the_command(home: Home) -> None:
    line = [sys.executable, "-c", "from heliolake.cli import main; main()", "--home", str(home.path)]
    with subprocess.Popen(
        [*line, "serve", "--port", "0", "--workers", "2"], stdout=subprocess.PIPE, text=True, cwd=HOUSE
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[4].removesuffix("/;")
        parent = psutil.Process(process.pid)
        try:
            assert asked(address)
            first, second = parent.children()
            first.kill()
            until(lambda: len({one.pid for one in parent.children() if one.is_running()} - {first.pid}) == 2)
            assert asked(address)
            serving = parent.children()
        finally:
            process.kill()  # with no time to tell anybody
        until(lambda: not any(one.is_running() for one in (second, *serving)))
