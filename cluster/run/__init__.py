"""Plans being carried out: from stored bytes to releases, trials, references; what to do is planned elsewhere."""

from __future__ import annotations
