"""``python -m bench``: every row of the benchmarks, or some, with a report in ``bench/out``."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from bench.measure import Row, Skipped, duration
from bench.rows import NAMES, rows_of
from bench.setting import Setting, quiet_peers, run_like_a_worker


def main() -> None:
    """Measure and report; an aim that is missed is a result, not an error."""
    options = _options()
    run_like_a_worker()
    quiet_peers()
    begin = time.perf_counter()
    about = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "load": {"before": _load()},
        **report.about_machine(),
    }
    results: list[Row | Skipped] = []
    with tempfile.TemporaryDirectory(prefix="heliolake-bench-") as scratch, ExitStack() as until_end:
        setting = Setting(options.quick, Path(scratch), options.keep, until_end)
        for name in options.only or NAMES:
            for result in rows_of(name)(setting):
                if isinstance(result, Row):
                    result = replace(result, judged=not options.quick)
                print(report.line(result), flush=True)
                results.append(result)
            about["seconds"] = round(time.perf_counter() - begin, 1)
            about["load"]["after"] = _load()
            # After every subject: a run that is interrupted keeps what it has measured.
            report.write(options.out, results, about)
    report.draw(options.out, results, about)
    print(f"{duration(about['seconds'])} in all; {options.out / 'results.json'}, results.md, results.png")


def _load() -> float:
    """Average number of running processes over the last minute: others' work makes figures worse."""
    return round(os.getloadavg()[0], 2)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=NAMES,
        metavar="NAME",
        help=f"rows of one subject; may be repeated: {', '.join(NAMES)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="small images and few rounds: does it work, not how fast"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "out", help="folder of the report (%(default)s)"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep the home of a million generated releases there, and use it again",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
