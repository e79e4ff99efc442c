"""Plans, runs and units, and who works on them; what is done in a unit nobody here knows."""

from __future__ import annotations
