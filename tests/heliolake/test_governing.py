"""Embargoes and withdrawals as somebody types them who was never told how."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from tests.heliolake.conftest import Command

OBSERVATION = "stereo_hi:hi2b_s4_20080811"
RAW = f"{OBSERVATION}.l0@v0001"


@pytest.fixture(scope="module", autouse=True)
def _frames(here: Command, tmp_path_factory: pytest.TempPathFactory) -> None:
    start = datetime(2008, 8, 11, 0, 9, 21, tzinfo=UTC)
    config = SimulationConfig(
        detector="HI2", spacecraft="B", frames=1, size=64, exposures=20, stars=20, start=start
    )
    assert here("ingest", *write_series(tmp_path_factory.mktemp("governed"), config)).code == 0


def test_an_embargo_is_set_extended_shown_due_and_lifted(here: Command, tmp_path: Path) -> None:
    why = ("--reason", "first paper")
    made = here("embargo", "set", OBSERVATION, "--until", "2998-01-01", "--holder", "ada", *why, "--json")
    assert [one["release"] for one in made.document()["releases"]] == [RAW]
    refused = here("--as", "public", "get", RAW, "-o", tmp_path)
    assert refused.code == 2
    assert "under embargo until 2998-01-01" in refused.err
    assert here("embargo", "extend", OBSERVATION, "--until", "2999-01-01", *why).code == 0
    told = here("embargo", "show", OBSERVATION).out
    assert "2999-01-01" in told.partition("Releases")[2]
    assert "first paper" in told.partition("Releases")[0]
    soon = here("embargo", "due", "--days", "365", "--json").document()["due"]
    assert RAW not in {one["release"] for one in soon}
    found = here("search", "--observation", "hi2b_s4_20080811", "--json").document()["releases"]
    assert [one["under_embargo"] for one in found] == [True]
    assert "free" in here("embargo", "lift", OBSERVATION, "--reason", "published").out
    assert here("--as", "public", "get", RAW, "-o", tmp_path).code == 0


def test_what_is_refused_says_which_command_does_it(here: Command) -> None:
    why = ("--reason", "x")
    assert here("embargo", "set", OBSERVATION, "--until", "2998-01-01", *why).code == 0
    shorter = here("embargo", "set", OBSERVATION, "--until", "2997-01-01", *why)
    assert shorter.code == 2
    assert "heliolake embargo lift --at" in shorter.err
    assert here("embargo", "lift", OBSERVATION, *why).code == 0
    assert "heliolake embargo show" in here("embargo", "lift", "campaign=none of them", *why).err
    assert "INSTRUMENT:OBSERVATION" in here("embargo", "show", "hi2b_s4_20080811").err


def test_a_first_version_has_nothing_to_be_compared_with(here: Command) -> None:
    told = here("show", RAW, "--changes", "--json").document()
    assert (told["before"], told["changes"][0]["text"]) == (None, "the first version")
    assert "the first version" in here("show", RAW, "--changes").out


def test_a_withdrawal_is_told_to_whoever_looks(here: Command, tmp_path: Path) -> None:
    assert "about one version" in here("withdraw", f"{OBSERVATION}.l0", "--reason", "x").err
    done = here("withdraw", RAW, "--reason", "the shutter was closed")
    assert "is withdrawn; it was ACTIVE" in done.out
    assert "the shutter was closed" in here("show", RAW).out
    refused = here("get", RAW, "-o", tmp_path)
    assert (refused.code, list(tmp_path.iterdir())) == (2, [])
    assert "was withdrawn and is not given out" in refused.err
