"""The demonstration: what it shows is true, and what it writes stands alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

import pipeline
from cluster.home.home import Home
from cluster.report import Item, Report
from heliolake.cli.app import app
from heliolake.cli.complete import demonstrations
from heliolake.demo import subjects
from heliolake.demo.inputs import shipped_frames, simulate
from heliolake.demo.page import _table, write_page
from heliolake.demo.picture import write_picture
from heliolake.demo.result import ARCHIVE, DemoResult
from heliolake.demo.run import run_demo
from heliolake.demo.stories import (
    Shown,
    Story,
    Truth,
    aia_story,
    hi_story,
    residual_in_noise,
    smooth_corona,
    unsmeared_scale,
)
from heliolake.recipes import find_recipe
from lake.archive.server import LOOPBACK, PORT
from pipeline.kernels.desmear import smear
from pipeline.stack import header_of, stack_of
from pipeline.step import ReferenceFile

SMALL = {
    "size": 128,
    "frames": 1,
    "sources": ({"x": 40.0, "y": 60.0, "rate": 9e4},),
}


def processed(path: Path, recipe: str, flat: Path | None = None) -> Shown:
    """A file through a recipe, as the lake would show it."""
    given = {} if flat is None else {"flat": ReferenceFile("flat", flat.name, str(flat), "")}
    with fits.open(path) as hdus:
        frame = pipeline.Frame.of(hdus[0].data, hdus[0].header, path.name)
    stack = pipeline.apply(stack_of([frame]), find_recipe(recipe), given).compute()
    return Shown(
        path.name,
        "product@v0001",
        frame.data,
        stack["image"].values[0],
        stack["quality"].values[0],
        frame.header,
        header_of(str(stack["header"].values[0])),
    )


@pytest.fixture(scope="module")
def hi(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A small simulated HI frame."""
    folder = tmp_path_factory.mktemp("hi")
    simulated = simulate(folder / "files", folder / "truth", **SMALL)
    path = simulated.paths[0]
    return hi_story(processed(path, "stereo_hi-l1", simulated.flat), simulated.truths[path.name])


@pytest.fixture(scope="module")
def aia() -> Story:
    """The full-disk frame that sunpy ships."""
    return aia_story(processed(shipped_frames()[0], "aia-l15"))


def test_every_panel_of_the_sun_and_the_sky_has_solar_coordinates(aia: Story, hi: Story) -> None:
    for panel in (*aia.panels, *hi.panels):
        assert panel.sky is not None
        assert len(panel.sky.x) >= 2
        assert len(panel.sky.y) >= 2
    assert all(panel.sky is not None and panel.sky.limb.size for panel in aia.panels)


def test_cells_of_a_table_name_their_columns_where_a_narrow_screen_shows_no_head() -> None:
    made = _table(("file", "files"), [("a.fits", "3")])
    assert re.findall(r'<td data-name="(\w+)"><span>(.*?)</span>', made) == [
        ("file", "a.fits"),
        ("files", "3"),
    ]


def test_the_simulated_frame_comes_back_to_its_cameras_noise(hi: Story) -> None:
    number = float(re.match(r"residual ([\d.]+) ×", hi.measure)[1])  # type: ignore[index]
    assert 0.9 < number <= 1.2
    assert hi.simulated
    assert "simulated" in hi.heading


def test_a_real_hi_frame_is_not_called_simulated(real_data: Path) -> None:
    story = hi_story(
        processed(real_data / "stereo_hi" / "hi_20110910_114721_s7h2A.fts", "stereo_hi-l1"), None
    )
    assert not story.simulated
    assert story.measure == ""


@pytest.mark.filterwarnings("ignore:Invalid 'BLANK' keyword")
def test_before_and_after_of_an_aia_frame_have_one_unit_and_one_scale(aia: Story) -> None:
    before, after, difference = aia.panels
    assert {panel.unit for panel in aia.panels} == {"DN/s"}
    assert before.limits == after.limits
    np.testing.assert_allclose(difference.image, after.image - before.image)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100), readout=st.floats(1e-5, 1e-3))
def test_the_scale_of_a_smeared_image_is_found(seed: int, factor: float, readout: float) -> None:
    sky = np.random.default_rng(seed).gamma(2.0, 5.0, (40, 30))
    raw = factor * smear(sky, 1.0, readout, readout / 20)
    assert unsmeared_scale(raw.astype(np.float32), sky.astype(np.float32)) == pytest.approx(
        1 / factor, rel=1e-3
    )


def test_stars_do_not_shine_into_the_smooth_corona() -> None:
    y, x = np.mgrid[0:200, 0:200]
    corona = (100 * np.exp(-x / 150) * (1 + y / 400)).astype(np.float32)
    sky = corona.copy()
    sky[17, 33] = 1e5
    sky[100:102] = np.nan
    np.testing.assert_allclose(smooth_corona(sky), corona, rtol=0.02)


