"""Pages for people, written by the server; nothing is decided here, and no code comes from elsewhere."""

from __future__ import annotations

from typing import Final

from lake.archive.pages import (
    assets,
    curating,
    embargoing,
    exploring,
    finding,
    governing,
    guide,
    landing,
    looking,
    signing,
    steering,
)

ROUTERS: Final = (
    finding.router,
    looking.router,
    exploring.router,
    landing.router,
    guide.router,
    signing.router,
    curating.router,
    embargoing.router,
    governing.router,
    steering.router,
    assets.router,
)
"""All routes of the pages; none of them is in the API's description."""
