"""The archive under load: a million releases asked for over HTTP, fifty questions a second for a minute.

Each question has its moment, whether or not those before it were answered, and its time counts from then: an
archive that falls behind shows it.
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from threading import local
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import psutil
from sqlalchemy import func, select

from bench.home import busy, command, running_home, small_files
from bench.measure import Aim, Row, Sample, Skipped
from bench.rows.search import FIRST, MINUTES, fill
from bench.setting import Setting
from cluster.home.home import Home
from lake.catalogue.models import Unit
from lake.catalogue.session import transaction
from lake.lake import Lake

_RATE: Final = 50
_ASKERS: Final = 64
_API: Final = "/api/v1"
_WORKERS: Final = min(4, os.cpu_count() or 1)
_PATIENCE: Final = 45.0
"""Seconds that a run has for its first units; it is planned and compiled then, if not more."""
_HOUSE: Final = Path(__file__).parents[2]


class Answer(NamedTuple):
    """Which kind of question was asked, how it was answered, and after how many seconds."""

    kind: str
    status: int
    seconds: float


def rows(setting: Setting) -> Iterator[Row | Skipped]:
    """Time until a question is answered, of the slowest of a hundred, with how many failed, during a run."""
    number, seconds = setting.pick(1_000_000, 5_000), setting.pick(60, 2)
    with running_home(setting, "releases", kept=True) as home:
        with Lake.open(home.lake_config()) as lake:
            fill(lake, number)
        with _served(home) as archive:
            questions = _questions(number, _RATE * seconds)
            for kind, path in questions[:_RATE]:  # connections, and plans
                _ask(archive.address, kind, path, time.monotonic())
            before = archive.busy()
            alone = [_ask(archive.address, *one, time.monotonic()) for one in questions[: 5 * seconds]]
            each = (archive.busy() - before) / len(alone)
            with _run_going_on(setting, home) as done:
                answers = _asked(archive.address, questions)
            yield from _row(number, seconds, answers, alone, {"processor per request": each, **done})


def _row(
    number: int, seconds: int, answers: Sequence[Answer], alone: Sequence[Answer], more: Mapping[str, float]
) -> Iterator[Row]:
    errors = sum(one.status != HTTPStatus.OK for one in answers)
    yield Row(
        f"archive over HTTP, {number} releases, {_RATE} requests/s for {seconds} s during a run: p99",
        Sample((_p99(answers),)),
        Sample((_p99(alone),)),
        "one question after the other, without a run",
        aim=Aim(most=0.1, text="≤ 100 ms"),
        notes=(
            f"{errors} errors; median {statistics.median(one.seconds for one in answers):.4f} s",
            f"processor time of all services: {1e3 * more['processor per request']:.1f} ms per request",
            f"the run did {more['units of the run']:.0f} units meanwhile"
            + ("" if more["run went on"] else ", and ended before the minute did"),
        ),
        numbers={"errors": errors, **more}
        | {f"p99 of {kind}": _p99([one for one in answers if one.kind == kind]) for kind in _kinds(answers)},
    )


def _kinds(answers: Sequence[Answer]) -> list[str]:
    return sorted({one.kind for one in answers})


def _p99(answers: Sequence[Answer]) -> float:
    times = sorted(one.seconds for one in answers)
    return times[min(len(times) - 1, int(len(times) * 0.99))]


def _questions(number: int, many: int) -> list[tuple[str, str]]:
    """Kinds and addresses of what visitors ask, most often what they ask most often."""
    chance, years = random.Random(1), timedelta(minutes=number * MINUTES)

    def span(days: float) -> dict[str, str]:
        since = FIRST + chance.random() * years
        return {"since": since.isoformat(), "until": (since + timedelta(days=days)).isoformat()}

    def instrument() -> str:
        return f"instrument{chance.randrange(25)}"

    def one() -> tuple[str, str, dict[str, str]]:
        kinds = (
            ("a day of an instrument", "/releases", {"instrument": instrument(), **span(1)}),
            ("a day of all", "/releases", span(1)),
            ("years of a level", "/releases", {"instrument": instrument(), "level": "1.5", **span(2000)}),
            ("two words", "/releases", {"words": f"region {chance.randrange(9973)}"}),
            ("wavelengths", "/releases", {"wave_min": "300", "wave_max": "300.01", **span(30)}),
            ("a count", "/count", {"instrument": instrument(), **span(30)}),
            ("facets of a month", "/facets", {"instrument": instrument(), **span(30)}),
        )
        return chance.choice(kinds)

    asked = (one() for _ in range(many))
    return [(kind, f"{_API}{path}?{urlencode(words)}") for kind, path, words in asked]


def _asked(address: str, questions: Sequence[tuple[str, str]]) -> list[Answer]:
    begin = time.monotonic() + 0.5
    with ThreadPoolExecutor(_ASKERS) as pool:
        waiting = []
        for place, (kind, path) in enumerate(questions):
            due = begin + place / _RATE
            time.sleep(max(0.0, due - time.monotonic()))
            waiting.append(pool.submit(_ask, address, kind, path, due))
        return [one.result() for one in waiting]


_mine = local()


def _ask(address: str, kind: str, path: str, due: float) -> Answer:
    connection = getattr(_mine, "connection", None)
    try:
        if connection is None or _mine.address != address:
            connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
            _mine.connection, _mine.address = connection, address
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        status = answer.status
    except (OSError, http.client.HTTPException):
        _mine.connection, status = None, 0
    return Answer(kind, status, time.monotonic() - due)


class Archive(NamedTuple):
    """A home's archive that is served."""

    address: str
    process: psutil.Process
    home: Home

    def busy(self) -> float:
        """Processor seconds that it and the services of its home have used."""
        mine = [self.process, *self.process.children(recursive=True)]
        return busy(self.home) + sum(sum(one.cpu_times()[:2]) for one in mine)


@contextmanager
def _served(home: Home) -> Iterator[Archive]:
    """The archive of a home, which runs as its command within the block."""
    line = [*_command(home), "serve", "--port", "0", "--rate", "0", "--workers", str(_WORKERS)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=_HOUSE) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            address = next(word for word in said.split() if word.startswith("http")).rstrip("/;")
            yield Archive(address, psutil.Process(process.pid), home)
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def _run_going_on(setting: Setting, home: Home) -> Iterator[dict[str, float]]:
    """A run of many small frames; what it did within the block is told when that ends."""
    day = int(time.time()) % 3000  # of a home that is kept every time other files
    folder = setting.folder("during")
    small_files(folder, setting.pick(1000, 20), 256, day)
    command(home, "ingest", str(folder), "--no-pictures", "--json")
    done: dict[str, float] = {}
    with (
        Lake.open(home.lake_config()) as lake,
        subprocess.Popen(
            [*_command(home), "process", "aia-l15", "--json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=_HOUSE,
        ) as process,
    ):
        before, until = _units_done(lake), time.monotonic() + _PATIENCE
        while process.poll() is None and _units_done(lake) == before and time.monotonic() < until:
            time.sleep(0.2)
        first = _units_done(lake)
        try:
            yield done
            done["units of the run"] = _units_done(lake) - first
            done["run went on"] = float(process.poll() is None)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(120)


def _units_done(lake: Lake) -> int:
    with transaction(lake.sessions) as session:
        return session.scalar(select(func.count()).where(Unit.state == "done")) or 0


def _command(home: Home) -> list[str]:
    code = "from heliolake.cli import main; main()"
    return [sys.executable, "-c", code, "--home", str(home.path)]
