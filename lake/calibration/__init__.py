"""Reference files, which of them holds when, and contexts that list them; what is in them is not known here."""

from __future__ import annotations
