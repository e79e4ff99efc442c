"""``python -m bench.scale``: what a thousand units cost, and a million, as a table and a plot."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.scale import report
from bench.scale.parts import PARTS
from cluster.home.home import Home
from cluster.services import down, up

_HOUSE: Final = Path(__file__).resolve().parents[2]
#: How many units each part is measured with; what stops before 10⁶ would take hours there.
SIZES: Final = {
    "through": (10**3, 10**4, 10**5),
    "planning": (10**3, 10**4, 10**5, 10**6),
    "ledger": (10**4, 10**5, 10**6),  # of fewer the time to connect would be measured
    "release": (10**3, 10**4, 10**5),
}
_QUICK: Final = (100, 200)


def main() -> None:
    """Measure, each part and size in a process of its own; an aim that is missed is a result, no error."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    with _home(options.home) as home:
        for part in options.only or SIZES:
            for size in _QUICK if options.quick else SIZES[part]:
                _measure(part, home, size, options.out)
    told = report.load(options.out)
    table = report.table(told)
    (options.out / "scale.md").write_text(table, encoding="utf-8")
    report.draw(told, options.out / "scale.png")
    print(table, end="")


def _measure(part: str, home: Home, size: int, out: Path) -> None:
    command = [sys.executable, "-m", "bench.scale.parts", part, str(home.path), str(size)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=_HOUSE)
    if done.returncode:
        raise SystemExit(f"{part} of {size} broke off; its error stands above")
    told = json.loads(done.stdout.splitlines()[-1])
    kept = out / f"{part}-{size}.json"
    new = kept.with_suffix(".new")  # what is interrupted leaves what was measured before
    new.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    new.replace(kept)


@contextmanager
def _home(path: Path | None) -> Iterator[Home]:
    """A home whose services run: the one named, or one of our own that is gone afterwards."""
    if path is not None:
        yield Home(path)
        return
    with tempfile.TemporaryDirectory(prefix="heliolake-scale-") as scratch:
        home = Home(scratch)
        try:
            up(home)
            yield home
        finally:
            down(home)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="one part; may be repeated")
    parser.add_argument("--quick", action="store_true", help="few units: does it work, not how fast")
    parser.add_argument("--home", type=Path, help="a home whose services run; one of its own by default")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parents[1] / "out" / "scale",
        help="folder of the report, which keeps what was measured before (%(default)s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
