"""The page in the dashboard of a real scheduler, by HTTP and websocket, over a real run."""

from __future__ import annotations

import base64
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster.connect import connected
from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Query, make_plan
from cluster.run.process import process
from cluster.services.base import fetch
from lake.governance import embargo
from lake.governance.policy import OWNER
from lake.governance.target import Target
from lake.lake import Lake
from lake.ledger import control, runs
from lake.ledger.pace import pace
from pipeline.recipe import recipes
from tests.cluster.board.conftest import Open
from tests.cluster.frames import aia_file, aia_series, at

COUNT = 6


@pytest.fixture(scope="module")
def published(home: Home, lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run that is done; one of its files was put aside."""
    return made(home, lake, tmp_path_factory.mktemp("published"), 1)


def made(home: Home, lake: Lake, folder: Path, day: int) -> str:
    ingest(
        lake,
        [*aia_series(folder, at(2014, 2, day), COUNT), aia_file(folder, at(2014, 2, day, 9), EXPTIME=0.0)],
    )
    plan = make_plan(lake, recipes()["aia-l15"], Query(observation=f"aia171_201402{day:02d}"))
    process(lake, home.scheduler(), plan)
    return str(runs.runs_of_plan(lake, plan.id)[0]["run"])


def test_every_page_of_the_dashboard_leads_to_it(home: Home) -> None:
    for name in ("status", "workers", "heliolake"):
        assert '<a href="heliolake">Heliolake</a>' in fetch(f"{home.url('dashboard')}/{name}").decode()


def test_what_is_in_the_html_tells_nothing_of_the_lake(home: Home, published: str) -> None:
    """Any page of the web can have a browser fetch it; what is shown comes by the websocket."""
    assert published not in fetch(f"{home.url('dashboard')}/heliolake").decode()


def test_a_run_is_shown_with_what_was_put_aside(page: Open, lake: Lake, published: str) -> None:
    page.until(lambda: published in page.text("runs"))
    told = pace(lake, published)
    page.until(lambda: f"{COUNT} done" in page.text("runs"))
    page.until(lambda: all(one["step"] in page.text("steps") for one in told["steps"]))
    page.until(lambda: re.search("exptime|exposure", page.text("quarantine"), re.IGNORECASE))
    page.until(lambda: "this scheduler" in page.text("workers").lower())
    page.until(lambda: sum(page.model("speed").renderers[0].data_source.data["units"]) >= COUNT)


def test_workers_are_shown_with_their_memory(page: Open, home: Home) -> None:
    with connected(home.scheduler()) as client:
        names = [str(one["name"]) for one in client.scheduler_info(n_workers=-1)["workers"].values()]
    page.until(lambda: all(f"<td>{name}</td>" in page.text("workers") for name in names))
    page.until(lambda: "GB" in page.text("workers"))


def pictures(page: Open, day: int) -> list[bytes]:
    """The pictures that are shown of a day's frames."""
    html = page.text("frames")
    return [
        base64.b64decode(one.partition("'")[0])
        for one in html.split("src='data:image/png;base64,")[1:]
        if f"201402{day:02d}" in one.partition("</figure>")[0]
    ]


def test_the_latest_frames_are_pictures_until_they_come_under_embargo(
    page: Open, home: Home, lake: Lake, tmp_path: Path
) -> None:
    from PIL import Image

    made(home, lake, tmp_path, 2)
    shown = page.until(lambda: pictures(page, 2))
    with Image.open(io.BytesIO(shown[0])) as image:
        assert image.size == (64, 64)
        assert len(image.convert("L").getcolors() or ()) > 10, "it is a picture of something"
    until_then = datetime.now(UTC) + timedelta(days=400)
    target = Target(scope="sdo_aia", observation="aia171_20140202")
    embargo.put(lake, target, until_then, reason="first paper", principal=OWNER, holders=["ada"])
    page.until(lambda: not pictures(page, 2))
    page.until(lambda: f"under embargo until {until_then:%Y-%m-%d}" in page.text("frames"))


def test_a_run_is_followed_while_it_goes_on_and_while_it_is_held_up(
    page: Open, home: Home, lake: Lake, tmp_path: Path
) -> None:
    ingest(lake, aia_series(tmp_path, at(2014, 2, 3), COUNT))
    plan = make_plan(lake, recipes()["aia-l15"], Query(observation="aia171_20140203"))
    followed: list[str] = []

    def follow(done: int, _total: int, _what: str) -> None:
        if not done or followed:
            return
        run = str(runs.runs_of_plan(lake, plan.id)[0]["run"])
        followed.append(run)
        page.until(
            lambda: f"<code>{run}</code><span>aia-l15</span><span class='badge running'>" in page.text("runs")
        )
        page.until(lambda: run in page.text("sites"))  # its executor
        control.pause(lake, run, OWNER)
        page.until(
            lambda: f"<code>{run}</code><span>aia-l15</span><span class='badge paused'>" in page.text("runs")
        )
        control.resume(lake, run, OWNER)

    process(lake, home.scheduler(), plan, on_progress=follow)
    assert followed
    page.until(lambda: f"<td><code>{followed[0]}</code></td>" in page.text("runs"))
