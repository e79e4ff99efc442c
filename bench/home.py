"""A home of its own for rows that need the services, and small raw files to take in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from astropy.io import fits

from bench.setting import Setting
from cluster.home.home import Home
from cluster.home.process import ProcessRecord
from cluster.services import down, up

_FIRST: Final = datetime(2015, 1, 1, tzinfo=UTC)
_BLOCK: Final = 2880


@contextmanager
def running_home(setting: Setting, name: str, *, kept: bool = False) -> Iterator[Home]:
    """A home in the scratch folder whose services run within the block.

    Of its own, so that what its processes took at most is the subject's; in a quick run, where that is not
    judged, all subjects share one, which runs to the end. Where homes are kept, one that may be is made once.
    """
    if kept and setting.kept is not None and not setting.quick:
        with _again(Home(setting.kept / name)) as home:
            yield home
        return
    folder = setting.scratch / f"home_{'all' if setting.quick else name}"
    home = Home(folder)
    if folder.exists():
        yield home
        return
    folder.mkdir()
    with ExitStack() as until_here:
        (setting.until_end if setting.quick else until_here).callback(down, home)
        up(home)
        yield home


@contextmanager
def _again(home: Home) -> Iterator[Home]:
    home.path.mkdir(parents=True, exist_ok=True)
    up(home)
    try:
        yield home
    finally:
        down(home)


class Told(NamedTuple):
    """What a command took, and its JSON document."""

    seconds: float
    peak: float
    document: dict[str, Any]


def command(home: Home, *words: str) -> Told:
    """Seconds of a whole command, start-up included, and the peak of its memory in bytes."""
    code = (
        "import sys; from bench.child import peak; from heliolake.cli import main\n"
        "try: main()\nfinally: print(int(peak()), file=sys.stderr)"
    )
    begin = time.perf_counter()
    line = [sys.executable, "-c", code, "--home", str(home.path), *words]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return Told(seconds, float(done.stderr.split()[-1]), json.loads(done.stdout))


def busy(home: Home) -> float:
    """Processor seconds that the services of a home have used."""
    total = 0.0
    for name in ("postgres", "rucio", "dask"):
        record = ProcessRecord.load(home.run, name)
        process = record.process() if record else None
        for one in [process, *process.children(recursive=True)] if process else ():
            times = one.cpu_times()
            total += times.user + times.system
            total += getattr(times, "children_user", 0.0) + getattr(
                times, "children_system", 0.0
            )  # that ended
    return total


def worker_peak(home: Home) -> float:
    """Largest peak of the memory of one of Dask's workers, bytes."""
    record = ProcessRecord.load(home.run, "dask")
    process = record.process() if record else None
    peaks = [0]
    for one in process.children(recursive=True) if process else ():
        lines = Path(f"/proc/{one.pid}/status").read_text().splitlines()
        peaks += [1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return float(max(peaks))


def small_files(folder: Path, count: int, size: int, day: int, cards: int = 150) -> list[Path]:
    """Raw files like AIA's of small images, with as many cards, twelve seconds apart.

    Parameters
    ----------
    folder
        Where they go.
    count, size
        How many, of how many pixels a side.
    day
        Files of other days are other files.
    cards
        In the header, besides those that are needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begin = _FIRST + timedelta(days=day)
    header = fits.Header()
    header.update({"TELESCOP": "SDO/AIA", "INSTRUME": "AIA_3", "WAVELNTH": 171, "LVL_NUM": 1.0})
    header.update({"DATE-OBS": _stamp(begin), "EXPTIME": 2.0, "QUALITY": 0, "BUNIT": "DN", "SIMULATD": True})
    header.update({"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec"})
    scale, middle = 0.6 * 4096 / size, (size + 1) / 2
    header.update({"CDELT1": scale, "CDELT2": scale, "CRPIX1": middle, "CRPIX2": middle, "CROTA2": 0.1})
    header.update({"CRVAL1": 0.0, "CRVAL2": 0.0, "RSUN_OBS": 960.0, "DSUN_OBS": 1.48e11})
    for number in range(cards):
        header[f"KEY{number:04d}"] = (number * 1.1, "one of very many")
    image = np.random.default_rng(day).poisson(300.0, (size, size)).astype(np.int16)
    first = folder / "first.fits"
    fits.writeto(first, image, header)
    content = bytearray(first.read_bytes())
    first.unlink()
    dated = content.index(_stamp(begin).encode())
    data = len(content) - -(-2 * size * size // _BLOCK) * _BLOCK
    paths = []
    for number in range(count):
        moment = begin + timedelta(seconds=12 * number)
        content[dated : dated + 23] = _stamp(moment).encode()
        content[data : data + 4] = number.to_bytes(4, "big")
        paths.append(folder / f"sim_aia171_{moment:%Y%m%d_%H%M%S}.fits")
        paths[-1].write_bytes(content)
    return paths


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
