"""A process that works on a DOI and dies at a named point: `python -m tests.lake.governance.doi.crash …`."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

from cluster.home.home import Home
from lake.governance.doi import client, curating, outbox, reconcile
from lake.governance.doi.states import State
from lake.governance.policy import OWNER
from lake.lake import Lake
from lake.names import ProductKey
from tests.lake.governance.doi.conftest import office_at, version

DIED = 77
#: Point → the function of a module that dies, before it does anything or after it has.
POINTS: dict[str, tuple[Any, str, bool]] = {
    "deciding": (outbox, "decide", True),
    "decided": (reconcile, "sync", False),
    "before reading": (client.Registrar, "read", False),
    "read": (client.Registrar, "read", True),
    "forgetting": (reconcile, "_forget", False),
    "before sending": (client.Registrar, "send", False),
    "sent": (client.Registrar, "_settled", False),
    "read back": (client.Registrar, "send", True),
    "settling": (outbox, "settle", True),
    "settled": (reconcile, "_settle", True),
}


def die(*_: object, **__: object) -> NoReturn:
    os._exit(DIED)


def arm(point: str) -> None:
    """Let the process die at a point."""
    where, name, afterwards = POINTS[point]
    real = getattr(where, name)

    def dies(*arguments: Any, **named: Any) -> Any:
        if not afterwards:
            die()
        real(*arguments, **named)
        die()

    setattr(where, name, dies)


def main() -> None:
    given = json.loads(sys.argv[1])
    office = office_at(given["url"], given["password"], given["prefix"], given["scope"])
    with Lake.open(Home(given["home"]).lake_config()) as lake:
        subject = version(lake, ProductKey(given["scope"], "obs", "1"), 1)
        arm(given["point"])
        if given["work"] == "publish":
            curating.raise_to(lake, office, subject, State.FINDABLE, OWNER)
        else:
            curating.hide(lake, office, subject, "no", OWNER)
        reconcile.sync(lake, office)


if __name__ == "__main__":
    main()
