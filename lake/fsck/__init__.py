"""Storage, Rucio and catalogue compared and mended; the only room that looks into all others."""

from __future__ import annotations
