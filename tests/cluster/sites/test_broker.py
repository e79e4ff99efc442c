"""Who does what: where the inputs lie, unless the way is short and the queue long; embargo before all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from cluster.plan.units import Chosen, Member, PlannedUnit
from cluster.sites.broker import USUAL_SPEED, Broker, Desk
from cluster.sites.site import Link, Site, Sites
from lake.entries import FileEntry
from lake.names import ProductKey
from lake.releases.places import Lies, Places

SITES = Sites(
    sites={"north": Site(rse="NORTH"), "south": Site(rse="SOUTH")},
    links=(Link(source="north", target="south", bandwidth=1e6),),
    bandwidth=1e9,
    latency=0.0,
)
EVERYWHERE = {"NORTH": "north", "SOUTH": "south", "EAST": "east"}


class Known(Places):
    """Places that are known without asking."""

    def __init__(self, where: Mapping[str, set[str]], *, held: bool = False) -> None:
        self.where = where
        self.held = {}
        self.releases = {"toy:a.l0@v0001": Lies("toy", held, frozenset())}

    def of_files(self, wanted: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
        return {did: frozenset(self.where.get(did, ())) for did, _ in wanted}


def unit(number: int, size: int = 10**6, reference: str = "", work: str = "") -> PlannedUnit:
    name = f"f{number}.fits"
    file = FileEntry("toy", name, "0", f"f{number}", size, "", "")
    chosen = {"flat": Chosen(reference, "", "")} if reference else {}
    return PlannedUnit(
        f"u{number}{work}", ProductKey("toy", "a", "1"), (Member(file, "toy:a.l0@v0001", chosen),), work=work
    )


def desks(**queues: float) -> list[Desk]:
    return [Desk(name, name.upper(), queue=queue) for name, queue in queues.items()]


def sites_of(broker: Broker, units: list[PlannedUnit]) -> list[str]:
    return [one.site for one in broker.assign(units)]


def test_units_go_where_their_inputs_lie() -> None:
    places = Known({"toy:f0.fits": {"NORTH"}, "toy:f1.fits": {"SOUTH"}, "toy:f2.fits": {"NORTH"}})
    broker = Broker(SITES, desks(south=0, north=0), EVERYWHERE, places)
    assert sites_of(broker, [unit(n) for n in range(3)]) == ["north", "south", "north"]


def test_a_long_queue_sends_them_away_where_the_way_is_short() -> None:
    places = Known({f"toy:f{n}.fits": {"SOUTH"} for n in range(4)})
    broker = Broker(SITES, desks(south=0, north=0), EVERYWHERE, places)
    made = list(broker.assign([unit(n) for n in range(4)]))
    assert [one.site for one in made] == ["south", "north", "south", "north"]
    assert made[1].missing == {"toy:f1.fits": "south"}
    assert made[1].bytes == 10**6
    assert made[1].seconds == pytest.approx(1e-3)


def test_they_wait_until_asking_for_copies_is_quicker() -> None:
    slow = SITES.model_copy(update={"latency": 0.12})
    places = Known({f"toy:f{n}.fits": {"SOUTH"} for n in range(5)})
    made = list(Broker(slow, desks(south=0, north=0), EVERYWHERE, places).assign([unit(n) for n in range(5)]))
    assert [one.site for one in made] == ["south", "south", "south", "north", "south"]


def test_they_wait_where_the_way_is_long() -> None:
    places = Known({f"toy:f{n}.fits": {"NORTH"} for n in range(4)})
    broker = Broker(SITES, desks(south=0, north=0), EVERYWHERE, places)
    assert sites_of(broker, [unit(n) for n in range(4)]) == ["north"] * 4


def test_a_queue_is_as_long_as_what_was_given_to_so_many_workers() -> None:
    desk = Desk("north", "NORTH", workers=2)
    places = Known({"toy:f0.fits": {"NORTH"}})
    list(Broker(SITES, [desk], EVERYWHERE, places).assign([unit(0, size=int(USUAL_SPEED))]))
    assert desk.queue == pytest.approx(0.5)


def test_references_are_inputs_too() -> None:
    places = Known({"toy:f0.fits": {"NORTH", "SOUTH"}, "references:flat.fits": {"SOUTH"}})
    broker = Broker(SITES, desks(north=0, south=0), EVERYWHERE, places)
    (one,) = broker.assign([unit(0, reference="references:flat.fits")])
    assert one.missing == ({} if one.site == "south" else {"references:flat.fits": "south"})


def test_the_nearest_of_several_copies_is_taken() -> None:
    places = Known({"toy:f0.fits": {"NORTH", "EAST"}})
    (one,) = Broker(SITES, desks(south=0), EVERYWHERE, places).assign([unit(0)])
    assert one.missing == {"toy:f0.fits": "east"}


def test_a_site_that_needs_what_nobody_has_is_the_last_choice() -> None:
    places = Known({"toy:f0.fits": {"LOST"}, "references:flat.fits": {"SOUTH"}})
    (one,) = Broker(SITES, desks(south=0), EVERYWHERE, places).assign(
        [unit(0, reference="references:flat.fits")]
    )
    assert one.missing == {"toy:f0.fits": ""}


def test_what_is_under_embargo_goes_only_where_it_may() -> None:
    north, south = Desk("north", "NORTH", embargoed=frozenset()), Desk("south", "SOUTH", queue=1e6)
    places = Known({"toy:f0.fits": {"NORTH"}}, held=True)
    assert sites_of(Broker(SITES, [north, south], EVERYWHERE, places), [unit(0)]) == ["south"]
    assert sites_of(Broker(SITES, [north], EVERYWHERE, places), [unit(0)]) == [""]
    free = Known({"toy:f0.fits": {"NORTH"}})
    assert sites_of(Broker(SITES, [north, south], EVERYWHERE, free), [unit(0)]) == ["north"]


def test_a_reference_under_embargo_keeps_its_units_away_too() -> None:
    north, south = Desk("north", "NORTH", embargoed=frozenset({"toy"})), Desk("south", "SOUTH", queue=1e6)
    places = Known({"toy:f0.fits": {"NORTH"}})
    places.held = {"references:flat.fits": "references"}
    broker = Broker(SITES, [north, south], EVERYWHERE, places)
    assert sites_of(broker, [unit(0, reference="references:flat.fits")]) == ["south"]
    assert sites_of(broker, [unit(0)]) == ["north"]


def test_all_outputs_of_the_same_files_are_made_at_one_site() -> None:
    places = Known({"toy:f0.fits": {"NORTH"}})
    both = [unit(0, work="w"), PlannedUnit("other", ProductKey("toy", "a", "Q1"), unit(0).members, work="w")]
    (one,) = Broker(SITES, desks(north=0, south=0), EVERYWHERE, places).assign(both)
    assert one.units == tuple(both)
