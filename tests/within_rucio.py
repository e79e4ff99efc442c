"""What only Rucio itself can do, or who has its database: no policy is asked. Tests damage things so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from cluster.home.home import Home
from tests.conftest import HOUSE

_BEGIN = """
import json, sys
from lake.rucio.server import tuning
tuning.apply()
given = json.loads(sys.argv[1])
"""

_REPLICAS = """
from rucio.common.types import InternalAccount, InternalScope
from rucio.core import replica
from rucio.core.rse import get_rse_id
from rucio.db.sqla.constants import BadFilesStatus, DatabaseOperationType
from rucio.db.sqla.session import db_session
with db_session(DatabaseOperationType.WRITE) as session:
    row = {
        "scope": InternalScope(given["scope"]),
        "name": given["name"],
        "rse_id": get_rse_id(given["rse"], session=session),
    }
    if given["state"] == "bad":
        replica.declare_bad_file_replicas(
            [row], given["reason"], InternalAccount("root"), BadFilesStatus.BAD, session=session
        )
    else:
        replica.update_replicas_states([row | {"state": given["state"]}], session=session)
"""


def run(home: Home, code: str, **given: Any) -> None:
    """Run code with the configuration of a home's Rucio server; it finds what is given in `given`."""
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN + code, json.dumps(given)],
        env=os.environ | {"RUCIO_CONFIG": str(home.rucio / "server.cfg")},
        cwd=HOUSE,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def call_replica(home: Home, scope: str, name: str, state: str, reason: str = "") -> None:
    """Let Rucio take a replica for unavailable (U), damaged (D), or declared bad (bad)."""
    run(home, _REPLICAS, rse=home.rse, scope=scope, name=name, state=state, reason=reason)
