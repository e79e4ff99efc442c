"""A process that claims and finishes units of a run: ``python -m bench.scale.hand HOME RUN UNITS``.

It says that it is ready, waits for a line, and tells in JSON what it did.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Final

from cluster.home.home import Home
from lake.lake import Lake
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.units import Facts, Finished
from lake.rucio.client import batches

#: As executors have it: units claimed at once, and finished at once.
_CLAIMED, _FINISHED = 500, 50
_SECONDS: Final = {"read": 0.021, "register": 0.4, "normalise_exposure": 0.01, "write": 0.09}
_FACTS: Final = Facts("tcp://127.0.0.1:40001", _SECONDS, 8_000_000, 16_000_000, 900_000_000)
_OUTCOME: Final = {"outcome": {"code": "0" * 64}, "size": 16_000_000, "sha256": "0" * 64, "shape": [16, 16]}


def main(home: Home, run_id: str, wanted: int) -> dict[str, float]:
    """How many units were finished, and the processor time that took here."""
    lake = Lake.open(home.lake_config())
    run = Run(lake, run_id, this_process())
    run.status()  # connected
    print("ready", flush=True)
    sys.stdin.readline()
    busy, done = time.process_time(), 0
    while done < wanted:
        claimed = run.claim(min(_CLAIMED, wanted - done))
        for several in batches(claimed, _FINISHED):
            done += run.finish([Finished(one.unit_id, "done", _OUTCOME, _FACTS) for one in several])
    return {"done": done, "processor": time.process_time() - busy}


if __name__ == "__main__":
    print(json.dumps(main(Home(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
