"""Heliolake in a notebook."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import heliolake
import pipeline
from cluster.home.home import Home
from cluster.run.trial import trial_stack
from heliolake import Connection
from heliolake.recipes import find_recipe
from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.errors import BadInput, Fatal, Unreachable
from lake.fits import io as fits_io
from lake.governance.policy import OPERATOR, PUBLIC
from pipeline.errors import Fatal as PipelineFatal
from pipeline.quality import Quality
from tests.heliolake.conftest import OBSERVATION, Command
from tests.heliolake.test_documents import README, blocks


@pytest.fixture(scope="module")
def lake(here: Command, home: Home, frames: list[Path]) -> Iterator[Connection]:
    """A connection to a lake that holds two frames, raw and processed."""
    here("ingest", *frames)
    with heliolake.connect(home.path) as connection:
        connection.process("stereo_hi-l1", observation=OBSERVATION)
        yield connection


def test_connecting_without_services_says_how_to_start_them(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"heliolake .*up"):
        heliolake.connect(tmp_path)


def test_search_gives_a_table(lake: Connection) -> None:
    found = lake.search(observation=OBSERVATION)
    assert [one.level for one in found] == ["0", "1"]
    assert f"{OBSERVATION}.l1" in repr(found)
    html = found._repr_html_()
    assert html.count("<tr>") == 3
    assert html.count("ACTIVE, simulated") == repr(found).count("ACTIVE, simulated") == 2
    assert "ACTIVE, simulated" in repr(found[0])
    assert repr(found[:0]) == "nothing found"
    assert "Nothing has level 7; there are: 0" in repr(lake.search(level="7"))
    with pytest.raises(Fatal, match="Did you mean stereo_hi"):
        lake.search(instrument="stereo-hi")


def test_references_are_listed_and_fetched_by_their_names(
    lake: Connection, here: Command, tmp_path: Path
) -> None:
    path = tmp_path / "notebook_flat.fits"
    fits.PrimaryHDU(np.ones((64, 64), np.float32)).writeto(path)
    words = ["--need", "flat", "--instrument", "stereo_hi", "--source", "a test", "--select", "detector=9"]
    assert here("context", "add", path, *words).code == 0
    (one,) = [one for one in lake.references("stereo_hi", "flat") if "notebook_flat" in one["did"]]
    assert "sha256" not in one
    assert lake.get(one["did"], tmp_path / "got").read_bytes() == path.read_bytes()
    assert here("get", one["did"], "-o", tmp_path / "cli").code == 0
    assert next((tmp_path / "cli").iterdir()).read_bytes() == path.read_bytes()
    told = here("show", one["did"]).out
    assert "flat of stereo_hi, detector=9" in told
    assert here("show", one["did"], "--json").document()["reference"]["source"] == "a test"


def test_a_reference_of_too_few_frames_is_refused_in_a_notebook_too(lake: Connection) -> None:
    with pytest.raises(BadInput, match="too few frames for a background"):
        lake.reduce("background", instrument="stereo_hi", observation=OBSERVATION)


def test_times_may_be_texts(lake: Connection) -> None:
    assert len(lake.search(observation=OBSERVATION, since="2008-02-03", until="2008-02-04")) == 2
    assert len(lake.search(observation=OBSERVATION, since="2008-02-04T00:00:00+00:00")) == 0


def test_a_stack_is_lazy_and_knows_its_times(lake: Connection) -> None:
    stack = lake.search(observation=OBSERVATION, level="0")[0].stack()
    assert stack["image"].chunks == ((1, 1), (64,), (64,))
    assert np.datetime_as_string(stack.time.values[0], unit="D") == "2008-02-03"
    assert stack.attrs["product"].endswith(f"{OBSERVATION}.l0")


def test_what_a_notebook_computes_is_what_the_campaign_published(lake: Connection) -> None:
    raw, made = lake.search(observation=OBSERVATION)
    recipe = find_recipe("stereo_hi-l1")
    here = pipeline.apply(raw.stack(), recipe).compute()
    there = made.stack().compute()
    np.testing.assert_array_equal(here["image"].values, there["image"].values)
    np.testing.assert_array_equal(here["quality"].values, there["quality"].values)


def test_flags_come_with_products(lake: Connection) -> None:
    flags = lake.search(observation=OBSERVATION, level="1")[0].stack()["quality"].compute()
    assert flags.dtype == np.uint16
    assert (flags.values & Quality.INTERPOLATED).any()  # where the cosmic-ray report was


def test_a_shape_that_is_not_there_is_refused(lake: Connection) -> None:
    with pytest.raises(BadInput, match="no frame of this shape"):
        lake.product(f"{OBSERVATION}.l0").stack(shape=(3, 3))


def test_files_are_copied_and_compared(lake: Connection, frames: list[Path], tmp_path: Path) -> None:
    written = lake.product(f"{OBSERVATION}.l0").get(tmp_path)
    assert [path.read_bytes() for path in sorted(written)] == [path.read_bytes() for path in frames]


def test_an_attribute_that_is_not_there_lists_those_that_are(lake: Connection) -> None:
    with pytest.raises(AttributeError, match="product"):
        _ = lake.product(f"{OBSERVATION}.l0").nonsense


def test_the_cluster_computes_what_is_lazy(lake: Connection) -> None:
    mean = lake.product(f"{OBSERVATION}.l1").stack()["image"].mean()
    with lake.cluster():
        assert np.isfinite(mean.compute())


def test_importing_heliolake_costs_nothing() -> None:
    code = "import sys, heliolake; print('xarray' in sys.modules, 'numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]


def test_levels_may_be_numbers_and_bad_dates_are_told_as_the_command_tells_them(
    lake: Connection, here: Command
) -> None:
    assert [one.level for one in lake.search(observation=OBSERVATION, level=1)] == ["1"]
    assert [one.level for one in lake.search(observation=OBSERVATION, since=date(2008, 2, 3))] == ["0", "1"]
    with pytest.raises(BadInput) as refusal:
        lake.search(since="noon")
    assert refusal.value.reason in " ".join(here("search", "--since", "noon").err.replace("│", " ").split())


def versions(lake: Connection) -> dict[int, str]:
    """The versions of the product, and which is the ACTIVE one."""
    return {one.version: one.status for one in lake.search(observation=OBSERVATION, level=1, status=None)}


def test_trying_a_recipe_gives_what_processing_would_and_leaves_nothing_behind(lake: Connection) -> None:
    runs, quarantined, before = len(lake.runs(limit=1000)), len(lake.quarantine()), versions(lake)
    (made,) = lake.search(observation=OBSERVATION, level=1)
    tried = lake.try_recipe("stereo_hi-l1", observation=OBSERVATION)
    assert tried["image"].chunks == ((1, 1), (64,), (64,))
    np.testing.assert_array_equal(tried.time.values, made.stack().time.values)
    np.testing.assert_array_equal(tried["image"].values, made.stack()["image"].values)
    bare = {"flat_field.enabled": False}
    other = lake.try_recipe("stereo_hi-l1", settings=bare, observation=OBSERVATION).isel(time=0).compute()
    assert "flat_field" in str(made.stack()["header"].values[0])
    assert "calibrate.flat_field" not in str(other["header"].values)
    assert (len(lake.runs(limit=1000)), len(lake.quarantine()), versions(lake)) == (runs, quarantined, before)


def test_what_cannot_be_tried_is_refused_as_a_run_would_be(lake: Connection) -> None:
    with pytest.raises(PipelineFatal, match="missing_blocks takes images in DN/s"):
        lake.try_recipe("stereo_hi-l1", settings={"desmear.enabled": False}, observation=OBSERVATION)
    with pytest.raises(BadInput, match="no file of stereo_hi level 0 matches"):
        lake.try_recipe("stereo_hi-l1", observation="nobody")
    with pytest.raises(BadInput, match="no frame has this shape"):
        lake.try_recipe("stereo_hi-l1", observation=OBSERVATION, shape=(3, 3))


def test_a_trial_asks_whether_its_inputs_may_be_read(lake: Connection) -> None:
    plan = lake.plan("stereo_hi-l1", observation=OBSERVATION).plan
    with transaction(lake.lake.sessions) as session:
        row = session.query(Release).filter_by(scope="stereo_hi", dataset=f"{OBSERVATION}.l0.v0001").one()
        row.embargo_until = datetime(2999, 1, 1, tzinfo=UTC)
    try:
        with pytest.raises(BadInput, match="under embargo"):
            trial_stack(lake.lake, plan, PUBLIC)
        assert trial_stack(lake.lake, plan, OPERATOR).sizes["time"] == 2
    finally:
        with transaction(lake.lake.sessions) as session:
            session.get_one(Release, row.id).embargo_until = None


def test_settings_do_not_replace_what_is_active_unasked(lake: Connection) -> None:
    before = versions(lake)
    with pytest.raises(BadInput, match=r"would replace what is ACTIVE .*v000.*try_recipe.*replace=True"):
        lake.process("stereo_hi-l1", settings={"saturated_columns.limit": 12000}, observation=OBSERVATION)
    assert versions(lake) == before


def test_a_plan_shows_itself_with_what_is_new_and_what_is_done(lake: Connection) -> None:
    plan = lake.plan("stereo_hi-l1", observation=OBSERVATION)
    assert (plan.standing.new, plan.standing.done, plan[0]["comes"]) == (0, 2, "nothing")
    assert "2 files, 0 new, 2 done before" in repr(plan)
    assert "<table>" in plan._repr_html_()
    assert len(plan.plan.units) == 2


def test_reports_runs_and_quarantine_show_themselves(lake: Connection) -> None:
    report = lake.process("stereo_hi-l1", observation=OBSERVATION)
    assert repr(report) == "<Report: 2 skipped; 0 releases made>"
    assert "2 skipped" in report._repr_html_()
    assert "stereo_hi-l1" in lake.runs()._repr_html_()
    assert {"file", "reason", "advice"} <= set(lake.quarantine(everything=True).columns)


def test_results_become_a_table_of_pandas(lake: Connection) -> None:
    found = lake.search(observation=OBSERVATION).to_pandas()
    assert list(found["level"]) == ["0", "1"]
    assert str(found["date_beg"].dt.tz) == "UTC"


def test_headers_are_a_table_and_no_pixel_is_read(lake: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("pixels were read")

    monkeypatch.setattr(fits_io, "read_image", read)
    monkeypatch.setattr(fits.hdu.image._ImageBaseHDU, "_get_scaled_image_data", read)
    found = lake.search(observation=OBSERVATION)
    table = found.headers("DETECTOR", "EXPTIME", "NONSENSE")
    assert list(table.columns) == ["DETECTOR", "EXPTIME", "NONSENSE"]
    assert set(table["DETECTOR"]) == {"HI2"}
    assert table["NONSENSE"].isna().all()
    assert len(table) == 4
    assert found[1].headers().loc[found[1].entries[0].name, "LEVEL"] == "1"


def test_the_code_of_the_readme_runs(lake: Connection, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOLAKE_HOME", str(home.path))
    names: dict[str, Any] = {}
    exec(compile(blocks(README, "python")[0], "README.md", "exec"), names)  # noqa: S102 - our own page
    assert names["day"] == OBSERVATION
    assert names["first"].shape == (64, 64)
    names["lake"].close()
