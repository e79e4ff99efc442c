"""``python -m bench.psf docs/psf.md``: known PSFs are put into images and found again, as a page's tables."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.psf.cases import all_of, cases
from bench.psf.tables import line, page


def main() -> None:
    """Carry out all cases, keep what they gave as JSON, and write the tables into the page."""
    options = _options()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    data = Path(os.environ["HELIOLAKE_DATA"]) if "HELIOLAKE_DATA" in os.environ else None
    begin = time.perf_counter()
    wanted = sorted(cases(data), key=lambda case: case.seed)[:: options.every]  # mixed: a part stands for all
    found: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for rows in pool.map(all_of, wanted, [data] * len(wanted)):
            found += rows
            for row in rows:
                print(line(row), flush=True)
            if options.results:
                options.results.write_text(json.dumps(found, indent=1))
    print(f"{len(wanted)} cases in {time.perf_counter() - begin:.0f} s")
    if options.page:
        options.page.write_text(page(options.page.read_text(), found))


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.psf", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, help="page whose tables are made anew")
    parser.add_argument("--results", type=Path, help="keep what every case gave, as JSON")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one case of N, for a quick look")
    parser.add_argument("--processes", type=int, default=2, help="cases at once (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
