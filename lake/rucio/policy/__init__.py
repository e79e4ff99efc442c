"""Our policy for Rucio: what is published stays as it is; nothing of ours is imported here.

Rucio loads this package by the server option ``[policy] package = lake.rucio.policy``.
"""

from __future__ import annotations

from typing import Any

SUPPORTED_VERSION = [">=39", "<42"]


def get_algorithms() -> dict[str, dict[str, Any]]:
    """Algorithms of our own: none, the storage elements use Rucio's ``hash``."""
    return {}
