"""`plan` and `process` as a person meets them: what is new, what is refused, how the bar goes."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest
from astropy.io import fits
from rich.console import Console

from heliolake.cli import output
from heliolake.cli.output import progress_bar, time_left
from heliolake.recipes import recipe_names, require_recipe
from lake.errors import Fatal
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from pipeline.recipe import recipes
from tests.cluster.frames import at
from tests.heliolake.conftest import Command

DAY = "hi2b_s4_20080305"


@pytest.fixture(scope="module")
def ingested(here: Command, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The home, with two simulated frames of a day that only this module uses."""
    config = SimulationConfig(
        detector="HI2", spacecraft="B", frames=2, size=64, exposures=20, stars=20, start=at(2008, 3, 5)
    )
    assert here("ingest", *write_series(tmp_path_factory.mktemp("frames"), config)).code == 0
    return here


def test_a_plan_says_what_is_new_what_is_done_and_what_comes(ingested: Command) -> None:
    words = ("stereo_hi-l1", "--observation", DAY)
    changed = ("--set", "saturated_columns.limit=13000")

    def stands(*more: str) -> tuple[int, int, int | None, str]:
        document = ingested("plan", *words, *more, "--json").document()["standing"]
        (product,) = document["products"]
        assert (document["new"], document["done"]) == (product["new"], product["done"])
        return product["new"], product["done"], product["active"], product["comes"]

    assert stands() == (2, 0, None, "first release")
    assert ingested("process", *words).code == 0
    assert stands() == (0, 2, 1, "nothing")
    assert stands(*changed) == (2, 0, 1, "next version")
    assert "v0002 replaces v0001, which stays" in ingested("process", *words, *changed).out
    assert stands() == (0, 2, 2, "version 1 again")
    said = ingested("plan", *words).out
    assert "0 files are new, 2 were done before" in re.sub(r"\s+", " ", said)
    again = ingested("process", *words)
    assert "v0001 is active again, in place of v0002, which stays" in again.out
    assert stands() == (0, 2, 1, "nothing")


def test_whoever_has_nothing_to_do_learns_which_files_a_recipe_is_not_for_and_why(
    ingested: Command, tmp_path: Path
) -> None:
    source = resources.files("pipeline") / "instruments/stereo_hi/recipes/stereo_hi-l1.yaml"
    mine = tmp_path / "mine.yaml"
    mine.write_text(source.read_text().replace("name: stereo_hi-l1", "name: mine\nwhere: {detector: ['1']}"))
    words = (mine, "--observation", DAY)
    said = ingested("process", *words)
    told = re.sub(r"\s+", " ", said.err)
    assert (said.code, "0 files: nothing to do" in said.out) == (0, True)
    assert "2 files of its level are not for this recipe: the first is stereo_hi:" in told
    assert "its detector is 2; the recipe takes 1" in told
    assert f"plan {mine} --observation {DAY} --left-out lists all" in told
    listed = ingested("plan", *words, "--left-out", "--json").document()["left_out"]
    assert len({one["file"] for one in listed}) == 2
    shown = ingested("plan", *words, "--left-out").out
    assert all(f"{one['file']}: {one['reason']}" in shown for one in listed)
    file = listed[1]["file"].partition(":")[2]
    explained = ingested("plan", *words, "--explain", file)
    assert f"{file} is left out: its detector is 2" in explained.out
    planned = ingested("plan", *words)
    assert planned.out.count("its detector is 2; the recipe takes 1") == 2
    assert ingested("plan", *words, "--json").document()["not_for"]["values"] == {"detector": 2}
    assert "mine leaves out no file" not in planned.err


@pytest.mark.parametrize("command", ["plan", "process"])
def test_what_cannot_work_is_refused_by_both_commands(ingested: Command, command: str) -> None:
    said = ingested(command, "stereo_hi-l1", "--observation", DAY, "--set", "desmear.enabled=false")
    assert (said.code, said.out) == (2, "")
    assert "missing_blocks takes images in DN/s" in said.err
    assert "switch desmear on again" in said.err


