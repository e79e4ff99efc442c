"""Who may have what: the one policy that every path asks; nothing here gives out bytes."""

from __future__ import annotations
