"""Heliolake in a notebook."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import heliolake
import pipeline
from cluster.home import Home
from heliolake import Connection
from heliolake.recipes import find_recipe
from lake.errors import BadInput, Unreachable
from pipeline.quality import Quality
from tests.heliolake.conftest import OBSERVATION, Command


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
    assert repr(found[:0]) == "nothing found"


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
