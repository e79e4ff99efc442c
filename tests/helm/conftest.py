"""The sets of values that ship, each rendered once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helm.tool import CHART, render

EXAMPLES = ("laptop", "one-site", "several-sites")


@pytest.fixture(scope="session")
def all_rendered() -> dict[str, list[dict[str, Any]]]:
    """All sets, rendered."""
    return {name: render("--values", str(CHART / "examples" / f"{name}.yaml")) for name in EXAMPLES}


@pytest.fixture(params=EXAMPLES)
def rendered(request: pytest.FixtureRequest, all_rendered: dict[str, Any]) -> list[dict[str, Any]]:
    """One set after the other, rendered."""
    documents: list[dict[str, Any]] = all_rendered[request.param]
    return documents
