"""``python -m bench.faults``: all faults, or some, with a table; ends with 1 where one does not hold."""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from pathlib import Path

from bench.faults.cases import faults
from bench.faults.table import line, markdown
from bench.faults.trial import Fault, Verdict, try_fault
from bench.faults.world import World, running_world


def main() -> int:
    """Bring all faults upon one world, one after the other."""
    options = _options()
    every = list(faults())
    chosen = [one for part in options.only or [""] for one in every if part in one.name]
    if options.list:
        print("\n".join(one.name for one in chosen))
        return 0
    verdicts: list[Verdict] = []
    broken: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="heliolake-faults-", dir=options.folder) as folder,
        running_world(Path(folder), options.size) as world,
    ):
        for fault in chosen:
            found = _tried(world, fault, options.units)
            if isinstance(found, str):
                broken.append(f"{fault.name}: {found}")
                print(f"BROKEN  {fault.name}\n{found}", flush=True)
                world.up()
            else:
                verdicts.append(found)
                print(line(found), flush=True)
    if options.out is not None:
        options.out.write_text(markdown(verdicts, options.units, options.size))
    return int(bool(broken) or not all(one.holds for one in verdicts))


def _tried(world: World, fault: Fault, units: int) -> Verdict | str:
    try:
        return try_fault(world, fault, units)
    except Exception:  # one fault that cannot be judged must not hide what became of the others
        return traceback.format_exc()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="WORDS", help="faults with these words in their name"
    )
    parser.add_argument("--list", action="store_true", help="name the faults")
    parser.add_argument("--units", type=int, default=24, help="files of each run (%(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="pixels a side of each (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where the home is made for the time being")
    parser.add_argument("--out", type=Path, help="write the table there, as in docs/faults.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
