"""One fault: a run begins, something breaks in its midst, an operator does what the messages say, and all is
looked at afterwards."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import text

from bench.faults.world import NORTH, RECIPE, SOUTH, Command, Ended, World, eventually
from lake.catalogue.session import transaction
from lake.fsck.compare import fsck
from lake.lake import Lake
from lake.storage.store import key_of

LIMIT: Final = 600.0
"""Seconds in which a command has to end, whatever was broken: nothing may hang for ever."""
_TRIES: Final = 5


@dataclass(frozen=True)
class Fault:
    """Something that breaks.

    Attributes
    ----------
    name
        In a few words, for the table.
    strike
        Breaks it, in the midst of a run; told the world and the run.
    cure
        What the operator, or time, does about it; `None` where nothing is to be done.
    after
        Seconds from the one to the other.
    before
        What has to be so before the run begins.
    once
        Products of the first site that are there when it strikes.
    replicas
        Whether both sites hold all raw files.
    """

    name: str
    strike: Callable[[World, Going], None]
    cure: Callable[[World, Going], None] | None = None
    after: float = 3.0
    before: Callable[[World, Going], None] | None = None
    once: int = 1
    replicas: bool = False


@dataclass
class Going:
    """A run under way.

    Attributes
    ----------
    observation
        What it makes products of.
    kept
        What a fault has to remember until it is cured.
    environment
        Of the operator's command.
    """

    observation: str
    kept: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    _command: Command | None = None

    @property
    def command(self) -> Command:
        """The operator's command; of a run that has begun."""
        assert self._command is not None
        return self._command

    @command.setter
    def command(self, command: Command) -> None:
        self._command = command

    def over(self) -> None:
        """Have the world be again as it was before."""
        if stack := self.kept.get("stack"):
            stack.close()


