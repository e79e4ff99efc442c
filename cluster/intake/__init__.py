"""Files on their way into the lake: raw data, references, copies of what was lost; nothing is computed."""

from __future__ import annotations