def test_flagged_pixels_do_not_count_in_the_residual() -> None:
    truth = Truth(np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32))
    after = np.ones((4, 4), np.float32)
    after[0, 0] = 1000
    quality = np.zeros((4, 4), np.uint16)
    quality[0, 0] = 2
    shown = Shown("f", "p", after, after, quality, fits.Header(), fits.Header())
    image, number, beyond = residual_in_noise(shown, truth)
    assert (number, beyond) == (1.0, 0.0)
    assert np.isnan(image[0, 0])


def test_the_simulated_series_is_made_once_and_read_back_alike(tmp_path: Path) -> None:
    first = simulate(tmp_path / "files", tmp_path / "truth", **SMALL)
    stamp = first.paths[0].stat().st_mtime_ns
    again = simulate(tmp_path / "files", tmp_path / "truth", **SMALL)
    assert again.paths == first.paths
    assert again.paths[0].stat().st_mtime_ns == stamp
    name = first.paths[0].name
    np.testing.assert_array_equal(again.truths[name].image, first.truths[name].image)


def test_a_missing_simulated_file_is_made_again_with_the_same_bytes(tmp_path: Path) -> None:
    path = simulate(tmp_path / "files", tmp_path / "truth", **SMALL).paths[0]
    content = path.read_bytes()
    path.unlink()
    assert simulate(tmp_path / "files", tmp_path / "truth", **SMALL).paths[0].read_bytes() == content


def test_simulated_files_say_so(tmp_path: Path) -> None:
    path = simulate(tmp_path / "files", tmp_path / "truth", **SMALL).paths[0]
    assert path.name.startswith("sim_")
    assert fits.getheader(path)["SIMULATD"] is True


def test_the_picture_has_a_row_for_each_story(hi: Story, aia: Story, tmp_path: Path) -> None:
    heights = []
    for number, stories in enumerate(([aia], [aia, hi])):
        path = tmp_path / f"{number}.png"
        write_picture(stories, path)
        with Image.open(path) as image:
            heights.append(image.height)
    assert heights[1] > 1.7 * heights[0]


class Addresses(HTMLParser):
    """Everything a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep addresses."""
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


@pytest.fixture
def page(hi: Story, aia: Story, tmp_path: Path) -> str:
    """The page of a made-up demonstration."""
    release = {
        "product": "toy:<p>.l1",
        "version": 2,
        "level": "1",
        "files": 3,
        "date_beg": "2009-04-01T00:08:31.000Z",
        "recipe": "toy-l1",
    }
    case = {"file": "/a/b/bad.fits", "reason": "header & data disagree", "advice": "fetch it again"}
    result = DemoResult(
        Home(tmp_path / "home"), Report([Item("f", "done")]), releases=[release], quarantined=[case]
    )
    result.simulated = {"toy:<p>.l1"}
    result.stories = [aia, hi]
    write_page(result, tmp_path / "page.html")
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_page_refers_to_nothing_outside_itself(page: str) -> None:
    addresses = Addresses()
    addresses.feed(page)
    assert len(addresses.found) == 14
    assert all(address.startswith("data:image/") or address == ARCHIVE for address in addresses.found)
    assert "http" not in re.sub(r"data:image/[^\"]+", "", page).replace(ARCHIVE, "")


def test_the_address_of_the_archive_is_the_one_where_it_is_served() -> None:
    assert f"http://{LOOPBACK}:{PORT}/" == ARCHIVE


def test_the_page_tells_what_was_made_and_put_aside(page: str) -> None:
    for text in ("toy:&lt;p&gt;.l1", "v0002", "bad.fits", "header &amp; data disagree", "fetch it again"):
        assert text in page
    assert page.count("simulated data") == 1
    assert '</code><span class="badge warn">simulated</span>' in page
    assert "level 1 − truth" in page


def test_help_names_every_instrument_that_has_a_demonstration() -> None:
    told = CliRunner().invoke(app, ["demo", "--help"], env={"COLUMNS": "200"}).output
    assert subjects.named() == [name for name in subjects.named() if name in told]
    assert demonstrations("kis_c") == ["kis_chrotel"]


def test_the_demonstration_ends_well_in_a_running_home_and_leaves_it_running(
    home: Home, here: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster.services import status
    from heliolake.demo import inputs

    start = datetime(2008, 5, 6, tzinfo=UTC)
    monkeypatch.setattr(inputs, "SERIES", {**inputs.SERIES, **SMALL, "start": start})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "broken_for_the_demo.fits").write_bytes(b"SIMPLE  =                    T")
    said: list[str] = []
    result = run_demo(home, tmp_path / "out", tmp_path / "data", say=said.append)
    assert result.picture.exists()
    assert result.page.exists()
    assert any(story.measure for story in result.stories)
    assert "stereo_hi:hi1a_s4_20080506.l1" in result.simulated
    assert any(case["file"].endswith("broken_for_the_demo.fits") for case in result.quarantined)
    assert [one.split()[3] for one in result.next_commands()] == ["up", "serve", "search", "get"]
    assert "Stopping the services" not in said
    assert {state.state for state in status(home)} == {"running"}
    again = run_demo(home, tmp_path / "out", tmp_path / "data")
    assert again.ingested.counts()["done"] == 0
    assert all(report.counts()["done"] == 0 for report in again.processed.values())
