"""Who does what: each piece of work goes to the site where it costs least, where it may go at all.

What a site costs is the time its missing inputs take to get there, what is paid for fetching them, and the
time until its workers come to it. Data under embargo go only where they may lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.plan.units import PlannedUnit
from cluster.sites.site import Sites
from lake.releases.places import Places

#: Bytes of input that a worker gets through in a second, as long as nothing was measured.
USUAL_SPEED: Final = 20e6


@dataclass
class Desk:
    """What the broker knows of one site.

    Attributes
    ----------
    name, rse
        The site, and its storage element.
    workers
        How many work at once.
    embargoed
        Instruments whose data may lie there under embargo; None for all.
    queue
        Seconds until its workers come to something new.
    """

    name: str
    rse: str
    workers: int = 1
    embargoed: frozenset[str] | None = None
    queue: float = 0.0

    def may_hold(self, scope: str) -> bool:
        """Whether data of an instrument may lie here under embargo."""
        return self.embargoed is None or scope in self.embargoed


@dataclass(frozen=True)
class Assignment:
    """Where a piece of work is to be done, and what has to be brought there for it.

    Attributes
    ----------
    units
        The units of the work: one, or those of all outputs of the same files.
    site
        Name of the site; '' where none may have it.
    missing
        DIDs of its inputs that are not there, and where each comes from ('' from nowhere).
    bytes
        Their size.
    seconds
        How long they take.
    """

    units: tuple[PlannedUnit, ...]
    site: str
    missing: Mapping[str, str] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0


class Broker:
    """Gives work to sites.

    Parameters
    ----------
    sites
        The ways between them.
    desks
        Those that take work.
    everywhere
        All storage elements and the names of their sites, also of those that take none: data come from there.
    places
        Where the inputs lie.
    """

    def __init__(
        self, sites: Sites, desks: Sequence[Desk], everywhere: Mapping[str, str], places: Places
    ) -> None:
        self._sites = sites
        self._desks = list(desks)
        self._everywhere = everywhere
        self._places = places

    def assign(self, units: Sequence[PlannedUnit]) -> Iterator[Assignment]:
        """A site for each piece of work, in the order of the units; each makes the queue there longer."""
        together: dict[str, list[PlannedUnit]] = {}
        for unit in units:
            together.setdefault(unit.work or unit.unit_id, []).append(unit)
        wanted = {did: parent for members in together.values() for did, parent, _ in _inputs(members[0])}
        lies = self._places.of_files(wanted.items())
        for members in together.values():
            yield self._cheapest(members, lies)

    def _cheapest(self, members: Sequence[PlannedUnit], lies: Mapping[str, frozenset[str]]) -> Assignment:
        offers = [self._offer(desk, members, lies) for desk in self._desks if self._may(desk, members[0])]
        if not offers:
            return Assignment(tuple(members), "")
        queues = {desk.name: desk for desk in self._desks}
        best = min(offers, key=lambda one: (_unreachable(one), one.seconds + queues[one.site].queue))
        desk = queues[best.site]
        desk.queue += sum(file.size for file in members[0].files) / USUAL_SPEED / desk.workers
        return best

    def _may(self, desk: Desk, unit: PlannedUnit) -> bool:
        """Whether its inputs may lie at a site: what is under embargo only where that is allowed."""
        for parent in unit.parents:
            release = self._places.releases.get(parent)
            if release is not None and release.held and not desk.may_hold(release.scope):
                return False
        held = self._places.held
        return all(desk.may_hold(held[did]) for did in unit.reference_dids if did in held)

    def _offer(
        self, desk: Desk, members: Sequence[PlannedUnit], lies: Mapping[str, frozenset[str]]
    ) -> Assignment:
        missing: dict[str, str] = {}
        total, seconds = 0, 0.0
        for did, _, size in _inputs(members[0]):
            there = lies.get(did, frozenset())
            if desk.rse in there:
                continue
            ways = [
                (self._sites.seconds(self._everywhere[rse], desk.name, size), self._everywhere[rse])
                for rse in there
                if rse in self._everywhere
            ]
            takes, source = min(ways, default=(0.0, ""))
            missing[did] = source
            total += size
            seconds += takes
        if missing:
            seconds += self._sites.latency
        return Assignment(tuple(members), desk.name, missing, total, seconds)


def _unreachable(one: Assignment) -> int:
    """Inputs that come from nowhere: a site that needs none of them is better, however far the others are."""
    return sum(not source for source in one.missing.values())


def _inputs(unit: PlannedUnit) -> Iterator[tuple[str, str, int]]:
    """Every file a unit reads: DID, the release it was found in ('' for a reference), and size."""
    for member in unit.members:
        yield member.file.did, member.parent, member.file.size
        for chosen in member.references.values():
            yield chosen.did, "", 0
