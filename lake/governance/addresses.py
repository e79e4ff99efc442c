"""Addresses that secrets may be sent to, and what may be told of a section that holds some."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lake.text import printable


def guarded_address(url: str) -> str:
    """The address, once it is certain that nobody on the way can read or change what is sent there.

    Raises
    ------
    ValueError
        When it is neither of https nor of this very machine.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return url
    raise ValueError("an address of https is needed (http only on this very machine)")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def found_in(problem: Mapping[str, Any]) -> str:
    """What was found where a section is not right, for its refusal; never what may be a misplaced secret.

    Parameters
    ----------
    problem
        One of the errors of a `pydantic.ValidationError`. Of what is missing it holds the whole section, of
        what is not known perhaps a password under a wrong name.
    """
    if problem["type"] in ("missing", "extra_forbidden"):
        return ""
    return f" (found {printable(str(problem['input']))[:80]!r})"