@dataclass(frozen=True)
class Verdict:
    """What became of a run.

    Attributes
    ----------
    fault
        Its name.
    units, quarantined, lost, doubled
        How many there were, how many have a named reason to have no product, and the two that must be 0.
    commands
        How often the operator gave the command until it said that all is done.
    recovery
        Seconds from the fault to the end.
    fsck
        Kinds of differences that ``fsck --deep`` found afterwards, with their numbers.
    mended
        Kinds that are left after ``fsck --repair``.
    same
        Products that an undisturbed run makes byte for byte.
    said
        What the command that the fault broke told the operator.
    """

    fault: str
    units: int
    quarantined: int
    lost: int
    doubled: int
    commands: int
    recovery: float
    fsck: dict[str, int]
    mended: dict[str, int]
    same: int
    said: str

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled, changed, or left in disorder."""
        made = self.units - self.quarantined
        return not (self.lost or self.doubled or self.mended) and self.same == made


def try_fault(world: World, fault: Fault, units: int) -> Verdict:
    """Bring a fault upon a run of so many units at two sites, and judge.

    Raises
    ------
    TimeoutError
        When something hangs, or never comes to be.
    """
    going = Going(world.take_in({NORTH: units - units // 2, SOUTH: units // 2}))
    if fault.replicas:
        _copy_everywhere(world, going.observation, units)
    if fault.before is not None:
        fault.before(world, going)
    going.command = begin(world, going)
    eventually(lambda: _made(world, NORTH, going) >= fault.once or going.command.is_over, LIMIT)
    struck = time.monotonic()
    try:
        fault.strike(world, going)
        commands, said = _until_done(world, fault, going, struck)
    finally:
        going.over()
    recovery = time.monotonic() - struck
    return _judged(world, fault, going, units, commands, recovery, said)


def _until_done(world: World, fault: Fault, going: Going, struck: float) -> tuple[int, str]:
    """Cure the fault in its time, and give the command again as long as it says that it could not end."""
    cure, said = fault.cure, ""
    for number in range(1, _TRIES + 1):
        while not going.command.is_over:
            if cure is not None and time.monotonic() - struck > fault.after:
                cure(world, going)
                cure = None
            if time.monotonic() - struck > LIMIT * number:
                raise TimeoutError(f"{fault.name}: the command hangs")
            _drain(going.command)
        ended = _ended(going.command)
        if cure is not None:
            cure(world, going)
            cure = None
        if ended.code == 0:
            return number, said
        said = said or _last(ended).replace(str(world.home.path), "HOME")
        world.up()
        going.environment = {}
        going.command = begin(world, going)
    raise TimeoutError(f"{fault.name}: {_TRIES} commands, and the last said: {said}")


def _drain(command: Command) -> None:
    try:
        command.process.wait(0.2)
    except subprocess.TimeoutExpired:
        return


def _ended(command: Command) -> Ended:
    return command.wait(60.0)


def _last(ended: Ended) -> str:
    told = [line.strip() for line in ended.errors.splitlines() if line.strip()]
    return f"[{ended.code}] " + " ".join(told[-4:])[-300:] if told else f"[{ended.code}]"


def begin(world: World, going: Going) -> Command:
    words = ("process", RECIPE, "--observation", going.observation, "--site", NORTH, "--site", SOUTH)
    return world.heliolake(*words, environment=going.environment)


def _made(world: World, site: str, going: Going) -> int:
    """Products of a site that lie there."""
    root = world.book.part(site).rse_root
    day = going.observation.rpartition("_")[2]
    return sum(1 for path in root.rglob(f"*{day}*l15*.fits") if not path.name.startswith("."))


def _copy_everywhere(world: World, observation: str, units: int) -> None:
    """Have Rucio copy the raw files to both sites."""
    from lake.rucio import copies

    with world.lake() as lake:
        raw = [(row.scope, row.name) for row in _raw(lake, observation)]
        assert len(raw) == units
        rses = [world.book.site(one).rse for one in (NORTH, SOUTH)]
        for rse in rses:
            copies.stage(lake.rucio, raw, rse, 14 * 86400)

        def everywhere() -> bool:
            found = copies.where(lake.rucio, raw)
            return all(set(rses) <= set(found[did]) for did in raw)

        eventually(everywhere, 300.0, every=1.0)


def _raw(lake: Lake, observation: str) -> list[Any]:
    return _rows(lake, observation, "level = '1'")


def _rows(lake: Lake, observation: str, which: str) -> list[Any]:
    day = observation.rpartition("_")[2]
    query = text(f"SELECT scope, name, unit_id FROM file WHERE name LIKE :name AND {which}")  # noqa: S608
    with transaction(lake.sessions) as session:
        return list(session.execute(query, {"name": f"%{day}%"}))


def _judged(
    world: World, fault: Fault, going: Going, units: int, commands: int, recovery: float, said: str
) -> Verdict:
    with world.lake() as lake:
        rows = _rows(lake, going.observation, "level <> '1'")
        releases = _releases(lake, going.observation)
        aside = _put_aside(lake, going.observation)
    made = Counter(row.unit_id for row in rows)
    doubled = sum(number - 1 for number in made.values()) + max(0, releases - 1)
    first = _differences(world)
    mended = _differences(world, repair=True) if first else {}
    same = _made_again(world, going, [(row.scope, row.name) for row in rows])
    lost = units - len(made) - aside
    return Verdict(fault.name, units, aside, lost, doubled, commands, recovery, first, mended, same, said)


def _differences(world: World, *, repair: bool = False) -> dict[str, int]:
    """What is wrong by kinds, with their numbers; where it is repaired, what is wrong still."""
    with world.lake() as lake:
        if repair:
            # Nobody works any more: what a killed process left behind has no writer that could come back.
            fsck(lake, deep=True, repair=True, grace_seconds=0)
        found = fsck(lake, deep=True)["differences"]
    return dict(Counter(str(one["kind"]) for one in found))


def _releases(lake: Lake, observation: str) -> int:
    """How many versions of the product there are."""
    query = text(
        "SELECT count(*) FROM release r JOIN product p ON p.id = r.product_id "
        "WHERE p.name LIKE :name AND r.status IN ('ACTIVE', 'SUPERSEDED') AND r.level <> '1'"
    )
    with transaction(lake.sessions) as session:
        return int(session.execute(query, {"name": f"%{observation}%"}).scalar_one())


def _put_aside(lake: Lake, observation: str) -> int:
    query = text("SELECT count(DISTINCT unit_id) FROM unit WHERE product LIKE :name AND state='quarantined'")
    with transaction(lake.sessions) as session:
        return int(session.execute(query, {"name": f"%{observation}%"}).scalar_one())


def _made_again(world: World, going: Going, products: list[tuple[str, str]]) -> int:
    """How many products an undisturbed run makes byte for byte as they were.

    They are taken away; the command makes again what is lost, and puts nothing back that has other sums.
    """
    with world.lake() as lake:
        for did in products:
            for rse in ("NORTH", "SOUTH"):
                lake.at(rse).store.remove(key_of(*did))
    document = world.told(
        "process", RECIPE, "--observation", going.observation, "--site", NORTH, "--site", SOUTH
    )
    with world.lake() as lake:
        fsck(lake, repair=True, grace_seconds=0)
    return len(document["put_back"])
