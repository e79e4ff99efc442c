"""From raw files to releases: what a person sees when things go well, go on, change, or break."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from astropy.io import fits

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Plan, Query, make_plan
from cluster.plan.standing import standing
from cluster.report import Report
from cluster.run.process import process, resume
from cluster.services import status, up
from lake.catalogue.models import UnitResult
from lake.catalogue.session import transaction
from lake.errors import BadInput, Retriable
from lake.fsck import code as fsck_code
from lake.fsck.code import other_code
from lake.fsck.compare import fsck
from lake.fsck.difference import Look
from lake.fsck.picture import take_picture
from lake.governance import embargo
from lake.governance.policy import OWNER
from lake.governance.target import Target
from lake.lake import Lake
from lake.ledger import runs
from lake.releases import search
from lake.releases.changes import changes
from lake.releases.finding import Wanted
from lake.releases.withdrawal import withdraw
from pipeline.errors import Fatal
from pipeline.errors import Retriable as PipelineRetriable
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from pipeline.quality import Quality
from pipeline.recipe import recipes
from tests.cluster.frames import aia_file, aia_series, at
from tests.stored import path_of

RECIPE = "aia-l15"


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


def planned(lake: Lake, observation: str, **settings: object) -> Plan:
    recipe = recipes()[RECIPE]
    if settings:
        recipe = recipe.with_settings({key.replace("__", "."): value for key, value in settings.items()})
    return make_plan(lake, recipe, Query(observation=observation))


def processed(home: Home, lake: Lake, observation: str, **settings: object) -> Report:
    return process(lake, home.scheduler(), planned(lake, observation, **settings))


def released(lake: Lake, observation: str, level: str = "1.5") -> list[tuple[int, str, int]]:
    found = search.search(lake, Wanted(instrument="sdo_aia", level=level, pattern=observation))
    return sorted((one["version"], one["status"], one["files"]) for one in found)


def counted(report: Report) -> dict[str, int]:
    return {outcome: count for outcome, count in report.counts().items() if count}


def test_a_day_of_frames_becomes_a_closed_locked_release(
    home: Home, lake: Lake, rucio: Any, tmp_path: Path
) -> None:
    files = aia_series(tmp_path, at(2015, 1, 1), 3, wavelength=193)
    assert counted(ingest(lake, files)) == {"done": 3}
    report = processed(home, lake, "aia193_20150101")
    assert counted(report) == {"done": 3}
    assert [item.output for item in report.items] == [f"sdo_aia:{path.stem}.l15.v0001.fits" for path in files]
    assert released(lake, "aia193_20150101") == [(1, "ACTIVE", 3)]
    state = rucio.get_did("sdo_aia", "aia193_20150101.l15.v0001")
    assert (state["type"], state["open"]) == ("DATASET", False)
    assert "aia193_20150101.l15.v0001" in {
        did["name"] for did in rucio.list_content("sdo_aia", "aia193_20150101")
    }
    (rule,) = rucio.list_did_rules("sdo_aia", "aia193_20150101.l15.v0001")
    assert rule["locked"] is True

    (got, *_) = search.get_files(lake, "sdo_aia:aia193_20150101.l15", tmp_path / "got")
    with fits.open(got, checksum=True) as hdus:
        header = hdus[0].header
        assert hdus[0].data.dtype == np.dtype(">f4")
        assert hdus["QUALITY"].data.dtype == np.uint16
        assert header["PRSTEP1"]
        assert header["LEVEL"] == "1.5"
        assert header["VERSION"] == 1
        assert header["PARENTXT"] == f"sdo_aia:{files[0].name}"
        assert header["FILENAME"] == got.name == f"{files[0].stem}.l15.v0001.fits"
        assert header["BUNIT"] == "DN/s"
        assert header["SOLARNET"] in (0.5, 1.0)
        assert "BLANK" not in header


def test_running_again_does_nothing(home: Home, lake: Lake, tmp_path: Path) -> None:
    files = aia_series(tmp_path, at(2015, 1, 2), 2)
    ingest(lake, files)
    assert counted(ingest(lake, files)) == {"skipped": 2}
    assert released(lake, "aia171_20150102", level="1") == [(1, "ACTIVE", 2)]
    processed(home, lake, "aia171_20150102")
    again = processed(home, lake, "aia171_20150102")
    assert counted(again) == {"skipped": 2}
    assert again.more == {
        "run": None,
        "releases": [],
        "put_back": [],
        "left_over": [],
        "not_for": {"number": 0, "values": {}, "first": []},
    }
    assert released(lake, "aia171_20150102") == [(1, "ACTIVE", 2)]


def test_a_changed_parameter_makes_a_second_release_and_keeps_the_first(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    ingest(lake, aia_series(tmp_path, at(2015, 1, 3), 2))
    processed(home, lake, "aia171_20150103")
    before = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in search.get_files(lake, "aia171_20150103.l15", tmp_path / "before")
    }
    changed = {"normalise_exposure__enabled": False}
    assert counted(processed(home, lake, "aia171_20150103", **changed)) == {"done": 2}
    assert released(lake, "aia171_20150103") == [(1, "SUPERSEDED", 2), (2, "ACTIVE", 2)]
    after = search.get_files(lake, "aia171_20150103.l15@v0001", tmp_path / "after")
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in after} == before
    (new, _) = search.get_files(lake, "aia171_20150103.l15", tmp_path / "new")
    assert fits.getheader(new)["BUNIT"] == "DN"
    # Back to what was: the old release is the ACTIVE one again, and no unit is done twice.
    again = processed(home, lake, "aia171_20150103")
    assert counted(again) == {"skipped": 2}
    assert [(one["version"], one["again"]) for one in again.more["releases"]] == [(1, True)]
    assert released(lake, "aia171_20150103") == [(1, "ACTIVE", 2), (2, "SUPERSEDED", 2)]
    assert {path.name for path in search.get_files(lake, "aia171_20150103.l15", tmp_path / "back")} == set(
        before
    )


def test_one_more_raw_file_makes_a_release_that_reuses_the_others(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    ingest(lake, aia_series(tmp_path, at(2015, 1, 4), 2))
    processed(home, lake, "aia171_20150104")
    ingest(lake, [aia_file(tmp_path, at(2015, 1, 4, 12))])
    assert released(lake, "aia171_20150104", level="1") == [(1, "SUPERSEDED", 2), (2, "ACTIVE", 3)]
    assert counted(processed(home, lake, "aia171_20150104")) == {"done": 1, "skipped": 2}
    names = sorted(path.name for path in search.get_files(lake, "aia171_20150104.l15", tmp_path / "got"))
    assert [name.split(".")[-2] for name in names] == ["v0001", "v0001", "v0002"]


def test_other_bytes_under_a_known_name_are_refused(lake: Lake, tmp_path: Path) -> None:
    (path,) = aia_series(tmp_path, at(2015, 1, 5), 1)
    ingest(lake, [path])
    fits.setval(path, "EXPTIME", value=3.0)
    (item,) = ingest(lake, [path]).items
    assert (item.outcome, item.code) == ("quarantined", "name-conflict")
    assert "other bytes" in item.reason
    assert "new name" in item.advice


def test_a_frame_that_cannot_be_done_is_put_aside_and_the_others_go_on(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    good = aia_series(tmp_path, at(2015, 1, 6), 2)
    bad = aia_file(tmp_path, at(2015, 1, 6, 9), EXPTIME=0.0)
    ingest(lake, [*good, bad])
    report = processed(home, lake, "aia171_20150106")
    assert counted(report) == {"done": 2, "quarantined": 1}
    (item,) = [item for item in report.items if item.outcome == "quarantined"]
    assert (item.file, item.keyword) == (bad.name, "EXPTIME")
    assert item.advice
    assert released(lake, "aia171_20150106") == [(1, "ACTIVE", 2)]
    again = processed(home, lake, "aia171_20150106")
    assert counted(again) == {"skipped": 2, "quarantined": 1}
    assert again.more["run"] is None
    assert [item.reason for item in again.items if item.outcome == "quarantined"] == [item.reason]


def test_a_release_that_would_not_be_made_today_stays_and_is_named(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    name, refused = "aia171_20150121", {"register__scale_arcsec": 0.6}
    ingest(lake, [aia_file(tmp_path, at(2015, 1, 21), CDELT1=0.6, CDELT2=0.6)])  # a cut-out
    assert processed(home, lake, name).more["left_over"] == []
    report = processed(home, lake, name, **refused)
    assert counted(report) == {"quarantined": 1}
    assert report.more["left_over"] == [f"sdo_aia:{name}.l15@v0001"]
    assert "stays ACTIVE" in report._repr_html_()
    assert released(lake, name) == [(1, "ACTIVE", 1)]
    stands = standing(lake, planned(lake, name, **refused))
    assert stands.left_over() == report.more["left_over"]
    assert stands.replaced() == []
    again = processed(home, lake, name, **refused)
    assert again.more["run"] is None, "nothing is to be done"
    assert again.more["left_over"] == report.more["left_over"]


def test_what_came_finished_from_elsewhere_is_kept_in_every_later_release(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    finished = aia_file(tmp_path, at(2015, 1, 7, 10), LVL_NUM=1.5)
    ingest(lake, [*aia_series(tmp_path, at(2015, 1, 7), 2), finished])
    report = processed(home, lake, "aia171_20150107")
    assert counted(report) == {"done": 2, "skipped": 1}
    assert "already" in next(item.reason for item in report.items if item.outcome == "skipped")
    names = {path.name for path in search.get_files(lake, "aia171_20150107.l15", tmp_path / "got")}
    assert finished.name in names
    assert len(names) == 3
    assert counted(processed(home, lake, "aia171_20150107")) == {"skipped": 3}


def test_a_release_bears_the_dates_of_its_headers_where_a_step_knows_them_better(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    """A beacon image of HI is a sum of many exposures, whose beginning its raw header does not tell."""
    config = SimulationConfig(
        detector="HI2", spacecraft="A", kind="s7", frames=1, size=64, start=at(2010, 6, 1, 12), seed=4
    )
    ingest(lake, write_series(tmp_path, config))
    plan = make_plan(lake, recipes()["stereo_hi-l1"], Query(observation="hi2a_s7_20100601"))
    (item,) = process(lake, home.scheduler(), plan).items
    header = fits.getheader(path_of(lake, *item.output.split(":")))
    raw, made = (
        search.search(lake, Wanted("stereo_hi", level, pattern="hi2a_s7_20100601"))[0]["date_beg"]
        for level in ("0", "1")
    )
    assert made == header["DATE-BEG"].ljust(23, "0")[:23] + "Z"
    assert made < raw


def test_missing_flags_reach_the_quality_plane(home: Home, lake: Lake, tmp_path: Path) -> None:
    (path,) = aia_series(tmp_path, at(2015, 1, 8), 1, BLANK=-32768)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].data[30, 30] = -32768
    ingest(lake, [path])
    processed(home, lake, "aia171_20150108")
    (got,) = search.get_files(lake, "aia171_20150108.l15", tmp_path / "got")
    with fits.open(got) as hdus:
        lost = np.isnan(hdus[0].data)
        flags = hdus["QUALITY"].data
        assert 1 <= lost[20:40, 20:40].sum() <= 4
        assert (flags[20:40, 20:40][lost[20:40, 20:40]] & int(Quality.MISSING)).all()


PROCESS = """
import sys
from cluster.home.home import Home
from cluster.plan.plan import Query, make_plan
from cluster.run.process import process, resume
from cluster.services import status, up
from lake.governance import embargo
from lake.governance.policy import OWNER
from lake.governance.target import Target
from lake.lake import Lake
from pipeline.errors import Fatal
from pipeline.errors import Retriable as PipelineRetriable
from pipeline.recipe import recipes
if __name__ == "__main__":
    home = Home(sys.argv[1])
    lake = Lake.open(home.lake_config())
    plan = make_plan(lake, recipes()["aia-l15"], Query(observation=sys.argv[2]))
    report = process(lake, home.scheduler(), plan)
    import json
    print(json.dumps(report.document()))
