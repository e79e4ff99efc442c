"""Every route to the data asks the policy: who may not have a release gets nothing of it, by no way.

Releases: under embargo, withdrawn, public, and a draft. Askers: the public, a stranger, a holder, a member of
a group that holds, a curator of the instrument. What must not leak: bytes, places, checksums that would
confirm a guess; in what is printed, raised and written alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

import heliolake
from cluster.home.home import Home
from heliolake import Connection
from lake.errors import BadInput, Reason
from lake.governance import accounts
from lake.governance.policy import CUSTODY, OWNER, Action, Principal, Terms, may
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import discard, reserve
from lake.releases.search import granted_files
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from tests.heliolake import routes
from tests.heliolake.conftest import Command
from tests.heliolake.routes import Place

DAYS = {"embargoed": 4, "withdrawn": 5, "public": 6, "draft": 7}
ASKERS = ("public", "rt-stranger", "rt-holder", "rt-member", "rt-curator")
UNTIL = datetime(2999, 1, 1, tzinfo=UTC)
HOLDERS = ["group:rt-team", "rt-holder"]


@dataclass(frozen=True)
class Kept:
    """A release of this test, and what of it must not leak."""

    observation: str
    release: str
    terms: Terms
    secrets: frozenset[str]


@pytest.fixture(scope="module")
def lake(home: Home) -> Iterator[Lake]:
    with Lake.open(home.lake_config()) as opened:
        yield opened


@pytest.fixture(scope="module")
def kept(here: Command, lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Kept]]:
    """Four releases, and the accounts that ask for them."""
    found = {}
    for what, day in DAYS.items():
        start = datetime(2008, 7, day, 0, 9, 21, tzinfo=UTC)
        config = SimulationConfig(
            detector="HI2", spacecraft="B", frames=1, size=64, exposures=20, stars=20, start=start
        )
        observation = f"hi2b_s4_200807{day:02d}"
        paths = write_series(tmp_path_factory.mktemp(what), config)
        status = "DRAFT"
        secrets: set[str] = set()
        if what == "draft":
            reserve(lake, ProductKey("stereo_hi", observation, "0"), "routes")
        else:
            assert here("ingest", *paths).code == 0
            status = "WITHDRAWN" if what == "withdrawn" else "ACTIVE"
            for one in granted_files(lake, f"stereo_hi:{observation}.l0", OWNER):
                place = lake.place_of(CUSTODY, one.scope, one.name)
                secrets |= {one.sha256, one.adler32, place}
        terms = Terms(status, UNTIL if what == "embargoed" else None, HOLDERS, "stereo_hi")
        found[what] = Kept(observation, f"stereo_hi:{observation}.l0@v0001", terms, frozenset(secrets))
    held = found["embargoed"]
    options = ["--until", "2999-01-01", "--reason", "routes"]
    for holder in HOLDERS:
        options += ["--holder", holder]
    assert here("embargo", "set", f"stereo_hi:{held.observation}", *options).code == 0
    assert here("withdraw", found["withdrawn"].release, "--yes", "--reason", "routes").code == 0
    for name in ASKERS[1:]:
        more = ["--curator", "--instrument", "stereo_hi"] if name == "rt-curator" else []
        assert here("account", "add", name, *more).code == 0
    assert here("account", "group", "add", "rt-team", "rt-member").code == 0
    yield found
    discard(lake, ProductKey("stereo_hi", found["draft"].observation, "0"), "routes")


def principal(lake: Lake, name: str) -> Principal:
    return Principal() if name == "public" else accounts.principal(lake, name)


def allowed(lake: Lake, name: str, release: Kept) -> bool:
    return may(principal(lake, name), Action.BYTES, release.terms, datetime.now(UTC))


def leaks(release: Kept, *said: str) -> set[str]:
    return {secret for secret in release.secrets if any(secret in one for one in said)}


def written(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_every_command_and_every_call_is_on_the_list() -> None:
    asked = {*routes.BYTES, *routes.METADATA, *routes.GOVERNING}
    assert set(routes.commands()) == asked | routes.OWNERS
    notebook = {*routes.NOTEBOOK_BYTES, *routes.NOTEBOOK_METADATA, *routes.NOTEBOOK_OPERATORS}
    assert set(routes.calls()) == notebook | routes.NOTEBOOK_IDLE


@pytest.mark.parametrize("name", sorted(routes.OWNERS))
def test_commands_of_the_owner_are_nobody_elses(here: Command, name: str) -> None:
    said = here("--as", "public", *name.split())
    assert said.code == 2
    assert "the owner's alone" in " ".join(said.err.replace("│", " ").split())


@pytest.mark.parametrize("what", DAYS)
@pytest.mark.parametrize("asker", ASKERS)
def test_bytes_are_given_by_command_to_those_alone_who_may_have_them(
    here: Command, lake: Lake, kept: dict[str, Kept], asker: str, what: str, tmp_path: Path
) -> None:
    release = kept[what]
    given = allowed(lake, asker, release)
    for name, words in routes.BYTES.items():
        if given and name == "process" and asker != "rt-member":
            continue  # one of those who may is walked through to the end
        folder = tmp_path / name
        folder.mkdir()
        said = here("--as", asker, *words(Place(release.release, release.observation, folder)))
        if given:
            assert said.code == 0, (name, said.err)
        else:
            assert not leaks(release, said.out, said.err), name
            assert not written(folder), name
            # A plan of what is not ACTIVE is an empty one.
            empty = name == "plan" and release.terms.status != "ACTIVE"
            assert said.code == (0 if empty else 2), (name, said.err)


@pytest.mark.parametrize("what", DAYS)
@pytest.mark.parametrize("asker", ASKERS)
def test_what_commands_tell_everybody_confirms_no_guess(
    here: Command, lake: Lake, kept: dict[str, Kept], asker: str, what: str, tmp_path: Path
) -> None:
    told_without_leaks(here, lake, asker, kept[what], [kept[what]], tmp_path)


@pytest.mark.parametrize("asker", ASKERS)
def test_what_commands_tell_that_ask_for_no_release_confirms_no_guess_about_any(
    here: Command, lake: Lake, kept: dict[str, Kept], asker: str, tmp_path: Path
) -> None:
    told_without_leaks(here, lake, asker, None, list(kept.values()), tmp_path)


def told_without_leaks(
    here: Command, lake: Lake, asker: str, asked: Kept | None, about: list[Kept], folder: Path
) -> None:
    """Let all commands tell that ask for this release, or for none, and look for secrets of some releases."""
    of = asked or about[0]
    place = Place(of.release, of.observation, folder)
    hidden = [one for one in about if not allowed(lake, asker, one)]
    for name, words in {**routes.METADATA, **routes.GOVERNING}.items():
        if routes.asks_for_a_release(words) == (asked is not None):
            said = here("--as", asker, *words(place))
            assert "Traceback" not in said.err
            texts = (said.out, said.err, *map(Path.read_text, written(folder)))
            assert not any(leaks(one, *texts) for one in hidden), name


@pytest.mark.parametrize("name", sorted(set(routes.GOVERNING) - {"audit script"}))
@pytest.mark.parametrize("asker", ["public", "rt-member"])
def test_who_is_no_curator_decides_nothing(
    here: Command, kept: dict[str, Kept], asker: str, name: str, tmp_path: Path
) -> None:
    release = kept["public"]
    place = Place(release.release, release.observation, tmp_path)
    own = asker != "public" and name in ("account token list", "account group show")
    said = here("--as", asker, *routes.GOVERNING[name](place))
    assert said.code == 2 or own, said.out


@pytest.mark.parametrize("what", DAYS)
@pytest.mark.parametrize("asker", ASKERS)
def test_a_notebook_gives_bytes_to_those_alone_who_may_have_them(
    home: Home, lake: Lake, kept: dict[str, Kept], asker: str, what: str, tmp_path: Path
) -> None:
    release = kept[what]
    given = allowed(lake, asker, release)
    with heliolake.connect(home.path, account=asker) as connection:
        for number, (name, call) in enumerate(routes.NOTEBOOK_BYTES.items()):
            folder = tmp_path / str(number)
            folder.mkdir()
            place = Place(release.release, release.observation, folder)
            if given:
                call(connection, place)
            else:
                _require_refused(connection, release, name, place)
        for call in routes.NOTEBOOK_METADATA.values():
            if what != "draft":
                told = str(call(connection, Place(release.release, release.observation, tmp_path)))
                assert given or not leaks(release, told)


def _require_refused(connection: Connection, release: Kept, name: str, place: Place) -> None:
    call = routes.NOTEBOOK_BYTES[name]
    if name == "Connection.plan" and release.terms.status != "ACTIVE":
        told = str(call(connection, place))  # an empty one
    else:
        with pytest.raises(BadInput) as refused:
            call(connection, place)
        told = str(refused.value)
        assert refused.value.code is Reason.NOT_ALLOWED or release.terms.status != "ACTIVE", name
    assert not leaks(release, told), name
    assert not written(place.folder), name


@pytest.mark.parametrize("asker", ASKERS)
def test_what_runs_the_data_centre_is_for_operators(home: Home, kept: dict[str, Kept], asker: str) -> None:
    release = kept["public"]
    with heliolake.connect(home.path, account=asker) as connection:
        for name, call in routes.NOTEBOOK_OPERATORS.items():
            with pytest.raises(BadInput, match="run the data centre"):
                call(connection, Place(release.release, release.observation, Path(name)))
