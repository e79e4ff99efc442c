"""The audit trail: it grows, nothing in it changes unseen, and the service itself cannot change it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from cluster.home.home import Home
from lake.catalogue.session import transaction
from lake.errors import BadInput, Fatal, Retriable
from lake.governance import anchors, audit
from lake.governance.chain import GENESIS, Anchor, Entry, Inspection
from lake.lake import Lake
from tests.lake.governance.trails import database_of, own_database, superuser, tamper


@pytest.fixture
def trail(home: Home) -> Iterator[Lake]:
    """A lake whose trail has nine entries."""
    with own_database(home) as lake:
        fill(lake)
        yield lake


@pytest.fixture(scope="module")
def guarded(home: Home) -> Iterator[Lake]:
    """The same for tests that fail to change it."""
    with own_database(home) as lake:
        fill(lake)
        yield lake


def fill(lake: Lake) -> None:
    for number in range(1, 10):
        add(lake, f"product-{number}")


def add(lake: Lake, subject: str, **detail: object) -> None:
    with transaction(lake.sessions) as session:
        audit.record(session, "ada", "embargo.set", subject, detail or {"until": "2030-01-01"})


def kinds(verdict: audit.Verdict) -> list[tuple[str, int]]:
    return [(one.kind, one.number) for one in verdict.tampering]


def test_entries_are_numbered_without_gaps_and_carry_the_hash_of_the_one_before(trail: Lake) -> None:
    found = list(audit.every(trail))
    assert [one.number for one in found] == list(range(1, 10))
    assert [one.previous for one in found] == [GENESIS] + [one.hash for one in found[:-1]]
    assert abs(found[0].time - datetime.now(UTC)) < timedelta(hours=1)
    assert audit.verify(trail).sound
    assert audit.head(trail) == Anchor(9, found[-1].hash)


def test_a_change_that_is_undone_leaves_no_entry_and_no_gap(trail: Lake) -> None:
    with trail.sessions() as session:
        audit.record(session, "ada", "withdraw", "never")
        session.rollback()
    add(trail, "next")
    assert [one.subject for one in audit.entries(trail, limit=2)] == ["next", "product-9"]
    assert audit.verify(trail).sound


def test_many_who_append_at_once_make_one_chain(trail: Lake) -> None:
    def append(writer: int) -> None:
        for number in range(10):
            add(trail, f"writer-{writer}-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(8)))
    verdict = audit.verify(trail)
    assert (verdict.sound, verdict.entries, verdict.head.number) == (True, 89, 89)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.entry SET who = 'nobody'",
        "DELETE FROM audit.entry",
        "TRUNCATE audit.entry",
        "DROP TABLE audit.entry",
        "DROP SCHEMA audit CASCADE",
        "ALTER TABLE audit.entry DISABLE TRIGGER ALL",
        "ALTER TABLE audit.entry OWNER TO heliolake",
        "ALTER SCHEMA audit RENAME TO old",
        "CREATE TABLE audit.other (a int)",
        "CREATE TRIGGER t BEFORE INSERT ON audit.entry FOR EACH ROW EXECUTE FUNCTION audit.refuse_change()",
        "CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION audit.refuse_change() CASCADE",
        "SET ROLE heliolake_audit",
        "SET session_replication_role = replica",
        "GRANT heliolake_audit TO heliolake",
    ],
)
def test_the_database_refuses_the_service_every_change(guarded: Lake, statement: str) -> None:
    with (
        pytest.raises(DBAPIError, match=r"denied|owner|must be|append-only"),
        guarded.engine.begin() as service,
    ):
        service.execute(text(statement))
    assert audit.verify(guarded).entries == 9


def test_the_service_cannot_drop_the_database_around_the_trail(guarded: Lake, home: Home) -> None:
    url = home.database_url().removesuffix("/heliolake") + "/postgres"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    for statement in ("DROP DATABASE {} WITH (FORCE)", "ALTER DATABASE {} RENAME TO gone"):
        with pytest.raises(DBAPIError, match="must be owner"), engine.connect() as service:
            service.execute(text(statement.format(database_of(guarded))))
    engine.dispose()


def test_the_trail_of_the_running_home_is_guarded_too(home: Home) -> None:
    with Lake.open(home.lake_config()) as lake, lake.engine.connect() as service:
        query = text("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'heliolake'")
        assert service.execute(query).scalar() == "heliolake_audit"
        with pytest.raises(DBAPIError, match="permission denied"):
            service.execute(text("DELETE FROM audit.entry"))


def test_not_even_the_superuser_changes_it_by_mistake(guarded: Lake, home: Home) -> None:
    import psycopg

    with superuser(home, database_of(guarded)) as database:
        for statement in (
            "UPDATE audit.entry SET who = 'x'",
            "DELETE FROM audit.entry",
            "TRUNCATE audit.entry",
        ):
            with pytest.raises(psycopg.Error, match="append-only"):
                database.execute(statement)


@pytest.mark.parametrize(("number", "previous"), [(11, None), (9, None), (10, GENESIS), (1, GENESIS)])
def test_the_database_takes_no_entry_that_does_not_continue_the_chain(
    guarded: Lake, number: int, previous: str | None
) -> None:
    values = {"n": number, "p": previous or audit.head(guarded).hash, "h": "a" * 64}
    statement = text(
        "INSERT INTO audit.entry VALUES (:n, now(), 'eve', 'embargo.lift', 'x', '{}', :p, :h)"
    ).bindparams(**values)
    with (
        pytest.raises(DBAPIError, match="does not continue the audit trail"),
        guarded.engine.begin() as service,
    ):
        service.execute(statement)


@pytest.mark.parametrize("when", ["now() - interval '1 hour'", "now() + interval '1 hour'"])
def test_the_database_takes_no_entry_that_is_dated_back_or_ahead(guarded: Lake, when: str) -> None:
    statement = text(
        f"INSERT INTO audit.entry VALUES (10, {when}, 'eve', 'embargo.lift', 'x', '{{}}', :p, :h)"  # noqa: S608
    ).bindparams(p=audit.head(guarded).hash, h="a" * 64)
    with pytest.raises(DBAPIError, match="not of this minute"), guarded.engine.begin() as service:
        service.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "who = 'eve'",
        "what = 'embargo.lift'",
        "subject = 'product-0'",
        'detail = \'{"until": "2031-01-01"}\'',
        "time = time - interval '1 microsecond'",
        "previous = repeat('1', 64)",
        "hash = repeat('1', 64)",
    ],
)
def test_a_changed_entry_is_named_with_its_number_and_time(trail: Lake, home: Home, change: str) -> None:
    tamper(home, trail, f"UPDATE audit.entry SET {change} WHERE number = 4")  # noqa: S608
    verdict = audit.verify(trail)
    (entry,) = audit.entries(trail, limit=6)[5:]
    named = [one for one in verdict.tampering if one.number == 4]
    assert named
    assert f"ntry 4 ({entry.time.astimezone(UTC):%Y-%m-%dT%H:%M:%S} UTC)" in named[0].sentence
    assert {one.number for one in verdict.tampering} <= {3, 4}


def test_a_removed_entry_is_named(trail: Lake, home: Home) -> None:
    tamper(home, trail, "DELETE FROM audit.entry WHERE number IN (5, 6)")
    verdict = audit.verify(trail)
    assert kinds(verdict) == [("missing", 5)]
    assert "Entries 5 to 6 are missing: removed from behind entry 4 (" in verdict.tampering[0].sentence


def test_the_first_entry_removed_is_named(trail: Lake, home: Home) -> None:
    tamper(home, trail, "DELETE FROM audit.entry WHERE number = 1")
    assert kinds(audit.verify(trail)) == [("missing", 1)]


def test_a_gap_that_was_closed_by_counting_anew_is_found(trail: Lake, home: Home) -> None:
    tamper(
        home,
        trail,
        "DELETE FROM audit.entry WHERE number = 5",
        "UPDATE audit.entry SET number = number + 1000 WHERE number > 5",
        "UPDATE audit.entry SET number = number - 1001 WHERE number > 1000",
    )
    assert ("changed", 5) in kinds(audit.verify(trail))


def test_entries_that_changed_places_are_named(trail: Lake, home: Home) -> None:
    tamper(
        home,
        trail,
        "UPDATE audit.entry SET number = 100 WHERE number = 3",
        "UPDATE audit.entry SET number = 3 WHERE number = 7",
        "UPDATE audit.entry SET number = 7 WHERE number = 100",
    )
    assert {("changed", 3), ("changed", 7)} <= set(kinds(audit.verify(trail)))


def test_an_entry_replaced_together_with_its_hash_is_named(trail: Lake, home: Home) -> None:
    (entry,) = [one for one in audit.every(trail) if one.number == 4]
    forged = Entry(4, entry.time, "eve", entry.what, entry.subject, entry.detail, entry.previous)
    change = f"UPDATE audit.entry SET who = 'eve', hash = '{forged.digest()}' WHERE number = 4"  # noqa: S608
    tamper(home, trail, change)
    assert kinds(audit.verify(trail)) == [("replaced", 4)]


def test_a_cut_tail_shows_against_an_anchor(trail: Lake, home: Home, tmp_path: Path) -> None:
    anchors.append(tmp_path / "anchors", audit.anchor(trail))
    add(trail, "later")
    anchors.append(tmp_path / "anchors", audit.anchor(trail))
    kept = anchors.read(tmp_path / "anchors")
    assert audit.verify(trail, kept).sound
    tamper(home, trail, "DELETE FROM audit.entry WHERE number > 7")
    assert audit.verify(trail).sound  # without an anchor nobody can know
    verdict = audit.verify(trail, kept)
    assert kinds(verdict) == [("truncated", 8)]
    assert "at least 3 at its end were removed" in verdict.tampering[0].sentence


def test_a_trail_that_was_emptied_shows_against_an_anchor(trail: Lake, home: Home) -> None:
    kept = audit.head(trail)
    tamper(home, trail, "TRUNCATE audit.entry")
    assert kinds(audit.verify(trail, [kept])) == [("truncated", 1)]


def test_a_trail_written_anew_shows_against_an_anchor(trail: Lake, home: Home) -> None:
    kept = audit.head(trail)
    old = list(audit.every(trail))
    tamper(home, trail, "TRUNCATE audit.entry")
    for entry in old:
        add(trail, entry.subject.replace("product-2", "product-x"))
    assert audit.verify(trail).sound
    assert kinds(audit.verify(trail, [kept])) == [("rewritten", 9)]


def test_an_export_is_verified_without_the_database(trail: Lake, tmp_path: Path) -> None:
    file = tmp_path / "trail.jsonl"
    lines = [audit.line(one) for one in audit.every(trail)]
    file.write_text("\n".join(lines))
    assert audit.inspect(anchors.exported(file)).sound
    for wrong, kind in (
        ([*lines[:3], lines[3].replace("ada", "eve"), *lines[4:]], ("changed", 4)),
        ([*lines[:3], *lines[4:]], ("missing", 4)),
        ([*lines[:3], lines[4], lines[3], *lines[5:]], ("misplaced", 4)),
        ([*lines[:4], lines[3], *lines[4:]], ("misplaced", 4)),
        ([*lines[:3], "{", *lines[4:]], ("unreadable", 0)),
    ):
        file.write_text("\n".join(wrong))
        assert kind in kinds(audit.inspect(anchors.exported(file)))


def test_hostile_and_strange_values_are_kept_and_harmless(trail: Lake) -> None:
    with transaction(trail.sessions) as session:
        detail = {"wave": float("nan"), "nul": "\0", "half": "\ud800", "many": [1e300, -0.0, 10**30, True]}
        audit.record(session, "a\x1b[31m", "access.refused", "x\0\u202ey", detail)
    (entry,) = audit.entries(trail, limit=1)
    assert (entry.who, entry.subject) == ("a\\x1b[31m", "x\\x00\\u202ey")
    assert entry.detail == detail | {"wave": None}
    assert audit.verify(trail).sound


def test_entries_are_found_by_who_what_subject_and_time(trail: Lake) -> None:
    with transaction(trail.sessions) as session:
        audit.record(session, "bob", "token.make", "bob_1")
        audit.record(session, "bob", "token.revoke", "bobx1")
    assert [one.what for one in audit.entries(trail, who="bob")] == ["token.revoke", "token.make"]
    assert [one.who for one in audit.entries(trail, what="token.*")] == ["bob", "bob"]
    assert [one.subject for one in audit.entries(trail, subject="bob_1")] == ["bob_1"]
    middle = audit.entries(trail, subject="product-5")[0].time
    assert len(audit.entries(trail, since=middle)) == 7
    assert len(audit.entries(trail, until=middle)) == 4
    assert len(audit.entries(trail, limit=3)) == 3


def test_a_database_without_a_trail_says_what_to_do(home: Home) -> None:
    with own_database(home, trail=False) as lake:
        with pytest.raises(Fatal, match="heliolake audit script"):
            add(lake, "x")
        with pytest.raises(Fatal, match="heliolake up"):
            audit.verify(lake)


def test_the_script_may_be_run_again(trail: Lake, home: Home) -> None:
    with superuser(home, database_of(trail)) as database:
        database.execute(audit.script())
    add(trail, "more")
    assert audit.verify(trail).entries == 10


entry_texts = st.text(max_size=5)


@given(st.lists(st.tuples(entry_texts, entry_texts), min_size=1, max_size=8), st.data())
def test_no_single_change_of_a_chain_stays_hidden(values: list[tuple[str, str]], data: st.DataObject) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    chain: list[Entry] = []
    for number, (who, subject) in enumerate(values, 1):
        made = Entry(number, now, who, "x", subject, {}, chain[-1].hash if chain else GENESIS)
        chain.append(Entry(**{**vars(made), "hash": made.digest()}))
    assert not list(Inspection([Anchor(len(chain), chain[-1].hash)]).tampering(chain))
    at = data.draw(st.integers(0, len(chain) - 1))
    how = data.draw(st.sampled_from(("drop", "who", "swap", "repeat", "rehash")))
    wrong = list(chain)
    if how == "drop":
        del wrong[at]
    elif how == "repeat":
        wrong.insert(at, wrong[at])
    elif how == "swap" and len(chain) > 1:
        wrong[at], wrong[at - 1] = wrong[at - 1], wrong[at]
    else:
        forged = Entry(**{**vars(wrong[at]), "who": wrong[at].who + "!"})
        wrong[at] = Entry(**{**vars(forged), "hash": forged.digest()}) if how == "rehash" else forged
    assert list(Inspection([Anchor(len(chain), chain[-1].hash)]).tampering(wrong))


class Notary(BaseHTTPRequestHandler):
    """Takes anchors at /anchors, redirects from /moved, refuses all else."""

    taken: ClassVar[list[dict[str, object]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/anchors":
            self.taken.append(json.loads(body))
        self.send_response({"/anchors": 201, "/moved": 302}.get(self.path, 403))
        self.send_header("Location", "/anchors")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_an_anchor_is_sent_to_an_address_or_it_is_said_why_not(trail: Lake) -> None:
    server = HTTPServer(("127.0.0.1", 0), Notary)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    made = audit.anchor(trail)
    anchors.send(f"{address}/anchors", made)
    assert Notary.taken == [made]
    for path in ("/moved", "/elsewhere"):
        with pytest.raises(BadInput, match="did not take"):
            anchors.send(address + path, made)
    server.shutdown()
    server.server_close()
    with pytest.raises(Retriable, match="does not answer"):
        anchors.send(f"{address}/anchors", made)
    with pytest.raises(BadInput, match="http or https"):
        anchors.send("ftp://x/y", made)


def test_what_is_no_file_of_anchors_is_refused(tmp_path: Path) -> None:
    for content in ("", "{}", "[1]", '{"number": "3", "hash": "a"}', "nothing"):
        (tmp_path / "a").write_text(content)
        with pytest.raises(BadInput, match="anchor"):
            anchors.read(tmp_path / "a")
