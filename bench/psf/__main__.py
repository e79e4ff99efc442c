"""``python -m bench.psf docs/psf.md``: known PSFs are put into images and found again, as a page's tables."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from bench.psf.cases import all_of, cases
from bench.psf.epochs import epoch_cases, run_epochs
from bench.psf.kept import Kept
from bench.psf.tables import line, page
from bench.psf.tiles import run_tiles, tile_cases

#: What a part of the validation gives for one case, and the name of the case.
Job = tuple[str, Callable[[], list[dict[str, Any]]]]
PARTS: Final = ("known", "epochs", "tiles")


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out all cases, keep what they gave as JSON, and write the tables into the page."""
    options = _options(arguments)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    data = Path(os.environ["HELIOLAKE_DATA"]) if "HELIOLAKE_DATA" in os.environ else None
    wanted = dict(_jobs(options.only or PARTS, data))
    names = list(wanted)[:: options.every]
    kept = Kept.read(options.results)
    missing = [name for name in names if name not in kept.found]
    begin, before = time.perf_counter(), len(names) - len(missing)
    if before:
        print(f"{before} of {len(names)} cases are in {options.results} from before")
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(wanted[name]): name for name in missing}
        for number, one in enumerate(as_completed(running), 1):
            kept.add(running[one], one.result())
            spent = time.perf_counter() - begin
            left = spent / number * (len(missing) - number)
            for row in one.result():
                print(f"[{before + number}/{len(names)}, {left / 60:.0f} min left] {line(row)}", flush=True)
    print(f"{len(missing)} cases in {time.perf_counter() - begin:.0f} s")
    if options.page:
        rows = [row for name in wanted if name in names for row in kept.found[name]]
        options.page.write_text(page(options.page.read_text(), rows))


def _jobs(only: Sequence[str], data: Path | None) -> Iterator[Job]:
    """Every case of some parts, in the tables' order: mixed, so that every Nth of them stands for all."""
    if "known" in only:
        for case in sorted(cases(data), key=lambda case: case.seed):
            yield f"known {case}", partial(all_of, case, data)
    if "epochs" in only:
        for epoch in epoch_cases():
            yield f"epochs {epoch}", partial(run_epochs, epoch)
    if "tiles" in only:
        for tile in tile_cases():
            yield f"tiles {tile}", partial(run_tiles, tile)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.psf", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, help="page whose tables are made anew")
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="this part alone; can be given several times"
    )
    parser.add_argument(
        "--results",
        type=Path,
        help="keep what every case gave, as JSON, and go on from there where a run broke off",
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one case of N, for a quick look")
    parser.add_argument("--processes", type=int, default=2, help="cases at once (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
