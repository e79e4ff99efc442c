"""What was seen, made up: a run whose every word comes from a hostile file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lake.ledger.overview import Overview
from lake.ledger.units import STATES
from lake.releases.latest import LatestFrame

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
#: What would do something if it were taken for HTML, and `data-` to find it again.
HOSTILE = "<img src=x onerror=alert(1)>\"'&$$x$$\x1b[31m\u202e"


def pace(run: str = "20261122-abcd", **more: Any) -> dict[str, Any]:
    """How a run gets on, as `lake.ledger.pace.pace` tells it."""
    units = dict.fromkeys(STATES, 0) | {"planned": 50, "leased": 10, "done": 38, "quarantined": 2}
    told: dict[str, Any] = {
        "run": run,
        "plan": "p",
        "status": "running",
        "recipe": "aia-l15",
        "owner": "o",
        "created": "2026-11-22T06:50:00.000Z",
        "finished": None,
        "note": "",
        "units": units,
        "total": 100,
        "ended": 40,
        "rate": {"lately": 30.0, "overall": 24.0, "bytes_in": 2.5e6, "bytes_out": 999.0},
        "left": [120.0, 150.0],
        "memory": 5,
        "troubles": [],
        "steps": [
            {
                "step": "read",
                "times": 40,
                "rate": 0.5,
                "median": 0.1,
                "p95": 0.2,
                "seconds": 4.0,
                "share": 1.0,
            }
        ],
        "executors": [
            {
                "executor": "host:1:2.00",
                "site": "north",
                "alive": True,
                "started": "2026-11-22T06:50:00.000Z",
                "seen": "2026-11-22T06:59:59.000Z",
                "ended": None,
                "note": "",
            }
        ],
        "workers": [],
        "sites": [
            {
                "site": "north",
                "executors": 1,
                "units": 40,
                "rate": 30.0,
                "troubles": 2,
                "bytes_in": 4000,
                "bytes_out": 400,
                "states": units,
            }
        ],
    }
    return told | more


def case(files: int, reason: str, **more: str) -> dict[str, Any]:
    """Files put aside for one reason."""
    told = {"stage": "ingest", "code": "not-fits", "reason": reason, "advice": "look", "files": files}
    return told | {"last_seen": "2026-11-22T06:59:00.000Z"} | more


def overview(*runs: dict[str, Any], **more: Any) -> Overview:
    """All runs."""
    statuses: dict[str, int] = {}
    for one in runs:
        statuses[one["status"]] = statuses.get(one["status"], 0) + 1
    return Overview(NOW, runs, **{"statuses": statuses, **more})


def frame(**more: Any) -> LatestFrame:
    """A frame that nobody may see, unless it is said otherwise."""
    told: dict[str, Any] = {
        "id": 1,
        "scope": "sdo_aia",
        "name": "one.l15.v0001.fits",
        "level": "1.5",
        "sha256": "",
        "image_hdu": 0,
        "shape": (64, 64),
        "meta": {},
        "release": "sdo_aia:one.l15@v0001",
        "run": "20261122-abcd",
        "grant": None,
        "withheld": "not public",
    }
    return LatestFrame(**(told | more))
