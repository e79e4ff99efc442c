"""Reference files, which of them holds when, contexts that list them; nobody here knows what they mean."""

from __future__ import annotations
