"""What the Dask dashboard of a home offers beside its plots; named in the scheduler's settings.

Every user of the machine can open the dashboard. Dask's own pages about workers show
where the home lies, logs and the lines of code at work; they are for those who hold the
home's key, who ask a client instead.
"""

from __future__ import annotations

from typing import Any, Final

from distributed.http.scheduler.info import IndividualPlots
from distributed.http.scheduler.json import CountsJSON
from distributed.http.utils import RequestHandler

_FOR_OWNERS: Final = (
    "Details of workers are told to the owner of this home only. In a notebook:\n\n"
    "    with heliolake.connect().cluster() as client:\n"
    "        client.get_worker_logs()\n"
)


class ForOwners(RequestHandler):  # type: ignore[misc]  # distributed carries no types
    """Stands where Dask tells details."""

    def get(self, _page: str = "") -> None:
        """Say where they are."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(_FOR_OWNERS)


routes: Final[list[tuple[str, Any, dict[str, Any]]]] = [
    (r"json/counts.json", CountsJSON, {}),
    (r"individual-plots.json", IndividualPlots, {}),
    (r"info", ForOwners, {}),
    (r"info/(.*).html", ForOwners, {}),
]
