"""Frames of several epochs become references of their own, each of which stands for its own time only."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.plan.plan import Query
from cluster.run.reduce import reduce_to_reference
from lake.calibration.choice import choose
from lake.errors import BadInput
from lake.lake import Lake
from lake.releases.inputs import active_inputs
from tests.cluster.frames import aia_series, at
from tests.cluster.run.test_reducing import MEAN
from tests.stored import path_of

DAY = Query(observation="aia171_20190209")
BEGIN = at(2019, 2, 9)


@pytest.fixture(scope="module")
def lake(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with six frames of one day."""
    lake = Lake.open(home.lake_config())
    ingest(lake, aia_series(tmp_path_factory.mktemp("raw"), BEGIN, 6))
    return lake


def test_no_reference_is_of_two_epochs_or_stands_for_both(home: Home, lake: Lake, tmp_path: Path) -> None:
    begins = _begins(lake)
    cut = begins[2] - timedelta(seconds=1)
    made = reduce_to_reference(lake, home.scheduler(), MEAN, DAY, epochs=[cut])
    assert [one.frames for one in made.references] == [2, 4]
    first, second = (one.info for one in made.references)
    assert first.did != second.did
    assert (first.valid_from, first.valid_until) == (begins[0], cut)
    assert (second.valid_from, second.valid_until) == (cut, begins[-1] + timedelta(seconds=1))
    values = [fits.getdata(path_of(lake, *one.did.split(":"))) for one in (first, second)]
    assert not np.array_equal(*values)
    for number, begin in enumerate(begins):
        choice = choose(made.context, MEAN.instrument, MEAN.need, begin, {"wavelength": 171})
        assert choice.reference is not None
        assert choice.reference.did == (first if number < 2 else second).did


def test_an_outer_validity_is_cut_where_epochs_meet(home: Home, lake: Lake) -> None:
    begins = _begins(lake)
    made = reduce_to_reference(
        lake, home.scheduler(), MEAN, DAY, epochs=[begins[4], begins[2]], valid=(at(2019, 1, 1), None)
    )
    told = [(one.info.valid_from, one.info.valid_until) for one in made.references]
    assert told == [(at(2019, 1, 1), begins[2]), (begins[2], begins[4]), (begins[4], None)]


def test_an_epoch_without_frames_is_refused(home: Home, lake: Lake) -> None:
    with pytest.raises(BadInput, match="an epoch has no frames") as refusal:
        reduce_to_reference(lake, home.scheduler(), MEAN, DAY, epochs=[at(2020, 1, 1)])
    assert "2020-01-01" in refusal.value.found


def _begins(lake: Lake) -> list[datetime]:
    found = active_inputs(lake, MEAN.instrument, MEAN.level, observation=DAY.observation)
    return sorted(one.file.date_beg for one in found if one.file.date_beg is not None)
