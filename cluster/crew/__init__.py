"""Runs that several sites share: an executor at each, and who sends them; a run of one site is not theirs."""

from __future__ import annotations
