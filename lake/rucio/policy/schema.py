"""What names and values may look like: as in Rucio's generic schema."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    # Delegated, not imported: Rucio loads this module while it loads the generic one's package.
    return getattr(importlib.import_module("rucio.common.schema.generic"), name)
