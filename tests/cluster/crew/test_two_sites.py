"""A run that two sites share: work goes where the data lie, and a site that is lost loses nothing."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.crew.crew import EXECUTOR, SiteCrew
from cluster.crew.executor import Station
from cluster.intake.ingest import ingest
from cluster.plan.plan import Plan, Query, make_plan
from cluster.report import Report
from cluster.run.process import process
from cluster.services import records
from cluster.sites.book import Book
from lake.errors import BadInput
from lake.fsck.compare import fsck
from lake.governance import embargo
from lake.governance.policy import CUSTODY, OWNER
from lake.governance.target import Target
from lake.lake import Lake
from lake.ledger import runs
from lake.ledger.sites import runs_with_work
from lake.names import split_did
from lake.releases import search
from lake.rucio.copies import where
from lake.storage.store import key_of
from pipeline.recipe import recipes
from tests.cluster.frames import aia_series, at

pytestmark = pytest.mark.slow

RECIPE = "aia-l15"


def taken_in(lake: Lake, site: str, day: datetime, number: int, folder: Path) -> list[Path]:
    files = aia_series(folder, day, number)
    report = ingest(lake.at(site.upper()), files)
    assert report.counts()["done"] == number
    return files


def planned(lake: Lake, pattern: str) -> Plan:
    return make_plan(lake, recipes()[RECIPE], Query(observation=pattern), principal=OWNER)


def carried_out(book: Book, lake: Lake, plan: Plan, *sites: str, **more: Any) -> Report:
    crew = SiteCrew(book, sites)
    return process(lake, book.home.scheduler(), plan, principal=OWNER, crew=crew, **more)


def lies(lake: Lake, report: Report) -> list[set[str]]:
    """Where Rucio has each product."""
    dids = [split_did(item.output) for item in report.items]
    found = where(lake.rucio, dids)
    return [set(found[did]) for did in dids]


def clean(lake: Lake) -> bool:
    return not fsck(lake, deep=True)["differences"]


def eventually(true: Callable[[], Any], limit: float = 240.0) -> Any:
    deadline = time.monotonic() + limit
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.2)
    return found


def test_each_unit_is_done_where_its_input_lies_and_its_product_stays_there(
    book: Book, lake: Lake, tmp_path: Path
) -> None:
    taken_in(lake, "north", at(2016, 1, 1), 2, tmp_path)
    taken_in(lake, "south", at(2016, 1, 2), 2, tmp_path)
    plan = planned(lake, "aia171_2016010*")
    crew = SiteCrew(book, ("north", "south"))
    assert [(one["site"], one["units"], one["copied"]) for one in crew.summary(lake, plan)] == [
        ("north", 2, 0),
        ("south", 2, 0),
    ]
    report = carried_out(book, lake, plan, "north", "south")
    assert report.counts()["done"] == 4
    assert lies(lake, report) == [{"NORTH"}, {"NORTH"}, {"SOUTH"}, {"SOUTH"}]
    assert [(one["version"], one["replaces"]) for one in report.more["releases"]] == [(1, None), (1, None)]
    got = search.get_files(lake, "aia171_20160102.l15", tmp_path / "got")
    assert len(got) == 2
    assert clean(lake)
    again = carried_out(book, lake, plan, "north", "south")
    assert again.more["run"] is None


def test_a_site_gets_what_it_lacks_by_way_of_rucio(book: Book, lake: Lake, tmp_path: Path) -> None:
    taken_in(lake, "north", at(2016, 2, 1), 2, tmp_path)
    report = carried_out(book, lake, planned(lake, "aia171_20160201"), "south")
    assert report.counts()["done"] == 2
    assert lies(lake, report) == [{"SOUTH"}, {"SOUTH"}]
    assert clean(lake)


def test_products_have_the_same_bytes_wherever_they_are_made(book: Book, lake: Lake, tmp_path: Path) -> None:
    taken_in(lake, "north", at(2016, 3, 1), 1, tmp_path)
    report = carried_out(book, lake, planned(lake, "aia171_20160301"), "north")
    (made,) = search.get_files(lake, "aia171_20160301.l15", tmp_path / "got")
    sums = hashlib.sha256(made.read_bytes()).hexdigest()
    key = key_of(*split_did(report.items[0].output))
    lake.at("NORTH").store.remove(key)
    at_home = process(lake, book.home.scheduler(), planned(lake, "aia171_20160301"), principal=OWNER)
    assert at_home.more["put_back"]
    (back,) = search.get_files(lake, "aia171_20160301.l15", tmp_path / "back")
    assert hashlib.sha256(back.read_bytes()).hexdigest() == sums
    fsck(lake, repair=True)
    assert clean(lake)


def test_what_is_under_embargo_is_not_made_where_it_may_not_lie(
    book: Book, lake: Lake, tmp_path: Path
) -> None:
    taken_in(lake, "north", at(2016, 4, 1), 1, tmp_path)
    embargo.put(
        lake, Target.of_text("sdo_aia:aia171_20160401"), at(2096, 1, 1), reason="a test", principal=OWNER
    )
    said = book.said
    closed = said.sites["south"].model_copy(update={"embargoed": ()})
    book.replace(said.model_copy(update={"sites": said.sites | {"south": closed}}))
    try:
        plan = planned(lake, "aia171_20160401")
        with pytest.raises(BadInput, match="under embargo, and may lie at none of south"):
            carried_out(book, lake, plan, "south")
        report = carried_out(book, lake, plan, "north", "south")
        assert lies(lake, report) == [{"NORTH"}]
    finally:
        book.replace(said)


def test_an_executor_brings_nothing_to_where_it_may_not_lie_whatever_was_planned(
    book: Book, lake: Lake, tmp_path: Path
) -> None:
    taken_in(lake, "north", at(2016, 4, 2), 1, tmp_path)
    plan = planned(lake, "aia171_20160402")
    target = Target.of_text("sdo_aia:aia171_20160402")
    embargo.put(lake, target, at(2096, 1, 1), reason="a test", principal=OWNER)
    said = book.said
    closed = said.sites["south"].model_copy(update={"embargoed": ()})
    book.replace(said.model_copy(update={"sites": said.sites | {"south": closed}}))
    try:
        with Lake.open(book.lake_config("south", alone=True)) as there:
            with pytest.raises(BadInput, match="under embargo, and may not lie at south"):
                Station(there, book, "south").fetch(plan.units)
            assert there.store.stat(key_of(plan.units[0].file.scope, plan.units[0].file.name)) is None
    finally:
        book.replace(said)


def test_copies_are_made_as_many_as_are_wanted(book: Book, lake: Lake, tmp_path: Path) -> None:
    from cluster.sites.site import Copies

    taken_in(lake, "south", at(2016, 5, 1), 1, tmp_path)
    said = book.said
    book.replace(said.model_copy(update={"copies": {"sdo_aia": Copies(copies=2, sites=("north", "south"))}}))
    try:
        with Lake.open(book.lake_config()) as seen:
            report = carried_out(book, seen, planned(seen, "aia171_20160501"), "south")
            eventually(lambda: lies(seen, report) == [{"NORTH", "SOUTH"}])
            key = key_of(*split_did(report.items[0].output))
            assert seen.at("NORTH").store.read(key) == seen.at("SOUTH").store.read(key)
    finally:
        book.replace(said)


@pytest.mark.parametrize(("day", "how"), [(1, "damaged"), (2, "lost")], ids=["damaged", "lost"])
def test_a_copy_that_went_bad_is_replaced_from_the_other_site_and_the_run_goes_on(
    book: Book, lake: Lake, tmp_path: Path, day: int, how: str
) -> None:
    (file, *_) = taken_in(lake, "north", at(2016, 6, day), 2, tmp_path)
    observation = f"aia171_2016060{day}"
    carried_out(book, lake, planned(lake, observation), "south")  # which brings copies there
    key = key_of("sdo_aia", file.name)
    path = Path(lake.at("NORTH").store.place(key))
    if how == "lost":
        path.unlink()
    else:
        path.chmod(0o600)
        path.write_bytes(b"\0" * path.stat().st_size)
    recipe = recipes()[RECIPE].with_settings({"normalise_exposure.enabled": False})
    plan = make_plan(lake, recipe, Query(observation=observation), principal=OWNER)
    report = carried_out(book, lake, plan, "north")
    assert report.counts()["done"] == 2
    assert path.read_bytes() == file.read_bytes()


def test_a_lost_copy_is_put_back_by_fsck_from_the_other_site(book: Book, lake: Lake, tmp_path: Path) -> None:
    (file, *_) = taken_in(lake, "north", at(2016, 7, 1), 1, tmp_path)
    carried_out(book, lake, planned(lake, "aia171_20160701"), "south")
    key = key_of("sdo_aia", file.name)
    lake.at("NORTH").store.remove(key)
    (lost,) = [one for one in fsck(lake)["differences"] if one["did"].endswith(file.name)]
    assert lost["kind"] == "missing-bytes"
    assert "another site has a copy" in lost["detail"]
    assert lost["commands"] == ["heliolake fsck --repair"]
    fsck(lake, repair=True)
    assert lake.at("NORTH").store.read(key) == file.read_bytes()


def test_a_site_lost_in_mid_run_loses_nothing_and_doubles_nothing(
    book: Book, lake: Lake, tmp_path: Path
) -> None:
    day, number = at(2016, 8, 1), 12
    taken_in(lake, "north", day, number, tmp_path)
    carried_out(book, lake, planned(lake, "aia171_20160801"), "south")  # copies of the raw files there
    recipe = recipes()["aia-l15"].with_settings({"normalise_exposure.enabled": False})
    plan = make_plan(lake, recipe, Query(observation="aia171_20160801"), principal=OWNER)
    reports: list[Report] = []
    thread = threading.Thread(
        target=lambda: reports.append(carried_out(book, lake, plan, "north", "south")), daemon=True
    )
    thread.start()
    (victim,) = eventually(lambda: records.members(book.home, f"{EXECUTOR}-north"))
    with suppress(psutil.NoSuchProcess):
        os.kill(victim.pid, signal.SIGKILL)
    thread.join(300)
    (report,) = reports
    assert report.counts()["done"] == number
    assert len({item.output for item in report.items}) == number
    told = runs.find_run(lake, report.more["run"])
    assert told["status"] == "done"
    assert told["units"]["done"] == number
    (release,) = report.more["releases"]
    assert release["files"] == number
    files = search.files_of(lake, CUSTODY, _release_id(lake, "aia171_20160801"))
    assert len(files) == number


def _release_id(lake: Lake, observation: str) -> int:
    from sqlalchemy import select

    from lake.catalogue.models import Release
    from lake.catalogue.session import transaction

    with transaction(lake.sessions) as session:
        return session.scalars(
            select(Release.id).where(Release.dataset.like(f"{observation}.l15%"), Release.status == "ACTIVE")
        ).one()


def test_a_drained_site_takes_nothing(book: Book, lake: Lake, tmp_path: Path) -> None:
    taken_in(lake, "north", at(2016, 9, 1), 1, tmp_path)
    book.set_drained("north", drained=True)
    try:
        with pytest.raises(BadInput, match="drained"):
            SiteCrew(book, ("north",))
        report = carried_out(book, lake, planned(lake, "aia171_20160901"))
        assert report.counts()["done"] == 1
        assert "NORTH" not in set().union(*lies(lake, report))
    finally:
        book.set_drained("north", drained=False)


def test_an_executor_that_stands_at_a_site_takes_up_its_work(book: Book, lake: Lake, tmp_path: Path) -> None:
    taken_in(lake, "south", at(2016, 10, 1), 2, tmp_path)
    said = book.said
    stands = said.sites["south"].model_copy(update={"executor": "there"})
    book.replace(said.model_copy(update={"sites": said.sites | {"south": stands}}))
    try:
        plan = planned(lake, "aia171_20161001")
        reports: list[Report] = []
        thread = threading.Thread(
            target=lambda: reports.append(carried_out(book, lake, plan, "south")), daemon=True
        )
        thread.start()
        eventually(lambda: runs_with_work(lake, "south"))
        assert not records.members(book.home, f"{EXECUTOR}-south")
        words = ["--home", str(book.home.path), "execute", "--site", "south", "--once"]
        command = [sys.executable, "-c", "from heliolake.cli import main; main()", *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        thread.join(120)
        (report,) = reports
        assert report.counts()["done"] == 2
        assert lies(lake, report) == [{"SOUTH"}, {"SOUTH"}]
    finally:
        book.replace(said)
