"""Logins through an OpenID provider: from its answers to an account; who may have what stands in `policy`."""

from __future__ import annotations
