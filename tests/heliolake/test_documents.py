"""README and CONTRIBUTING say nothing that is not so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from astropy.io import fits

from heliolake.cli import work
from heliolake.recipes import find_recipe, parse_settings
from pipeline.checking import check
from pipeline.errors import Fatal
from pipeline.instrument import Instrument
from pipeline.recipe import recipes
from pipeline.reduction import find_reduction
from pipeline.registry import instruments, is_announced, working_on
from tests.conftest import HOUSE
from tests.heliolake.conftest import Command

README = (HOUSE / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (HOUSE / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_every_command_of_the_readme_exists(run: Command) -> None:
    named = set(
        re.findall(
            r"heliolake (?:--home \S+ )?([a-z]+)", "\n".join(blocks(README, "") + re.findall("`.*?`", README))
        )
    )
    assert {"up", "ingest", "process", "search", "get", "fsck"} <= named
    assert all(run(command, "--help").code == 0 for command in named)


def test_every_option_of_the_readme_exists(run: Command) -> None:
    for command, options in re.findall(r"`heliolake ([a-z]+)([^`]*)`", README):
        words = (command, *{"context": ("add",), "new": ("instrument",), "runs": ("show",)}.get(command, ()))
        text = run(*words, "--help").out
        assert all(option in text for option in re.findall(r"--[a-z-]+", options)), command


def test_every_recipe_of_the_readme_exists() -> None:
    table = README.partition("## What it makes")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([a-z0-9_-]+)` \|", table, flags=re.MULTILINE)
    ours = {name for name, one in instruments().items() if not is_announced(one)}
    assert sorted(named) == sorted(name for name, one in recipes().items() if one.instrument in ours)


def test_the_setting_of_the_readme_fits_its_recipe() -> None:
    (name, key, value) = re.findall(r'lake\.try_recipe\("(.+?)", settings=\{"(.+?)": (.+?)\}', README)[0]
    find_recipe(name).with_settings(parse_settings([f"{key}={value}"]))


@pytest.mark.parametrize("function", [work.plan, work.process])
def test_the_settings_in_help_texts_fit_their_recipes(function: Callable[..., None]) -> None:
    examples = re.findall(r"heliolake \w+ (\S+) .*--set (\S+=\S+)", str(function.__doc__))
    assert examples
    for name, setting in examples:
        find_recipe(name, [setting])


@pytest.mark.parametrize("text", blocks(README, "python"))
def test_python_of_the_readme_compiles(text: str) -> None:
    compile(text, "README.md", "exec")


def test_the_pictures_of_the_readme_are_there() -> None:
    for path in re.findall(r"!\[.*?\]\((.+?)\)", README):
        assert (HOUSE / path).stat().st_size < 300_000


def test_the_instrument_of_contributing_is_one() -> None:
    entry = Instrument.model_validate(yaml.safe_load(blocks(CONTRIBUTING, "yaml")[0]))
    header = fits.Header(
        {"TELESCOP": "MINE", "INSTRUME": "CAM2", "DATE-OBS": "2026-01-02T03:04:05", "EXPTIME": 2.0}
    )
    assert entry.recognises(header)
    assert entry.describe(header).observation == "cam2_20260102"
    assert re.fullmatch(entry.references[0].name, "flat_cam2_20260101.fits")


def test_the_step_of_contributing_compiles() -> None:
    compile(blocks(CONTRIBUTING, "python")[0], "CONTRIBUTING.md", "exec")


def test_the_worked_example_of_contributing_works(tmp_path: Path) -> None:
    step, test_of_step, reduction, test_of_reduction, gather, test_of_gather = blocks(CONTRIBUTING, "python")
    folder = tmp_path / "my_camera"
    (folder / "steps").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "instrument.yaml").write_text(blocks(CONTRIBUTING, "yaml")[0])
    (folder / "steps" / "__init__.py").write_text("from my_camera.steps import dark, darks, polar\n")
    (folder / "steps" / "dark.py").write_text(step)
    (folder / "steps" / "darks.py").write_text(reduction)
    (folder / "steps" / "polar.py").write_text(gather)
    fits.writeto(tmp_path / "dark.fits", np.full((4, 6), 3.0, np.float32))
    (tmp_path / "made").mkdir()
    with working_on(folder):
        names: dict[str, Any] = {}
        for text in (test_of_step, test_of_reduction, test_of_gather):
            exec(compile(text, "CONTRIBUTING.md", "exec"), names)  # noqa: S102 -- our own text
        names["test_the_dark_frame_is_subtracted"](tmp_path / "dark.fits")
        names["test_a_dark_is_made_and_used"](tmp_path / "made")
        names["test_three_frames_become_one"]()
    with pytest.raises(Fatal):
        find_reduction("my_camera", "dark")
    assert check(folder).problems == ()