"""


def stored(lake: Lake, day: str, *, leftovers: bool = False) -> list[str]:
    """Files under a final name, or what killed writers left."""
    return [
        found.path
        for found in lake.store.scan()
        if day in found.path and ".l15." in found.path and (found.writer is not None) == leftovers
    ]


@pytest.mark.slow
def test_a_process_killed_at_any_moment_is_completed_by_running_it_again(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    count, observation = 40, "aia171_20150109"
    ingest(lake, aia_series(tmp_path, at(2015, 1, 9), count))
    # Before the first file, in the middle, and between the last file and the published release.
    for moment in (0, 7, 21, count):
        running = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(home.path), observation],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while running.poll() is None and len(stored(lake, "20150109")) < moment:
            time.sleep(0.01)
        time.sleep(0.5 if moment == 0 else 0.05)
        running.send_signal(signal.SIGKILL)
        running.wait()
    last = subprocess.run(
        [sys.executable, "-c", PROCESS, str(home.path), observation],
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(last.stdout)
    assert document["quarantined"] == document["failed"] == 0
    assert document["done"] + document["skipped"] == count
    active = [one for one in released(lake, observation) if one[1] == "ACTIVE"]
    assert [files for _, _, files in active] == [count]
    assert len(stored(lake, "20150109")) == count, "a unit was done twice, or a half-written file stayed"
    assert [one for one in fsck(lake)["differences"] if "20150109" in json.dumps(one)] == []
    assert counted(processed(home, lake, observation)) == {"skipped": count}


@pytest.mark.slow
@pytest.mark.parametrize(("service", "day"), [("dask", 11), ("postgres", 12), ("rucio", 13)])
def test_a_service_lost_in_the_middle_costs_nothing_but_a_second_call(
    home: Home, lake: Lake, tmp_path: Path, service: str, day: int
) -> None:
    count, observation = 30, f"aia171_201501{day}"
    ingest(lake, aia_series(tmp_path, at(2015, 1, day), count))
    (pid,) = [state.pid for state in status(home) if state.name == service]
    assert pid is not None

    def kill(done: int, total: int, name: str) -> None:
        if done >= 5 and psutil.pid_exists(pid):
            master = psutil.Process(pid)
            # A server's children outlive it for a moment, long enough to answer the calls that are left.
            for process in [master, *master.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    plan = planned(lake, observation)
    try:
        with pytest.raises((PipelineRetriable, Retriable), match="heliolake up"):
            process(lake, home.scheduler(), plan, on_progress=kill)
    finally:
        up(home)
    report = process(lake, home.scheduler(), plan)
    counts = report.counts()
    assert counts["done"] + counts["skipped"] == count
    assert [one for one in released(lake, observation) if one[1] == "ACTIVE"] == [(1, "ACTIVE", count)]
    assert len(stored(lake, f"201501{day}")) == count
    # A worker killed while it wrote leaves a temporary file: never under a final name, and fsck knows it.
    left = stored(lake, f"201501{day}", leftovers=True)
    found = [one for one in fsck(lake, repair=True)["differences"] if f"201501{day}" in json.dumps(one)]
    assert [(one["kind"], one["repaired"]) for one in found] == [("leftover-part", True)] * len(left)
    assert stored(lake, f"201501{day}", leftovers=True) == []


def test_a_plan_is_named_by_its_content(lake: Lake, tmp_path: Path) -> None:
    ingest(lake, aia_series(tmp_path, at(2015, 1, 10), 2))
    plan = planned(lake, "aia171_20150110")
    assert planned(lake, "aia171_20150110").id == plan.id
    other = planned(lake, "aia171_20150110", register__scale_arcsec=40.0)
    assert other.id != plan.id
    assert not {unit.unit_id for unit in other.units} & {unit.unit_id for unit in plan.units}
    assert planned(lake, "aia17?_20150110*").id == plan.id
    (explained,) = plan.explain(plan.units[0].file.name)
    assert explained["parent"] == "sdo_aia:aia171_20150110.l1@v0001"
    since = make_plan(lake, plan.recipe, Query(since=at(2015, 1, 11), observation="aia171_20150110"))
    assert since.units == ()


def test_what_other_code_made_is_never_published(home: Home, lake: Lake, tmp_path: Path) -> None:
    ingest(lake, aia_series(tmp_path, at(2015, 6, 1), 1))
    plan = planned(lake, "aia171_20150601")
    other = replace(plan, code={**plan.code, "step register": "version 99"})
    with pytest.raises(Fatal, match="other code than the plan was made with; nothing of it is published"):
        process(lake, home.scheduler(), other)
    assert released(lake, "aia171_20150601") == []
    (run,) = runs.runs_of_plan(lake, other.id)
    with pytest.raises(Fatal, match=r"version 99.*Plan again: `heliolake process aia-l15`"):
        resume(lake, home.scheduler(), run["run"])
    assert counted(process(lake, home.scheduler(), plan)) == {"done": 1}  # planned again: a run of its own
    assert [status for _, status, _ in released(lake, "aia171_20150601")] == ["ACTIVE"]


def test_what_other_code_published_before_is_found_and_made_anew(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    ingest(lake, aia_series(tmp_path, at(2015, 6, 2), 1))
    processed(home, lake, "aia171_20150602")
    (unit,) = planned(lake, "aia171_20150602").units
    assert not other_code_of(lake)
    # The unit was planned with a later version than the one whose numbers were published under it.
    with transaction(lake.sessions) as session:
        row = session.get_one(UnitResult, unit.unit_id)
        later = {step: version + 1 for step, version in row.detail["procedures"].items()}
        row.detail = {**row.detail, "procedures": later}
    (found,) = other_code_of(lake)
    assert found["did"].startswith("sdo_aia:")
    assert "in the header" in found["detail"]
    again = "heliolake process aia-l15 --observation aia171_20150602"
    assert found["commands"] == ["heliolake fsck --deep --repair", again]
    assert counted(processed(home, lake, "aia171_20150602")) == {"skipped": 1}
    (found,) = other_code_of(lake, repair=True)
    assert found["commands"] == [again]
    assert counted(processed(home, lake, "aia171_20150602")) == {"done": 1}
    assert released(lake, "aia171_20150602") == [(1, "SUPERSEDED", 1), (2, "ACTIVE", 1)]
    assert not other_code_of(lake)


def test_all_that_other_code_made_is_found_page_by_page(
    home: Home, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(lake, aia_series(tmp_path, at(2015, 6, 3), 5))
    processed(home, lake, "aia171_20150603")
    with transaction(lake.sessions) as session:
        for unit in planned(lake, "aia171_20150603").units:
            row = session.get_one(UnitResult, unit.unit_id)
            row.detail = {**row.detail, "procedures": {"register": 99}}
    whole = [one["did"] for one in other_code_of(lake)]
    assert len(whole) == len(set(whole)) == 5
    for many in (1, 2, 5):
        monkeypatch.setattr(fsck_code, "_MANY", many)
        assert [one["did"] for one in other_code_of(lake)] == whole
        pages = fsck_code._pages(Look(lake, take_picture(lake, ["sdo_aia"]), 3600.0))
        assert {len(page) for page in pages} <= set(range(many + 1))
    # What is put right on the way is left out of no page.
    monkeypatch.setattr(fsck_code, "_MANY", 2)
    look = Look(lake, take_picture(lake, ["sdo_aia"]), 3600.0)
    repaired = [one.did for one in other_code(look) if one.repair and one.repair()]
    assert repaired == whole
    assert not other_code_of(lake)


def other_code_of(lake: Lake, *, repair: bool = False) -> list[dict[str, Any]]:
    """What the whole of `fsck --deep` says of products made by other code; mends nothing else."""
    look = Look(lake, take_picture(lake, ["sdo_aia"]), 3600.0)
    found = list(other_code(look))
    if repair:
        for one in found:
            assert one.repair is not None
            one.commands = one.repair() or ()
    return [one.as_dict() for one in found]


def test_products_of_what_is_under_embargo_are_and_say_so_and_come_back_the_same(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    ingest(lake, aia_series(tmp_path, at(2015, 8, 21), 1))
    until = datetime(2999, 1, 1, tzinfo=UTC)
    target = Target("sdo_aia", "aia171_20150821")
    embargo.put(lake, target, until, reason="first paper", principal=OWNER)
    recipe = recipes()[RECIPE]
    with pytest.raises(BadInput, match="under embargo until"):
        make_plan(lake, recipe, Query(observation="aia171_20150821"))
    plan = make_plan(lake, recipe, Query(observation="aia171_20150821"), principal=OWNER)
    assert standing(lake, plan).embargo_until == until
    with pytest.raises(BadInput, match="under embargo until"):
        process(lake, home.scheduler(), plan)
    assert counted(process(lake, home.scheduler(), plan, principal=OWNER)) == {"done": 1}
    (made,) = search.search(lake, Wanted(instrument="sdo_aia", level="1.5", pattern="aia171_20150821"))
    assert made["embargo_until"] == "2999-01-01T00:00:00.000Z"
    (file,) = search.granted_files(lake, made["product"], OWNER)
    path = path_of(lake, file.scope, file.name)
    assert fits.getheader(path)["RELEASE"] == "2999-01-01T00:00:00.000"
    embargo.lift(lake, target, reason="published", principal=OWNER)
    before = path.read_bytes()
    path.unlink()
    again = process(lake, home.scheduler(), plan, principal=OWNER)
    assert again.more["put_back"] == [file.did]
    assert path.read_bytes() == before


def test_what_was_withdrawn_is_not_published_again_by_the_same_settings(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    observation = "aia171_20150822"
    ingest(lake, aia_series(tmp_path, at(2015, 8, 22), 1))
    processed(home, lake, observation)
    withdraw(lake, f"sdo_aia:{observation}.l15@v0001", reason="a wrong pointing", principal=OWNER)
    report = processed(home, lake, observation)
    assert counted(report) == {"skipped": 1}
    assert "was withdrawn (a wrong pointing)" in report.items[0].reason
    assert report.more["releases"] == []
    processed(home, lake, observation, register__scale_arcsec=2.4)
    assert released(lake, observation) == [(1, "WITHDRAWN", 1), (2, "ACTIVE", 1)]
    told = changes(lake, f"sdo_aia:{observation}.l15")
    assert told["before"] == f"sdo_aia:{observation}.l15@v0001"
    assert {
        "kind": "parameter",
        "text": "register.scale_arcsec is 2.4 (was the default)",
    } in told["changes"]
