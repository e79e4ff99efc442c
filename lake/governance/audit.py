"""The audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session


def record(
    session: Session, who: str, what: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Note what somebody did, within the caller's transaction."""
