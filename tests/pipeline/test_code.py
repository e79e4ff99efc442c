"""What a process knows of the code it runs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import Recipe, code, sources
from pipeline.errors import Fatal
from tests.toy import RECIPE


def test_it_names_steps_sources_and_libraries() -> None:
    found = code.of_recipe(Recipe.parse(RECIPE))
    assert found["step shift"] == "version 3"
    assert found["numpy"]
    assert found["Python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert {"sources of pipeline", "sources of pipeline.kernels", "sources of toy"} <= found.keys()


def test_only_steps_that_run_count() -> None:
    off = Recipe.parse(RECIPE).with_settings({"scale.enabled": False})
    assert "step scale" not in code.of_recipe(off)


def test_what_lies_on_disk_later_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text("x = 1")
    (tmp_path / "instrument.yaml").write_text("")
    sources.note_instrument("later", tmp_path)
    noted = sources._LOADED["sources of later"]
    (tmp_path / "steps.py").write_text("x = 2")
    assert sources._LOADED["sources of later"] == noted
    sources.note_instrument("later", tmp_path)  # some modules were loaded before the change, some after
    mixture = sources._LOADED.pop("sources of later")
    sources.note_instrument("later", tmp_path)
    assert mixture not in (noted, sources._LOADED.pop("sources of later"))
    sources._LOADED.pop("description of later")


def test_differences_are_told_part_by_part() -> None:
    wanted = {"numpy": "2.3.0", "step a": "version 2", "sources of pipeline": "abc", "scipy": "1"}
    here = {"numpy": "2.2.0", "sources of pipeline": "abd", "scipy": "1"}
    with pytest.raises(Fatal) as caught:
        code.require_same(wanted, here, "recipe r", "a worker")
    said = str(caught.value)
    assert "numpy is 2.2.0 here and 2.3.0 there" in said
    assert "sources of pipeline differ" in said
    assert "step a is absent here and version 2 there" in said
    assert "scipy" not in said
    assert code.digest(wanted) != code.digest(here)


def test_noting_takes_no_time_that_anybody_notices() -> None:
    shortest = min(_seconds() for _ in range(5))
    assert shortest < 0.05


def _seconds() -> float:
    begin = time.process_time()
    sources.note_pipeline()
    return time.process_time() - begin


def test_two_processes_of_one_installation_agree() -> None:
    script = "from pipeline import code; print(code.digest(code.of_instrument('stereo_hi')))"
    said = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(said) == 1
