"""The catalogue's migrations make just the tables the code works with."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text

from lake.catalogue import migrate, open_engine, session_factory, transaction
from lake.catalogue.models import Base
from lake.catalogue.session import to_json
from lake.errors import Fatal, Retriable
from lake.lake import Lake


@pytest.fixture
def empty_database(lake: Lake) -> Iterator[str]:
    """URL of a schema of its own in the running PostgreSQL, empty and dropped afterwards."""
    schema = f"m_{secrets.token_hex(5)}"
    url = make_url(lake.config.database_url)
    with lake.engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield url.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False)
    with lake.engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


def test_migrations_and_models_agree(empty_database: str) -> None:
    migrate(empty_database)
    engine = create_engine(empty_database)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_migrating_again_changes_nothing(empty_database: str) -> None:
    migrate(empty_database)
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO observation (scope, name) VALUES ('s', 'o')"))
    migrate(empty_database)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM observation")) == 1
    engine.dispose()


def test_two_commands_that_start_together_both_find_a_migrated_catalogue(empty_database: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate, [empty_database] * 3))
    engine = create_engine(empty_database)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    engine.dispose()


def test_a_catalogue_that_does_not_answer_is_retriable_and_hides_the_password() -> None:
    url = "postgresql+psycopg://ada:secret@127.0.0.1:1/lake"
    with pytest.raises(Retriable, match="heliolake up") as failure:
        migrate(url)
    assert "secret" not in str(failure.value)
    with pytest.raises(Retriable), transaction(session_factory(open_engine(url))) as session:
        session.execute(text("SELECT 1"))


def test_another_database_engine_is_refused() -> None:
    with pytest.raises(Fatal, match="PostgreSQL"):
        open_engine("sqlite:///lake.db")


def test_numbers_that_json_does_not_know_become_null() -> None:
    assert to_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": (1, None)}}) == (
        '{"a": null, "b": [null, 1.5], "c": {"d": [1, null]}}'
    )


def test_files_of_an_older_catalogue_are_their_own_content_unless_they_are_packed(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    with monkeypatch.context() as older:
        older.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        migrate(empty_database)
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        for name in ("a.fits", "b.fits.GZ"):
            connection.execute(
                text(
                    "INSERT INTO file (scope, name, level, stem, size, adler32, md5, sha256) "
                    "VALUES ('s', :name, '0', 'a', 1, '', '', 'sum')"
                ),
                {"name": name},
            )
    migrate(empty_database)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT content_sha256 FROM file ORDER BY name")).scalars().all()
    assert rows == ["sum", None]
    engine.dispose()


def test_values_that_differ_between_files_of_an_older_catalogue_are_found_again(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    with monkeypatch.context() as older:
        older.setattr(command, "upgrade", lambda config, _: upgrade(config, "0003"))
        migrate(empty_database)
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        for statement in (
            """INSERT INTO observation (id, scope, name, meta)
               VALUES (1, 's', 'o', '{"position": 7, "filter": "a"}')""",
            "INSERT INTO product (id, observation_id, level, name) VALUES (1, 1, '0', 's:o.l0')",
            """INSERT INTO release (id, product_id, version, status, scope, level, dataset, draft_key)
               VALUES (1, 1, 1, 'ACTIVE', 's', '0', 'o.l0.v0001', 'k')""",
        ):
            connection.execute(text(statement))
        for number, position in enumerate((4, 1, 7, 4), start=1):
            connection.execute(
                text(
                    "INSERT INTO file (id, scope, name, level, stem, size, adler32, md5, sha256, meta) "
                    "VALUES (:id, 's', :name, '0', 'a', 1, '', '', 'sum', CAST(:meta AS jsonb))"
                ),
                {
                    "id": number,
                    "name": f"{number}.fits",
                    "meta": f'{{"position": {position}, "filter": "a"}}',
                },
            )
            connection.execute(
                text("INSERT INTO release_file (release_id, file_id) VALUES (1, :id)"), {"id": number}
            )
    migrate(empty_database)
    with engine.connect() as connection:
        meta = connection.scalar(text("SELECT meta FROM observation"))
    assert meta == {"position": [1, 4, 7], "filter": "a"}
    engine.dispose()
