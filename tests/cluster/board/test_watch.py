"""The lake is looked at by one thread, for as long as anybody asks, and its silence keeps nobody waiting."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cluster.board import watch as watching
from cluster.board.source import Source
from cluster.board.watch import Watch
from cluster.home.home import Home
from cluster.services import postgres
from lake.lake import Lake
from lake.ledger.overview import Onlooker
from lake.ledger.pace import pace
from tests.cluster.board.conftest import until
from tests.conftest import HOUSE
from tests.guarded import free_ports

DOCUMENT = HOUSE / "docs" / "dashboard.md"


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_EVERY", 0.05)


@pytest.fixture
def watch(source: Source) -> Iterator[Watch]:
    with closing(Watch(source)) as made:
        yield made


def lookers() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "heliolake-board"]


def test_nothing_is_asked_of_the_lake_before_somebody_asks(watch: Watch) -> None:
    assert watch.latest.overview is None
    assert not lookers()


def test_all_who_ask_share_one_thread(watch: Watch) -> None:
    for _ in range(20):
        watch.ask()
    until(lambda: watch.ask().overview)
    assert len(lookers()) == 1
    assert [site.name for site in watch.latest.sites if site.here] == ["home"]


def test_the_thread_ends_when_nobody_asks(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_OPEN", 0.1)
    monkeypatch.setattr(watching, "_LINGER", 0.1)
    until(lambda: watch.ask().overview)
    until(lambda: not lookers())
    first = watch.latest
    until(lambda: watch.ask() is not first)


def test_prometheus_has_one_look_made_and_no_more(watch: Watch) -> None:
    seen = asyncio.run(watch.fresh(60.0))
    assert seen.overview is not None
    assert asyncio.run(watch.fresh(60.0)) is seen, "young enough"


def test_a_look_changes_nothing_and_gives_up_in_time(source: Source) -> None:
    with source.lake() as lake:
        with lake.engine.begin() as connection, pytest.raises(DBAPIError, match="read-only"):
            connection.execute(text("CREATE TABLE mine (a int)"))
        with lake.engine.begin() as connection:
            assert connection.scalar(text("SHOW statement_timeout")) == "10s"


def test_what_has_ended_is_asked_for_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def noted(lake: Lake, run: str) -> dict[str, Any]:
        asked.append(run)
        return pace(lake, run)

    monkeypatch.setattr("lake.ledger.overview.pace", noted)
    onlooker = Onlooker(lake)
    first = onlooker.look()
    ended = {one["run"] for one in first.runs} - {one["run"] for one in first.open}
    assert ended <= set(asked)
    asked.clear()
    assert {one["run"] for one in onlooker.look().runs} >= ended
    assert not ended & set(asked)


def outside(folder: Path, url: str) -> Home:
    """A home whose database is somewhere else."""
    (folder / "url").write_text(url)
    (folder / "url").chmod(0o600)
    (folder / "lake.yaml").write_text(
        "name: outside\ndatabase_url_file: url\nrse: THERE\nstore: file:///nowhere\n"
        "rucio: {url: 'http://127.0.0.1:1', account: nobody, password_file: none}\n"
    )
    return Home(folder)


def test_a_database_that_is_down_is_a_sentence_until_it_is_back(home: Home, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    there = outside(tmp_path, f"postgresql://nobody:secret@127.0.0.1:{port}/none")
    with closing(Watch(Source(there))) as watch:
        trouble = until(lambda: watch.ask().trouble)
        assert trouble == "The catalogue does not answer. It is asked again every few seconds."
        assert asyncio.run(watch.fresh(1.0)).overview is None
        (tmp_path / "url").write_text(home.database_url())
        seen = until(lambda: (found := watch.ask()).overview and found)
        assert not seen.trouble


def test_a_home_that_cannot_be_read_is_a_sentence_too(tmp_path: Path) -> None:
    with closing(Watch(Source(outside(tmp_path, "no address")))) as watch:
        assert "cannot be read" in until(lambda: watch.ask().trouble)
        assert "no address" not in watch.latest.trouble


def test_a_role_that_may_read_is_enough(home: Home, tmp_path: Path) -> None:
    """As `docs/dashboard.md` has the administrator of a centre's database make one."""
    sentences = re.findall(r"^(?:CREATE|GRANT|ALTER) .*?;$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert len(sentences) == 4
    with postgres.connect(home, "heliolake") as connection:
        there = connection.execute("SELECT FROM pg_roles WHERE rolname = 'heliolake_reader'").fetchone()
        for one in sentences[1 if there else 0 :]:
            connection.execute(one.encode())
        connection.execute("ALTER ROLE heliolake_reader PASSWORD 'reader'")
    url = f"postgresql://heliolake_reader:reader@127.0.0.1:{home.port('postgres')}/heliolake"
    with closing(Watch(Source(outside(tmp_path, url)))) as watch:
        assert until(lambda: watch.ask().overview)
        assert not watch.latest.trouble
