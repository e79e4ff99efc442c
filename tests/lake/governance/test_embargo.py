"""An embargo is decided by people, inherited by all that is made of it, and ended by the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from lake.catalogue.models import Product, Reference, Release
from lake.catalogue.session import transaction
from lake.entries import FileEntry, iso
from lake.errors import BadInput, Retriable
from lake.governance import embargo, standing
from lake.governance.embargo import Default
from lake.governance.policy import OWNER, Principal, Terms
from lake.governance.target import Target
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, discard, reserve
from lake.releases.releases import extend
from lake.releases.releases import publish as publish_release
from lake.releases.withdrawal import withdraw

MakeFiles = Callable[..., list[FileEntry]]
Publish = Callable[..., str]
NOW = datetime.now(UTC).replace(microsecond=0)
SOON, LATER, LATEST = (NOW + timedelta(days=days) for days in (100, 200, 300))


@pytest.fixture
def publish(lake: Lake, scope: str, make_files: MakeFiles) -> Publish:
    """Publish the next version of a product of this test's instrument; gives back its name."""
    count = 0

    def make(observation: str, level: str = "0", **provenance: object) -> str:
        nonlocal count
        count += 1
        files = make_files(f"{observation}_{level.replace('.', '')}_{count}.fits", level=level)
        made = extend(lake, ProductKey(scope, observation, level), files, Provenance(**provenance))  # type: ignore[arg-type]
        assert made is not None
        return f"{made['product']}@v{made['version']:04d}"

    return make


@pytest.fixture
def terms(lake: Lake) -> Callable[[str], Terms]:
    """The terms of a release, as its row has them."""

    def look(name: str) -> Terms:
        product, _, version = name.partition("@v")
        with transaction(lake.sessions) as session:
            row = session.scalars(
                select(Release).join(Product).where(Product.name == product, Release.version == int(version))
            ).one()
            return Terms(row.status, row.embargo_until, list(row.embargo_holders), row.scope)

    return look


Look = Callable[[str], Terms]


def put(lake: Lake, target: Target, until: datetime, *holders: str, **more: str) -> embargo.Decision:
    return embargo.put(
        lake, target, until, holders=list(holders), reason=more.get("reason", "first paper"), principal=OWNER
    )


