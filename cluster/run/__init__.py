"""Plans being carried out: from stored bytes to releases, trials, references; planning is done elsewhere."""

from __future__ import annotations
