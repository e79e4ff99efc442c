"""DOIs: what the lake wants of each, and how a registry is brought to it; nothing here decides who may."""

from __future__ import annotations
