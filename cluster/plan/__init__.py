"""What is to be done, whether it can be, and how much of it is done; nothing here carries it out."""

from __future__ import annotations
