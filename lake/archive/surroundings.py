"""What an archive is given besides its lake: how its data are cited, who signs people in, its secret."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import Request

from lake.archive.limits import Counts, Limits

if TYPE_CHECKING:
    from lake.governance.doi.office import Office
    from lake.governance.openid.provider import Provider


@dataclass(frozen=True)
class Surroundings:
    """What an archive is given besides its lake.

    Attributes
    ----------
    secret
        What seals the sessions of browsers; they outlive a restart where it stays the same.
    office
        How data are cited; None where nobody said it.
    registering
        Opens the registry with which DOIs are registered; None where this archive does not reach it.
    provider
        With which OpenID provider people sign in; None where there is none.
    objects
        By name of a storage element its address, where it lies in S3 and those who ask reach it there; what
        lies in others goes through here.
    limits
        What one asker may have.
    counts
        Where askers are counted, where several processes do so together.
    """

    secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    office: Office | None = None
    registering: Callable[[], AbstractContextManager[Office]] | None = None
    provider: Provider | None = None
    objects: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    counts: Counts | None = None


def surroundings_of(request: Request) -> Surroundings:
    """Those of the application that serves."""
    found: Surroundings = request.app.state.surroundings
    return found
