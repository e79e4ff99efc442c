"""An administrator hands over an empty database; one command makes the catalogue in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.home.home import Home
from lake.governance import audit
from lake.lake import Lake
from tests.heliolake.conftest import Command
from tests.lake.governance.trails import database_of, own_database, superuser


def url_file(lake: Lake, folder: Path) -> Path:
    file = folder / "url"
    file.write_text(lake.config.database_url.replace("postgresql+psycopg", "postgresql") + "\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def empty(home: Home) -> Iterator[Lake]:
    """A database as its administrator made it, with its audit trail."""
    with own_database(home) as lake:
        yield lake


def test_an_empty_database_becomes_a_catalogue_and_running_it_again_changes_nothing(
    empty: Lake, run: Command, tmp_path: Path
) -> None:
    file = url_file(empty, tmp_path)
    for migrated in (True, False):
        said = run("--home", tmp_path / "none", "migrate", "--database-url-file", file, "--json")
        assert said.code == 0, said.err
        assert said.document()["migrated"] is migrated
        assert said.document()["audit_trail"] is True
        assert database_of(empty) in said.document()["catalogue"]
    with empty.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM observation").scalar_one() == 0


def test_a_database_without_a_trail_is_migrated_and_what_is_missing_is_told(
    home: Home, run: Command, tmp_path: Path
) -> None:
    with own_database(home, trail=False) as lake:
        words = ("--home", tmp_path / "none", "migrate", "--database-url-file", url_file(lake, tmp_path))
        said = run(*words)
        assert said.code == 1
        assert "has been brought" in said.out
        assert "heliolake audit script | psql" in said.err
        assert "SET heliolake.service = 'heliolake'" in said.err
        with superuser(home, database_of(lake)) as database:
            database.execute(audit.script())
        assert run(*words).code == 0


def test_a_catalogue_of_a_newer_version_is_left_alone(empty: Lake, run: Command, tmp_path: Path) -> None:
    words = ("--home", tmp_path / "none", "migrate", "--database-url-file", url_file(empty, tmp_path))
    assert run(*words).code == 0
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    said = run(*words)
    assert said.code == 2
    assert "a newer one has migrated it" in said.err


def test_a_running_home_is_migrated_already(here: Command) -> None:
    assert here("migrate", "--json").document()["migrated"] is False


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("not a url", 2, "is no URL"),
        ("mysql://heliolake:swordfish@127.0.0.1/x", 2, "needs PostgreSQL; the URL names mysql"),
        ("postgresql://heliolake:swordfish@127.0.0.1:9/x", 3, "127.0.0.1:9/x does not answer"),
    ],
)
def test_a_wrong_address_is_told_without_the_password(
    run: Command, tmp_path: Path, text: str, code: int, told: str
) -> None:
    file = tmp_path / "url"
    file.write_text(text)
    file.chmod(0o600)
    said = run("--home", tmp_path / "none", "migrate", "--database-url-file", file)
    assert said.code == code
    assert told in said.err
    assert "swordfish" not in said.err
