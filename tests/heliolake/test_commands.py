"""The commands one after the other, as a person would type them, in a home whose services run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.home.home import Home
from tests.heliolake.conftest import OBSERVATION, Command

RAW, PRODUCT = f"stereo_hi:{OBSERVATION}.l0", f"stereo_hi:{OBSERVATION}.l1"
COUNTS = {"done", "skipped", "quarantined", "failed"}


@pytest.fixture(scope="module")
def ingested(here: Command, frames: list[Path]) -> Command:
    """The home, with two simulated frames in its lake."""
    said = here("ingest", *frames, "--json")
    assert said.code == 0
    assert (said.document()["done"], said.document()["quarantined"]) == (2, 0)
    return here


@pytest.fixture(scope="module")
def processed(ingested: Command) -> Command:
    """The home, with the frames processed."""
    said = ingested("process", "stereo_hi-l1", "--observation", OBSERVATION, "--json")
    assert said.code == 0
    document = said.document()
    assert document["done"] == 2
    assert document["run"]
    return ingested


def test_a_lost_scheduler_is_told_in_our_words_only(home: Home) -> None:
    """Dask's client sets the level of its log when it is imported, which is later than ours is set."""
    code = f"""
import logging, types
from heliolake.cli.common import Globals, open_lake
with open_lake(types.SimpleNamespace(obj=Globals({str(home.path)!r}, False))):
    import distributed
    print(logging.getLogger("distributed.client").isEnabledFor(logging.CRITICAL))
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_ingest_again_skips_what_is_there(ingested: Command, frames: list[Path]) -> None:
    document = ingested("ingest", *frames, "--json").document()
    assert {key: document[key] for key in COUNTS} == {"done": 0, "skipped": 2, "quarantined": 0, "failed": 0}
    assert {"file", "outcome", "reason"} <= document["items"][0].keys()


def test_a_file_that_is_no_fits_is_put_aside_and_listed(ingested: Command, tmp_path: Path) -> None:
    path = tmp_path / "letter_to_the_observatory.fits"
    path.write_text("Dear colleagues, ...")
    said = ingested("ingest", path)
    assert said.code == 1
    assert path.name in said.out
    listed = ingested("quarantine", "--stage", "ingest", "--json").document()["quarantined"]
    (case,) = [one for one in listed if one["file"] == str(path)]
    assert case["reason"]
    assert case["advice"]
    assert path.name in ingested("quarantine").out


def test_quarantine_groups_reasons_counts_files_and_names_the_command_that_tries_again(
    ingested: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "three letters"
    folder.mkdir()
    for number in range(3):
        (folder / f"same_letter_{number}.fits").write_text("Dear colleagues, once more ...")
    assert ingested("ingest", folder).code == 1
    said = ingested("quarantine", "--stage", "ingest")
    groups = ingested("quarantine", "--json").document()["groups"]
    (group,) = [one for one in groups if f"'{folder}'" in one["command"]]
    assert group["files"] >= 3
    assert " ingest " in group["command"]
    assert group["advice"]
    assert group["command"] in said.out
    assert all(f"same_letter_{number}.fits" in said.out for number in range(3))


def test_a_case_that_nobody_will_repair_is_closed_with_a_reason(ingested: Command, tmp_path: Path) -> None:
    letter = tmp_path / "empty_letter.fits"
    letter.write_bytes(b"")
    assert ingested("ingest", letter).code == 1
    listed = ingested("quarantine", "--json").document()["quarantined"]
    (case,) = [one for one in listed if one["file"] == str(letter)]
    refused = ingested("quarantine", "--code", case["code"], "--close", " ")
    assert (refused.code, "needs a reason" in refused.err) == (2, True)
    ingested("quarantine", "--code", case["code"], "--stage", "ingest", "--close", "letters are no images")
    assert str(letter) not in ingested("quarantine").out
    assert "letters are no images" in ingested("audit", "show", "--what", "quarantine.close", "--json").out


def test_a_mistyped_path_is_told_and_never_put_aside(ingested: Command, tmp_path: Path) -> None:
    path = tmp_path / "mistyped.fits"
    said = ingested("ingest", path, "--json")
    assert said.code == 1
    assert [(one["outcome"], one["code"]) for one in said.document()["items"]] == [("failed", "missing-file")]
    listed = ingested("quarantine", "--all", "--json").document()["quarantined"]
    assert str(path) not in [one["file"] for one in listed]


def test_show_tells_what_is_odd_about_the_files(processed: Command) -> None:
    notes = processed("show", PRODUCT, "--json").document()["caveats"]
    assert {one["files"] for one in notes} <= {1, 2}
    assert notes
    said = " ".join(processed("show", PRODUCT).out.split())
    assert "Notes" in said
    assert "2 of 2" in said


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        (("search", "--instrument", "stereo-hi"), 2, "Did you mean stereo_hi? Known: "),
        (("search", "--level", "7"), 0, "Nothing has level 7; there are: 0, 1"),
        (("search", "--level", "l1"), 2, "is not a level"),
        (("search", "--observation", "hi2b_s4_20080230"), 0, f"Did you mean {OBSERVATION}"),
        (("show", "hi2b_s4_20080230.l1"), 2, f"did you mean {OBSERVATION}"),
        (("show", f"{OBSERVATION}.l15"), 2, f"of {OBSERVATION} there are: stereo_hi:{OBSERVATION}.l0@v0001"),
        (("runs", "show", "20000101-zzzz"), 2, "the latest are: "),
        (("quarantine", "--run", "20000101-zzzz"), 2, "there is no run"),
        (("plan", "stereo_hi-l1", "--context", "4711"), 2, "there is no context 4711"),
        (("plan", "stereo_hi-l1", "--set", "desmear.directoin=auto"), 2, "Did you mean direction?"),
        (("plan", "stereo_hi-l1", "--set", "desmeer.direction=auto"), 2, "Did you mean desmear?"),
        (("plan", "stereohi-l1"), 2, "Did you mean stereo_hi-l1?"),
        (("reduce", "backgruond", "--instrument", "stereo_hi"), 2, "Did you mean background?"),
        (("steps", "--instrument", "sdo_aya"), 2, "Did you mean sdo_aia?"),
    ],
)
def test_a_misspelt_name_is_met_with_the_nearest_and_with_those_there_are(
    processed: Command, words: tuple[str, ...], code: int, answer: str
) -> None:
    said = processed(*words)
    assert said.code == code
    assert answer in " ".join(said.err.split())
    assert "unexpected" not in said.err


def test_a_plan_tells_what_would_be_done_and_why(ingested: Command, tmp_path: Path) -> None:
    path = tmp_path / "today.plan"
    words = ("plan", "stereo_hi-l1", "--observation", OBSERVATION)
    document = ingested(*words, "-o", path, "--json").document()
    assert document["products"] == {PRODUCT: 2}
    name = document["units"][0]["input"]
    explained = ingested(*words, "--explain", name, "--json").document()["units"]
    assert [one["input"] for one in explained] == [name]
    assert "flat" in explained[0]["absent"]
    other = ("--set", "saturated_columns.limit=13000", "--diff", path, "--json")
    changed = ingested(*words, *other).document()["changed"]
    assert {one["why"] for one in changed} == {"steps or parameters of the recipe"}


def test_processing_again_does_nothing(processed: Command) -> None:
    document = processed("process", "stereo_hi-l1", "--observation", OBSERVATION, "--json").document()
    assert (document["done"], document["skipped"], document["run"]) == (0, 2, None)


def test_search_lists_releases_with_the_keys_scripts_rely_on(processed: Command) -> None:
    found = processed("search", "--observation", OBSERVATION, "--level", "1", "--json").document()["releases"]
    keys = {"product", "instrument", "level", "version", "status", "date_beg", "date_end", "files", "did"}
    assert keys <= found[0].keys()
    assert found[0]["product"] == PRODUCT


def test_what_was_simulated_is_never_listed_as_observed(processed: Command) -> None:
    (found,) = processed(
        "search", "--observation", OBSERVATION, "--level", "1", "--status", "ACTIVE", "--json"
    ).document()["releases"]
    assert found["simulated"] is True
    for words in (("search", "--observation", OBSERVATION), ("show", PRODUCT)):
        assert "ACTIVE, simulated" in processed(*words).out


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (("--instrument", "stereo_hi"), 2),
        (("--instrument", "sdo_aia"), 0),
        (("--level", "0"), 1),
        (("--since", "2008-02-04"), 0),
        (("--until", "2008-02-03"), 0),
        (("--since", "2008-02-03", "--until", "2008-02-04"), 2),
        (("--status", "withdrawn"), 0),
    ],
)
def test_search_narrows(processed: Command, words: tuple[str, ...], number: int) -> None:
    found = processed("search", "--observation", OBSERVATION, *words, "--json").document()["releases"]
    assert len({one["product"] for one in found}) == number


def test_a_status_that_does_not_exist_is_wrong_usage(processed: Command) -> None:
    said = processed("search", "--status", "finished")
    assert said.code == 2
    assert "SUPERSEDED" in said.err


def test_show_tells_provenance(processed: Command) -> None:
    document = processed("show", PRODUCT, "--json").document()
    assert document["provenance"]["recipe"] == "stereo_hi-l1"
    assert [one.partition("@")[0] for one in document["provenance"]["parents"]] == [RAW]
    said = processed("show", PRODUCT).out
    assert "stereo_hi-l1" in said
    assert max(map(len, said.splitlines())) <= 80


def test_get_writes_the_very_bytes_that_came_in(
    processed: Command, frames: list[Path], tmp_path: Path
) -> None:
    said = processed("get", f"{RAW}@v0001", "-o", tmp_path / "out")
    assert said.code == 0
    written = sorted(Path(line) for line in said.out.splitlines())
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in frames]


def test_get_never_overwrites(processed: Command, frames: list[Path], tmp_path: Path) -> None:
    (tmp_path / frames[0].name).write_text("mine")
    said = processed("get", RAW, "-o", tmp_path)
    assert said.code == 1
    assert (tmp_path / frames[0].name).read_text() == "mine"


def test_a_changed_parameter_makes_the_next_version_and_keeps_the_old(
    processed: Command, tmp_path: Path
) -> None:
    words = ("process", "stereo_hi-l1", "--observation", OBSERVATION, "--json")
    before = processed("search", "--observation", OBSERVATION, "--level", "1", "--json").document()
    old = max(one["version"] for one in before["releases"])
    asked = (
        "--set",
        "photometric_calibration.units=MSB",
        "--set",
        "photometric_calibration.without_flat=true",
    )
    assert processed(*words, *asked).document()["done"] == 2
    found = processed("search", "--observation", OBSERVATION, "--level", "1", "--json").document()
    status = {one["version"]: one["status"] for one in found["releases"]}
    assert status[old] == "SUPERSEDED"
    assert "ACTIVE" in status.values()
    assert processed("get", f"{PRODUCT}@v{old:04d}", "-o", tmp_path).code == 0
    assert processed(*words).document()["done"] == 0  # the units of before are known: nothing is computed


def test_runs_are_listed_with_what_became_of_their_units(processed: Command) -> None:
    newest = processed("runs", "--json").document()["runs"][0]
    assert newest["recipe"] == "stereo_hi-l1"
    assert newest["run"] in processed("runs").out
    assert newest["run"] in processed("runs", "list", "--limit", "1").out


def test_going_on_with_a_finished_run_does_nothing(processed: Command) -> None:
    newest = processed("runs", "--json").document()["runs"][0]["run"]
    said = processed("process", "--run", newest, "--json")
    assert said.code == 0
    assert said.document()["done"] + said.document()["skipped"] == 2
    assert said.document()["releases"] == []


def test_something_that_does_not_exist_is_named(processed: Command) -> None:
    for words in (("show", "nothing.l1"), ("get", "nothing.l1"), ("runs", "show", "20000101-zzzz")):
        said = processed(*words)
        assert said.code == 2
        assert words[-1] in said.err


def test_fsck_counts_what_it_looked_at(processed: Command) -> None:
    document = processed("fsck", "--json").document()
    assert document["checked"]["files"] >= 4
    assert isinstance(document["differences"], list)


def test_status_of_a_running_home(processed: Command) -> None:
    said = processed("status", "--json")
    assert said.code == 0
    assert {one["state"] for one in said.document()["services"]} == {"running"}


def test_contexts_are_numbered_and_compared(processed: Command, tmp_path: Path, frames: list[Path]) -> None:
    first, second = tmp_path / "first_dark.fits", tmp_path / "second_dark.fits"
    for path, frame in zip((first, second), frames, strict=True):
        shutil.copy(frame, path)
    words = ("--need", "dark", "--instrument", "soho_mdi", "--source", "a test", "--simulated", "--json")
    added = [
        processed("context", "add", path, *words, *more).document()
        for path, more in ((first, ()), (second, ("--use", "--select", "wavelength=171")))
    ]
    old, new = (one["contexts"][0]["context"] for one in added)
    assert [one["in_use"] for one in added] == [[old], [new]]
    listed = {one["context"]: one for one in processed("context", "list", "--json").document()["contexts"]}
    assert listed[new]["references"] == 2
    assert listed[new]["current_for"] == ["soho_mdi"]
    shown = processed("context", "show", new, "--json").document()["references"]
    assert {"wavelength": 171} in [one["selectors"] for one in shown]
    change = processed("context", "diff", old, new, "--json").document()
    assert [one["need"] for one in change["added"]] == ["dark"]
    assert processed("context", "use", old, "--json").document() == {"context": old, "instrument": "soho_mdi"}
    assert f"context use {new}" not in processed("context", "list").err


def test_context_add_asks_what_an_unknown_file_is(processed: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    said = processed("context", "add", tmp_path)
    assert said.code == 2
    assert "--need" in said.err