def test_an_embargo_on_an_observation_reaches_all_versions_and_levels_of_it(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    several = [publish("one"), publish("one"), publish("one", "1"), publish("two")]
    decision = put(lake, Target(scope, "one"), LATER, "ada", "group:team")
    assert [terms(name).embargo_until for name in several] == [LATER, LATER, LATER, None]
    assert terms(several[0]).embargo_holders == ["ada", "group:team"]
    assert {one.release for one in decision.changed} == set(several[:3])


def test_what_is_published_later_is_under_the_embargo_of_its_observation(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    publish("one")
    put(lake, Target(scope, "one"), LATER, "ada")
    assert terms(publish("one")).embargo_until == LATER
    assert terms(publish("one", "1.5")).embargo_holders == ["ada"]


def test_what_was_made_of_several_is_under_the_strictest_of_them_whenever_it_was_decided(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    first, second = publish("a"), publish("b")
    made = publish("map", "1", parents=[first, second])
    again = publish("movie", "2", parents=[made])
    put(lake, Target(scope, "a"), SOON, "ada", "bo")
    put(lake, Target(scope, "b"), LATER, "bo", "cy")
    assert (terms(made).embargo_until, terms(made).embargo_holders) == (LATER, ["bo"])
    assert terms(again) == terms(made)
    embargo.lift(lake, Target(scope, "b"), reason="published", principal=OWNER)
    assert (terms(again).embargo_until, terms(again).embargo_holders) == (SOON, ["ada", "bo"])


def test_what_a_reference_was_made_of_is_inherited_by_what_it_calibrates(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    dark, frame = publish("dark"), publish("sun")
    did = f"references:{scope}_dark.v0001.fits"
    with transaction(lake.sessions) as session:
        session.add(
            Reference(need="dark", instrument=scope, did=did, sha256="0" * 64, source="", parents=[dark])
        )
    made = publish("sun", "1", parents=[frame], refs=[did])
    assert terms(made).embargo_until is None
    put(lake, Target(scope, "dark"), LATER, "ada")
    assert terms(made).embargo_until == LATER
    assert terms(publish("moon", "1", refs=[did])).embargo_until == LATER


def test_a_new_version_of_freer_inputs_shortens_nothing(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    held, free = publish("held"), publish("free")
    put(lake, Target(scope, "held"), LATER)
    publish("map", "1", parents=[held])
    assert terms(publish("map", "1", parents=[free])).embargo_until == LATER


def test_an_embargo_on_a_proposal_reaches_all_that_belong_to_it_those_to_come_included(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    one = publish("one", observation_meta={"proposal": "P7"})
    other = publish("other", observation_meta={"proposal": "P8"})
    put(lake, Target(scope, key="proposal", value="P7"), LATER, "ada")
    late = publish("late", observation_meta={"proposal": "P7"})
    both = publish("both", observation_meta={"proposal": ["P7", "P8"]})
    assert [terms(name).embargo_until for name in (one, other, late, both)] == [LATER, None, LATER, LATER]
    embargo.lift(lake, Target(scope, key="proposal", value="P7"), reason="accepted", principal=OWNER)
    assert {terms(name).embargo_until for name in (one, late, both)} == {None}


def test_a_number_that_is_typed_means_the_text_of_a_header_too(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    as_text = publish("text", observation_meta={"campaign": "12"})
    as_number = publish("number", observation_meta={"campaign": [11, 12]})
    decision = put(lake, Target.of_text("campaign=12", scope), LATER)
    assert decision.observations == 2
    assert [terms(name).embargo_until for name in (as_text, as_number)] == [LATER, LATER]


def test_an_instruments_default_counts_from_the_end_of_the_observation_and_moves_with_it_only(
    lake: Lake, scope: str, make_files: MakeFiles, terms: Look
) -> None:
    key = ProductKey(scope, "day", "0")
    extend(lake, key, make_files("a.fits"), Provenance(embargo=Default(1200, ["group:team"])))
    first = terms(f"{key.name}@v0001")
    assert first.embargo_until == datetime(2120, 1, 1, 0, 1, tzinfo=UTC)
    assert first.embargo_holders == ["group:team"]
    extend(lake, key, make_files("b.fits", "c.fits"), Provenance(embargo=Default(1, [])))
    assert terms(f"{key.name}@v0002").embargo_until == first.embargo_until
    embargo.lift(lake, Target(scope, "day"), reason="the PI agrees", principal=OWNER)
    extend(lake, key, make_files("d.fits"), Provenance(embargo=Default(1200, [])))
    assert terms(f"{key.name}@v0003").embargo_until is None


def test_a_decision_of_a_person_comes_before_the_instruments_default(
    lake: Lake, scope: str, make_files: MakeFiles, terms: Look
) -> None:
    key = ProductKey(scope, "day", "0")
    meta = {"proposal": "P9"}
    extend(lake, key, make_files("a.fits"), Provenance(embargo=Default(1200), observation_meta=meta))
    embargo.lift(lake, Target(scope, key="proposal", value="P9"), reason="open data", principal=OWNER)
    assert terms(f"{key.name}@v0001").embargo_until is None


def test_an_embargo_on_a_proposal_that_ends_before_the_default_does_not_cut_it(
    lake: Lake, scope: str, make_files: MakeFiles, terms: Look
) -> None:
    put(lake, Target(scope, key="proposal", value="P4"), SOON, "ada")
    key = ProductKey(scope, "day", "0")
    meta = {"proposal": "P4"}
    extend(lake, key, make_files("a.fits"), Provenance(embargo=Default(1200), observation_meta=meta))
    assert terms(f"{key.name}@v0001").embargo_until == datetime(2120, 1, 1, 0, 1, tzinfo=UTC)
    embargo.lift(
        lake, Target(scope, key="proposal", value="P4"), at=NOW + timedelta(50), reason="x", principal=OWNER
    )
    assert terms(f"{key.name}@v0001").embargo_until == NOW + timedelta(50)


def test_what_was_withdrawn_on_its_way_is_not_published(
    lake: Lake, scope: str, make_files: MakeFiles, publish: Publish
) -> None:
    key = ProductKey(scope, "one", "0")
    files = make_files("a.fits", "b.fits")
    extend(lake, key, files[:1])
    begun = reserve(lake, key, "k")
    withdraw(lake, f"{key.name}@v0001", reason="wrong", principal=OWNER)
    with pytest.raises(Retriable, match="was withdrawn while it was published"):
        publish_release(lake, begun, files)


def test_a_version_that_is_published_late_hands_its_embargo_to_those_before_it_in_time(
    lake: Lake, scope: str, publish: Publish, make_files: MakeFiles, terms: Look
) -> None:
    held, free = publish("held"), publish("free")
    put(lake, Target(scope, "held"), LATER)
    key = ProductKey(scope, "map", "1")
    late = reserve(lake, key, "late", parents=[held])
    publish("map", "1", parents=[free])
    assert terms(f"{key.name}@v0002").embargo_until is None
    publish_release(lake, late, make_files("late.fits", level="1"), Provenance(parents=[held]))
    assert terms(f"{key.name}@v0002").embargo_until == LATER


def test_an_end_that_would_come_earlier_is_refused_unless_it_is_said(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    one = publish("one", observation_meta={"proposal": f"of {scope}"})
    put(lake, Target(scope, "one"), LATER, "ada")
    for target in (Target(scope, "one"), Target(scope, key="proposal", value=f"of {scope}")):
        with pytest.raises(BadInput, match="shorten"):
            put(lake, target, SOON)
    embargo.lift(lake, Target(scope, "one"), at=SOON, reason="agreed", principal=OWNER)
    assert (terms(one).embargo_until, terms(one).embargo_holders) == (SOON, ["ada"])


def test_an_extension_keeps_the_holders_and_needs_a_reason_and_a_later_end(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    one, target = publish("one"), Target(scope, "one")
    with pytest.raises(BadInput, match="no embargo"):
        embargo.extend(lake, target, LATER, reason="delay", principal=OWNER)
    put(lake, target, LATER, "ada")
    with pytest.raises(BadInput, match="needs a reason"):
        embargo.extend(lake, target, LATEST, reason=" ", principal=OWNER)
    with pytest.raises(BadInput, match="an extension ends later"):
        embargo.extend(lake, target, SOON, reason="delay", principal=OWNER)
    embargo.extend(lake, target, LATEST, reason="delay", principal=OWNER)
    assert (terms(one).embargo_until, terms(one).embargo_holders) == (LATEST, ["ada"])


def test_only_curators_of_the_instrument_decide(lake: Lake, scope: str, publish: Publish) -> None:
    publish("one")
    for stranger in (Principal(), Principal("ada"), Principal("cy", curates=frozenset({"other"}))):
        with pytest.raises(BadInput, match="does not decide") as refused:
            embargo.put(lake, Target(scope, "one"), LATER, reason="x", principal=stranger)
        assert refused.value.code == "not-allowed"
    curator = Principal("cy", curates=frozenset({scope}))
    embargo.put(lake, Target(scope, "one"), LATER, reason="first paper", principal=curator)
    with pytest.raises(BadInput, match="all instruments"):
        embargo.put(lake, Target(key="proposal", value="P1"), LATER, reason="x", principal=curator)


def test_what_cannot_be_decided_is_refused_in_words(lake: Lake, scope: str, publish: Publish) -> None:
    publish("one")
    with pytest.raises(BadInput, match="no observation"):
        put(lake, Target(scope, "none"), LATER)
    with pytest.raises(BadInput, match="lies ahead"):
        put(lake, Target(scope, "one"), NOW - timedelta(days=1))
    with pytest.raises(BadInput, match="no name for an account"):
        put(lake, Target(scope, "one"), LATER, "Ada Lovelace")
    with pytest.raises(BadInput, match="nothing is decided"):
        embargo.lift(lake, Target(scope, "one"), reason="x", principal=OWNER)


def test_all_decisions_are_kept_with_who_took_them_and_why(lake: Lake, scope: str, publish: Publish) -> None:
    name = publish("one")
    target = Target(scope, "one")
    put(lake, target, SOON, "ada", reason="first paper")
    embargo.extend(lake, target, LATER, reason="referee", principal=OWNER)
    told = standing.show(lake, target, OWNER)
    assert [(row["reason"], row["by"]) for row in told["history"]] == [
        ("first paper", "owner"),
        ("referee", "owner"),
    ]
    assert [row["reason"] for row in told["decided"]] == ["referee"]
    assert told["releases"][0] | {"status": ""} == {
        "release": name,
        "status": "",
        "embargo_until": iso(LATER),
        "embargo_holders": ["ada"],
        "under_embargo": True,
    }


def test_what_ends_soon_is_listed_the_next_first(lake: Lake, scope: str, publish: Publish) -> None:
    names = [publish("one"), publish("two"), publish("three")]
    for observation, end in (("one", LATER), ("two", SOON), ("three", LATEST)):
        put(lake, Target(scope, observation), end)
    ends = standing.due(lake, timedelta(days=250), OWNER)["due"]
    listed = [one["release"] for one in ends if scope in one["release"]]
    assert listed == [names[1], names[0]]


def test_of_very_much_under_a_value_one_page_is_told_at_a_time_and_all_is_counted(
    lake: Lake, scope: str, publish: Publish
) -> None:
    target = Target(scope, "", "proposal", "P9")
    names = sorted(publish(f"o{number}", observation_meta={"proposal": "P9"}) for number in range(5))
    put(lake, target, LATER)
    pages: list[list[str]] = []
    after = ""
    while not pages or after:
        told = standing.show(lake, target, OWNER, limit=2, after=after)
        assert (told["observations"], told["number"], told["under_embargo"]) == (5, 5, 5)
        assert [row["target"] for row in told["decided"]] == [str(target)]
        pages.append([one["release"] for one in told["releases"]])
        after = told["more"]
    assert pages == [names[:2], names[2:4], names[4:]]
    for place in ("o1", "o1@v1x", "\x00@v0001", "@v0001"):
        with pytest.raises(BadInput, match="no place in a listing"):
            standing.show(lake, target, OWNER, after=place)


def test_what_ends_soon_is_told_page_by_page_those_that_end_together_too(
    lake: Lake, scope: str, publish: Publish
) -> None:
    names = sorted(publish(f"o{number}", observation_meta={"proposal": "P8"}) for number in range(5))
    put(lake, Target(scope, "", "proposal", "P8"), SOON + timedelta(microseconds=1))
    found, after = [], ""
    while True:
        told = standing.due(lake, timedelta(days=250), OWNER, limit=2, after=after)
        assert len(told["due"]) <= 2
        assert told["number"] >= 5
        found += [one["release"] for one in told["due"] if scope in one["release"]]
        if not (after := told["more"]):
            break
    assert found == names
    for place in ("yesterday/a", "2024-01-01", "\x00/a"):
        with pytest.raises(BadInput, match="no place in a listing"):
            standing.due(lake, timedelta(days=250), OWNER, after=place)


@pytest.mark.parametrize(
    ("text", "instrument", "meant"),
    [
        ("gris:20240101_001", None, Target("gris", "20240101_001")),
        ("gris:20240101_001.l15@v0002", None, Target("gris", "20240101_001")),
        ("20240101_001", "gris", Target("gris", "20240101_001")),
        ("proposal=P7", None, Target("", "", "proposal", "P7")),
        ("gris:proposal=P7", None, Target("gris", "", "proposal", "P7")),
        ("campaign=12", "gris", Target("gris", "", "campaign", 12)),
        ("campaign=-1.50", "gris", Target("gris", "", "campaign", -1.5)),
        ("campaign=2.0", "gris", Target("gris", "", "campaign", 2)),
        ("campaign=0123", "gris", Target("gris", "", "campaign", "0123")),
        ("campaign=2024_1", "gris", Target("gris", "", "campaign", "2024_1")),
        ("campaign=12E3", "gris", Target("gris", "", "campaign", "12E3")),
        ("campaign=nan", "gris", Target("gris", "", "campaign", "nan")),
        ('campaign="12"', "gris", Target("gris", "", "campaign", "12")),
    ],
)
def test_a_target_is_what_a_person_writes(text: str, instrument: str | None, meant: Target) -> None:
    assert Target.of_text(text, instrument) == meant


@pytest.mark.parametrize("text", ["", "=", "a=", "=b", "observation", "gris:", "x\n:y", "a" * 300])
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not clear"):
        Target.of_text(text)


def test_a_version_that_is_begun_states_the_embargo_of_that_moment_for_its_headers(
    lake: Lake, scope: str, publish: Publish
) -> None:
    raw = publish("one")
    put(lake, Target(scope, "one"), SOON)
    key = ProductKey(scope, "map", "1")
    begun = reserve(lake, key, "k", parents=[raw])
    embargo.extend(lake, Target(scope, "one"), LATER, reason="delay", principal=OWNER)
    assert begun.embargo_stated == SOON
    assert reserve(lake, key, "k", parents=[raw]) == begun
    discard(lake, key, "k")


def test_a_value_that_comes_in_late_puts_older_releases_and_what_was_made_of_them_under_embargo(
    lake: Lake, scope: str, publish: Publish, terms: Look
) -> None:
    put(lake, Target(scope, key="proposal", value="P3"), LATER)
    old = publish("one", observation_meta={"proposal": "P2"})
    made = publish("film", "1", parents=[old])
    assert terms(made).embargo_until is None
    publish("one", observation_meta={"proposal": "P3"})
    assert [terms(name).embargo_until for name in (old, made)] == [LATER, LATER]


def test_an_embargo_that_is_set_while_something_is_made_holds_for_it(
    lake: Lake, scope: str, publish: Publish, make_files: MakeFiles, terms: Look
) -> None:
    raw = publish("one")
    key = ProductKey(scope, "film", "1")
    begun = reserve(lake, key, "k", parents=[raw])
    put(lake, Target(scope, "one"), LATER, "ada")
    publish_release(lake, begun, make_files("film.fits", level="1"), Provenance(parents=[raw]))
    assert begun.embargo_stated is None
    assert (terms(f"{key.name}@v0001").embargo_until, terms(f"{key.name}@v0001").embargo_holders) == (
        LATER,
        ["ada"],
    )
