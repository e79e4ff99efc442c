"""A home keeps its identity, ports and passwords to itself."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cluster.home.home import Home
from cluster.home.process import write_private
from cluster.services import ports, status
from lake.errors import Fatal


@pytest.fixture
def fresh(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


def test_the_option_comes_before_the_environment_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HELIOLAKE_HOME", raising=False)
    assert Home.resolve().path == Path("~/.heliolake").expanduser().resolve()
    monkeypatch.setenv("HELIOLAKE_HOME", str(tmp_path / "environment"))
    assert Home.resolve().path == tmp_path / "environment"
    assert Home.resolve(tmp_path / "option").path == tmp_path / "option"


def test_only_the_owner_may_look_inside(fresh: Home) -> None:
    assert fresh.path.stat().st_mode & 0o777 == 0o700
    assert (fresh.path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_creating_it_again_changes_nothing(fresh: Home) -> None:
    before = fresh.identity, fresh.secret("postgres")
    fresh.create()
    assert (fresh.identity, fresh.secret("postgres")) == before


def test_two_homes_share_no_password_and_no_identity(fresh: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    other.create()
    assert fresh.identity != other.identity
    assert fresh.secret("rucio_root") != other.secret("rucio_root")


def test_no_password_shows_in_a_printed_configuration(home: Home) -> None:
    printed = repr(home.lake_config())
    assert home.secret("lake_database") not in printed
    assert home.secret("rucio_root") not in printed


def test_a_home_that_is_not_up_says_what_to_do(fresh: Home) -> None:
    with pytest.raises(Fatal, match=f"heliolake --home {fresh.path} up"):
        fresh.lake_config()
    with pytest.raises(Fatal, match=r"dask .* not running"):
        fresh.scheduler()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Fatal, match="Choose another folder with --home"):
        Home(tmp_path / "file" / "home").create()


def test_a_percent_sign_in_the_path_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="percent sign"):
        Home(tmp_path / "100%").create()
    assert list(tmp_path.iterdir()) == []


def test_the_state_of_a_home_that_never_existed_is_stopped_and_makes_no_folder(tmp_path: Path) -> None:
    absent = Home(tmp_path / "absent")
    assert {service.state for service in status(absent)} == {"stopped"}
    assert not absent.path.exists()


def test_a_free_recorded_port_is_kept(fresh: Home) -> None:
    assert ports.reserve(fresh, "postgres") == ports.reserve(fresh, "postgres") == fresh.port("postgres")


def test_a_taken_port_is_replaced(fresh: Home) -> None:
    first = ports.reserve(fresh, "postgres")
    with socket.create_server(("127.0.0.1", first)):
        assert ports.reserve(fresh, "postgres") != first


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_private(target, "old")
    write_private(target, "new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
