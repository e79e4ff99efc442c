"""The benchmarks run from end to end on small images; how fast is for `make bench` to say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import HOUSE, carried_out

# Every row, of which some start services of their own.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a quick run."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "bench", "--quick", "--out", str(folder)]
    done = carried_out(command, cwd=HOUSE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def document(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def test_every_subject_is_measured_or_says_why_not(document: dict[str, Any]) -> None:
    names = [entry["name"] for entry in (*document["rows"], *document["skipped"])]
    subjects = (
        *("de-smear", "registration", "resampling", "header statistics", "RICE read", "product write"),
        *("peak memory", "AIA chain", "deconvolution", "photometry", "time series", "ingest", "reduction"),
    )
    assert all(any(name.startswith(subject) for name in names) for subject in subjects)
    assert len(names) == len(set(names))


def test_a_row_holds_both_measures_their_ratio_and_spread(document: dict[str, Any]) -> None:
    for row in document["rows"]:
        assert row["ratio"] == pytest.approx(row["peer"] / row["ours"])
        for side in ("ours", "peer"):
            low, high = row["spread"][side]
            assert 0 < low <= row[side] <= high
        assert row["peer_name"]
        assert row["unit"] in ("s", "MB", "%")


def test_results_agree_with_the_peers(document: dict[str, Any]) -> None:
    numbers = {row["name"]: row["numbers"] for row in document["rows"]}
    assert numbers["de-smear 256²"]["max_relative_error_float32"] < 1e-6
    assert numbers["de-smear 256²"]["max_relative_error_float64"] < 1e-12
    for name in ("registration 256²", "deconvolution 256², 25 plain iterations"):
        if name in numbers:
            assert numbers[name]["max_difference_of_range"] < 1e-4
    same = numbers.get("deconvolution 256², to the same residual")
    if same is not None:
        assert same["residual_ours"] <= same["residual_aiapy"]


def test_faint_emission_comes_out_nearer_to_the_truth_than_by_the_peer(document: dict[str, Any]) -> None:
    faint = [
        row for row in document["rows"] if row["name"].startswith("photometry") and "100" not in row["name"]
    ]
    assert all(row["ours"] < row["peer"] for row in faint)


def test_the_report_has_a_table_and_a_plot_and_says_that_it_was_quick(out: Path) -> None:
    table = (out / "results.md").read_text()
    assert "QUICK RUN" in table
    assert "| de-smear 256² |" in table
    assert (out / "results.png").read_bytes().startswith(PNG)
