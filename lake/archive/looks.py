"""Who looks at pictures and single values: the policy is asked for each, the audit trail told at times.

A page that zooms asks for a hundred tiles of one image: that is one look, and one line of the trail. What
is refused is entered every time.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Depends, Request

from lake.archive.asking import Asker, OfLake
from lake.archive.problems import Gone
from lake.catalogue.models import Release
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.governance.policy import Action, Principal, grant, may, under_embargo
from lake.grant import Grant
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.access import Asked, require
from lake.releases.search import file_of, resolve

_AGAIN: Final = 600.0
"""Seconds after which a look is entered anew."""
_MOST: Final = 10_000


class Looks:
    """Remembers which looks stand in the audit trail already."""

    def __init__(self) -> None:
        self._noted: OrderedDict[tuple[str, str, Action], float] = OrderedDict()
        self._lock = threading.Lock()

    def granted(self, lake: Lake, principal: Principal, asked: Asked, action: Action) -> Grant:
        """What opens a release to somebody; raises as `lake.releases.access.require`."""
        now, at = time.monotonic(), datetime.now(UTC)
        look = (principal.signature, asked.name, action)
        with self._lock:
            noted = now - self._noted.get(look, -_AGAIN) < _AGAIN
        if noted and may(principal, action, asked, at):
            return grant(principal, action, [asked], at)
        given = require(lake, principal, [asked], action)
        with self._lock:
            self._noted[look] = now
            self._noted.move_to_end(look)
            while len(self._noted) > _MOST:
                self._noted.popitem(last=False)
        return given


class Looking:
    """Somebody who looks at releases.

    Parameters
    ----------
    lake, principal
        At what, and who.
    looks
        What was looked at before.
    """

    def __init__(self, lake: Lake, principal: Principal, looks: Looks) -> None:
        self.lake = lake
        self._principal = principal
        self._looks = looks

    def release(self, product: str, action: Action) -> tuple[Release, ProductKey, Grant]:
        """A release, and what opens it.

        Raises
        ------
        Gone
            When it was withdrawn.
        BadInput
            When there is none, or it may not be had.
        """
        found, key = resolve(self.lake, product)
        try:
            given = self._looks.granted(self.lake, self._principal, Asked.of(found, key.name), action)
        except BadInput as error:
            if found.status == "WITHDRAWN" and error.code is Reason.NOT_ALLOWED:
                raise Gone(error) from error
            raise
        return found, key, given

    def file(self, product: str, name: str, action: Action) -> tuple[Release, FileEntry, Grant]:
        """A file of a release, and what opens it; raises as `release`, or where there is no such file."""
        found, _, given = self.release(product, action)
        return found, file_of(self.lake, given, found.id, name), given


def cache_control(release: Release) -> dict[str, str]:
    """How long a browser may keep what is shown; nobody between may, who would not hear of an embargo."""
    if under_embargo(release, datetime.now(UTC)):
        return {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    return {"Cache-Control": "private, max-age=300", "Vary": "Authorization, Cookie"}


def _looking(request: Request, lake: OfLake, principal: Asker) -> Looking:
    return Looking(lake, principal, request.app.state.looks)


Viewer = Annotated[Looking, Depends(_looking)]
