"""Pages for people, written by the server; nothing is decided here, and no code comes from elsewhere."""

from __future__ import annotations

from typing import Final

from lake.archive.pages import assets, curating, exploring, finding, guide, landing, looking, signing

ROUTERS: Final = (
    finding.router,
    looking.router,
    exploring.router,
    landing.router,
    guide.router,
    signing.router,
    curating.router,
    assets.router,
)
"""All routes of the pages; none of them is in the API's description."""
