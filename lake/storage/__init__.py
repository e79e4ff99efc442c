"""Bytes under their final names, whole or not at all; what is in them nobody here knows."""

from __future__ import annotations
