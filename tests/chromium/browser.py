"""Chromium, where the machine has one: started, and looked at by axe."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SERIOUS = ("serious", "critical")


def absent() -> str:
    """What this machine lacks for it, in a sentence; '' when it is there."""
    return "" if _program() else "There is no Chromium here."


def require() -> None:
    """Skip the test that asks, with the reason, where there is no Chromium."""
    if absent():
        pytest.skip(f"The tests in a real browser need Chromium: make chromium. {absent()}")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that runs within a ``with`` block."""
    require()
    from playwright.sync_api import sync_playwright

    # Its sandbox does not start as root, which is what a container of tests mostly is.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=_program(), args=options)
        try:
            yield started
        finally:
            started.close()


def complaints(page: Any) -> list[str]:
    """What axe finds serious on a page: the rule, and where."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']} at {one['nodes'][0]['target']}"
        for one in found
        if one["impact"] in _SERIOUS
    ]


def _program() -> str:
    return next((found for name in _NAMES if (found := shutil.which(name))), "")