def test_a_trial_writes_marked_products_to_a_folder_and_publishes_nothing(
    ingested: Command, tmp_path: Path
) -> None:
    words = ("process", "stereo_hi-l1", "--observation", DAY, "--set", "saturated_columns.limit=12345")

    def kept() -> list[object]:
        releases = ingested("search", "--observation", DAY, "--json").document()["releases"]
        runs = ingested("runs", "--json").document()["runs"]
        return [[(one["product"], one["version"], one["status"]) for one in releases], len(runs)]

    before = kept()
    said = ingested(*words, "--trial", "-o", tmp_path / "try", "--json")
    assert said.code == 0
    document = said.document()
    assert (document["done"], document["run"], document["releases"]) == (2, None, [])
    written = sorted((tmp_path / "try").iterdir())
    assert [str(path) for path in written] == sorted(item["output"] for item in document["items"])
    assert all(path.name.endswith(".l1.trial.fits") for path in written)
    with fits.open(written[0], checksum=True) as hdus:
        assert hdus[0].header["TRIAL"] is True
        assert hdus[0].header["VERSION"] == 0
        assert "QUALITY" in hdus
    # What was only tried does not come in by the back door.
    (item,) = ingested("ingest", written[0], "--json").document()["items"]
    assert (item["outcome"], item["keyword"]) == ("quarantined", "TRIAL")
    assert kept() == before
    # A second trial replaces what the first one wrote, and nothing else.
    other = fits.PrimaryHDU(header=fits.Header({"OBJECT": "mine"}))
    other.writeto(written[0], overwrite=True)
    again = ingested(*words, "--trial", "-o", tmp_path / "try", "--json")
    assert again.code == 1
    assert (again.document()["done"], again.document()["quarantined"]) == (1, 1)
    assert fits.getheader(written[0])["OBJECT"] == "mine"
    assert kept() == before


def test_a_trial_needs_its_folder_and_a_folder_its_trial(ingested: Command, tmp_path: Path) -> None:
    for words in (("--trial",), ("-o", tmp_path)):
        said = ingested("process", "stereo_hi-l1", *words)
        assert said.code == 2
        assert "--trial -o FOLDER" in " ".join(said.err.replace("│", " ").split())


def test_an_unknown_recipe_is_refused_before_anything_slow_is_imported() -> None:
    code = """
import sys
from heliolake.cli.app import app
sys.argv = ["heliolake", "process", "stereo-hi-l1"]
try:
    app()
except SystemExit as end:
    slow = ("numpy", "astropy", "dask", "distributed", "rucio", "xarray", "sqlalchemy", "pipeline")
    print(end.code, [name for name in slow if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stdout.strip() == "2 []"
    assert "Did you mean stereo_hi-l1" in ended.stderr


def test_the_names_that_are_read_quickly_are_those_of_the_recipes() -> None:
    assert recipe_names() == set(recipes())


def test_a_recipe_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"no recipe file .*mine\.yaml"):
        require_recipe(str(tmp_path / "mine.yaml"))


def test_the_bar_never_stands_at_nought_of_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(output, "err", lambda: Console(file=stream, force_terminal=True, width=120))
    with progress_bar("aia-l15") as bar:
        time.sleep(0.3)  # the bar draws itself ten times a second
        bar(0, 7, "")
        bar(3, 7, "[bold]a name of a file[/].fits")
    shown = stream.getvalue()
    assert "looking what there is to do" in shown
    assert "3/7" in shown
    assert "[bold]a name of" in shown
    assert "?" not in re.sub(r"\x1b\[\?", "", shown)


@pytest.mark.parametrize(
    ("done", "todo", "seconds", "words"),
    [
        (0, 10, 5.0, ""),
        (10, 0, 5.0, ""),
        (10, 20, 5.0, "10 s left"),
        (1, 100, 6.0, "10 min left"),
        (1, 1000, 36.0, "10.0 h left"),
    ],
)
def test_the_time_left_follows_the_pace_so_far(done: int, todo: int, seconds: float, words: str) -> None:
    assert time_left(done, todo, seconds) == words
