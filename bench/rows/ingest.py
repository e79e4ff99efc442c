"""Ingest, the whole command, against a script that opens, sums and copies the same files and tells nobody."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.campaign import aia_series
from bench.home import busy, command, running_home, small_files, worker_peak
from bench.measure import Aim, Row, Sample, Skipped
from bench.setting import Setting
from cluster.home.home import Home

_AIM: Final = Aim(most=0.005, text="≥ 200 files/s")
_MEGABYTE: Final = 1e6
_SCRIPT = """
import hashlib, os, sys, zlib
from pathlib import Path
from astropy.io import fits
for path in map(Path, sys.argv[2:]):
    with fits.open(path) as hdus:
        for hdu in hdus:
            hdu.verify("silentfix")
            hdu.data
    data = path.read_bytes()
    hashlib.sha256(data), zlib.adler32(data)
    with open(Path(sys.argv[1], path.name), "wb") as copy:
        copy.write(data)
        copy.flush()
        os.fsync(copy.fileno())
"""


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """Many small files, and a few large ones."""
    with running_home(setting, "ingest") as home:
        command(home, "ingest", str(small_files(setting.folder("warm"), 300, 16, 900)[0].parent), "--json")
        count = setting.pick(2000, 300)
        days = range(setting.pick(2, 1))
        small = [small_files(setting.folder(f"small{day}"), count, 128, 10 * day) for day in days]
        yield _row(setting, home, f"ingest of {count} small files, 128²", small, _AIM)
        if not setting.quick:
            yield _row(
                setting,
                home,
                "ingest of 20 AIA files, 4096²",
                [aia_series(setting.folder("large"), 20)],
                None,
            )
            yield _campaign(setting, home)


def _row(setting: Setting, home: Home, name: str, rounds: Sequence[list[Path]], aim: Aim | None) -> Row:
    ours, peer, processor = [], [], []
    for number, paths in enumerate(rounds):
        before = busy(home)
        told = command(home, "ingest", str(paths[0].parent), "--json")
        if told.document["done"] != len(paths):
            raise RuntimeError(f"{told.document['done']} of {len(paths)} files were taken in")
        processor.append((busy(home) - before) / len(paths))
        ours.append(told.seconds / len(paths))
        begin = time.perf_counter()
        target = setting.folder(f"copies{len(paths)}_{number}")
        subprocess.run([sys.executable, "-c", _SCRIPT, str(target), *map(str, paths)], check=True)
        peer.append((time.perf_counter() - begin) / len(paths))
    size = sum(path.stat().st_size for path in rounds[0]) / _MEGABYTE
    each = Sample(tuple(ours))
    return Row(
        name,
        each,
        Sample(tuple(peer)),
        "a script: astropy opens, two sums, a synced copy; no catalogue, no Rucio, no twins",
        aim=aim,
        notes=(
            f"seconds per file over the whole command: {1 / each.median:.0f} files/s",
            f"{size / len(rounds[0]) / each.median:.0f} MB/s",
            f"processor time of all services: {1e3 * min(processor):.2f} ms per file",
        ),
        numbers={"files_per_second": 1 / each.median},
    )


def _campaign(setting: Setting, home: Home) -> Row:
    """10⁵ files: is memory bounded, and the pace that of a few?"""
    few, many = 5_000, 100_000
    found = {}
    for day, count in ((2000, few), (3000, many)):
        paths = small_files(setting.folder(f"campaign{count}"), count, 16, day, cards=20)
        found[count] = command(home, "ingest", str(paths[0].parent), "--json")
    return Row(
        f"ingest of {many} files, the client's memory",
        Sample((found[many].peak / _MEGABYTE,)),
        Sample((found[few].peak / _MEGABYTE,)),
        f"the same of {few} files",
        unit="MB",
        notes=(
            f"{many / found[many].seconds:.0f} files/s, of {few} files {few / found[few].seconds:.0f}",
            f"the largest worker took {worker_peak(home) / _MEGABYTE:.0f} MB",
            "what grows is the list of all files and the report with one item for each",
        ),
    )
