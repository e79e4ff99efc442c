"""Rucio: our client, the server of a home, and the policy package it loads; nothing else speaks to it."""

from __future__ import annotations
