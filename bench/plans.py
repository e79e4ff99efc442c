"""``python -m bench.plans``: how the database answers each kind of search, as a page of the documentation.

Each question of `bench.rows.search` is asked of a million generated releases, and each statement it takes is
explained, as it ran, within its own transaction. The home is the one that ``python -m bench --keep`` keeps.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event

from bench.home import running_home
from bench.rows.search import PAGE, fill, kinds
from bench.setting import Setting
from lake.lake import Lake
from lake.releases.search import listing

_PAGE: Final = Path(__file__).parent.parent / "docs" / "archive-search.md"
_NUMBER: Final = 1_000_000
_ASKED: Final = 20
_WIDEST: Final = 180
_HEAD: Final = """\
# How the archive searches

Made by `python -m bench.plans --keep FOLDER`: {number} generated releases of 25 instruments over 19 years,
pages of {page}. Of each kind {asked} questions were asked, and that one is shown whose statements took the
database longest. Times are what PostgreSQL told while it explained itself, which makes it slower; others used
the machine too. `python -m bench --only search --keep FOLDER` measures the questions
themselves, `--only load` the archive over HTTP while a run goes on.

- A page is in the order of time, and begins behind the last release of the one before: none is counted up to.
- Where indexes find few (names by threes of letters, words, targets, ranges as boxes), these are sorted.
- Where they find many, these are looked for month by month, in ever more months until the page is full: the
  indexes hold the month (of ranges the moment) beside what is looked for. What is dense is met at once, and
  nobody walks to what lies late.
- The database may take {patience:.0f} s for a question. One that takes longer is refused, and told what to
  narrow. Counts end at 10,000, facets count the first 50,000.

| question | statements | slowest of {asked} |
|---|---:|---:|
"""


@dataclass(frozen=True)
class Explained:
    """A statement, how the database went about it, and for how many milliseconds."""

    plan: tuple[str, ...]
    milliseconds: float


@contextmanager
def _explaining(lake: Lake) -> Iterator[list[Explained]]:
    """What is asked within the block, explained in the same transaction."""
    found: list[Explained] = []

    def explain(
        _connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> None:
        if not re.match("(?i)(select|with)", statement) or "set_config" in statement:
            return
        with cursor.connection.cursor() as other:
            told = other.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
            lines = tuple(line for (line,) in told)
        taken = sum(float(line.split()[-2]) for line in lines if re.match("(Planning|Execution) Time", line))
        found.append(Explained(lines, taken))

    event.listen(lake.engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(lake.engine, "before_cursor_execute", explain)


def _slowest(lake: Lake, ask: Any, chance: random.Random) -> list[Explained]:
    slowest: list[Explained] = []
    for _ in range(_ASKED):
        wanted, after = ask(chance)
        with _explaining(lake) as found:
            listing(lake, wanted, limit=PAGE, after=after)
        slowest = max(slowest, found, key=_taken)
    return slowest


def _taken(found: list[Explained]) -> float:
    return sum(one.milliseconds for one in found)


def _lines(one: Explained) -> Iterator[str]:
    for line in one.plan:
        if not re.match(r"\s*(Buffers|Planning|Storage|Index Searches|Heap Blocks)", line):
            yield line if len(line) <= _WIDEST else f"{line[:_WIDEST]} …"


def _page(told: dict[str, list[Explained]]) -> Iterator[str]:
    from lake.releases.finding import PATIENCE

    yield _HEAD.format(number=f"{_NUMBER:,}", page=PAGE, asked=_ASKED, patience=PATIENCE).rstrip()
    for name, found in told.items():
        yield f"| {name} | {len(found)} | {_taken(found):.1f} ms |"
    for name, found in told.items():
        yield f"\n## {name.capitalize()}\n"
        longest = sorted(found, key=lambda one: -one.milliseconds)[:2]
        if len(found) > len(longest):
            yield f"The two longest of {len(found)} statements.\n"
        for one in longest:
            yield "\n".join(("```", *_lines(one), "```"))


def main() -> None:
    """Ask, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.plans", description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the home is kept")
    options = parser.parse_args()
    chance = random.Random(1)
    with (
        tempfile.TemporaryDirectory(prefix="heliolake-bench-") as scratch,
        running_home(Setting(False, Path(scratch), options.keep), "releases", kept=True) as home,
        Lake.open(home.lake_config()) as lake,
    ):
        fill(lake, _NUMBER)
        told = {name: _slowest(lake, ask, chance) for name, ask in kinds(_NUMBER).items()}
    _PAGE.write_text("\n".join(_page(told)) + "\n")
    print(_PAGE)


if __name__ == "__main__":
    main()
