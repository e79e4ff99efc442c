"""An instrument is checked in sentences; one that is broken leaves the others working."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heliolake.scaffold import new_instrument
from pipeline.checking import check
from pipeline.errors import Fatal
from pipeline.recipe import recipes
from pipeline.registry import broken, forget, instrument, instruments, working_on


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fresh package of an instrument."""
    new_instrument("fresh_camera", tmp_path, package=True)
    return tmp_path / "heliolake_fresh_camera" / "heliolake_fresh_camera"


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_every_instrument_of_this_house_is_fit_for_use() -> None:
    for entry in instruments().values():
        assert check(entry.folder).problems == (), entry.name


def test_a_fresh_instrument_is_fit_for_use(folder: Path) -> None:
    found = check(folder)
    assert found == ("fresh_camera", (), (), ("fresh_camera-l1",), ("subtract_dark",))
    assert check(folder.parent) == found
    assert "fresh_camera" not in instruments()


YAML = "instrument.yaml"
RECIPE = "recipes/fresh_camera-l1.yaml"
WRONG: dict[str, tuple[str, str, str, str]] = {
    "misspelt": (YAML, "observation:", "observaton:", "observaton: no such entry. Did you mean observation"),
    "pattern": (YAML, '"CAM(.)"', '"CAM("', "meta camera: 'CAM(' is no regular expression"),
    "name": (YAML, "cam{camera}", "cam{kamera}", "{kamera} is neither date nor one of meta: camera"),
    "selector": (YAML, "selectors: {camera:", "selectors: {kamera:", "the selector kamera is none of meta"),
    "group": (YAML, "'{camera}'", "'{kamera}'", "asks for {kamera}; the groups of its name are camera"),
    "colours": (YAML, "colours: gray", "colours: greyy", "no colour map 'greyy'; did you mean"),
    "percentiles": (YAML, "[1, 99.5]", "[99, 1]", "percentiles are two numbers from 0 to 100"),
    "level": (RECIPE, 'from_level: "0"', 'from_level: "3"', "takes level 3, which no file has"),
    "made": (
        RECIPE,
        'to_level: "1"',
        "to_level: 1r",
        "makes level 1r, which no file of fresh_camera can have",
    ),
    "step": (RECIPE, "step: subtract_dark", "step: subtract_drak", "Did you mean subtract_dark"),
    "unity": (RECIPE, "{dark: unity}", "{flat: unity}", "assume flat: unity is not possible"),
    "owner": (RECIPE, "instrument: fresh_camera", "instrument: trace", "subtract_dark"),
    "import": ("steps/dark.py", "import numpy", "import nompy\nimport numpy", "install what provides nompy"),
    "syntax": ("steps/dark.py", "class Sub", "klass Sub", "SyntaxError"),
    "announced": ("../pyproject.toml", "heliolake.instruments", "other.things", "does not announce it"),
    "alias": (
        "../pyproject.toml",
        "fresh_camera = ",
        "old_camera = ",
        "under another name than fresh_camera",
    ),
    "data": ("../pyproject.toml", ', "recipes/*.yaml"', "", "recipes/fresh_camera-l1.yaml is left out"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(folder: Path, what: str) -> None:
    name, before, after, sentence = WRONG[what]
    change(folder / name, before, after)
    problems = check(folder).problems
    assert any(sentence in one for one in problems), problems
    assert not any(word in one for one in problems for word in ("pydantic", "https://", "Traceback"))


REDUCTION = """
from pipeline import reduction


@reduction("dark", instrument="fresh_camera", level="0", need="dark", alike=("camera",))
class Nothing:
    \"\"\"Nothing.\"\"\"
"""


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('"camera"', '"kamera"', "its frames are to agree in kamera, which is none of meta (camera)"),
        ('level="0"', 'level="4"', "reduction dark takes level 4; there are 0, 1"),
        ("", "", ""),
    ],
)
def test_reductions_are_checked_too(folder: Path, before: str, after: str, sentence: str) -> None:
    (folder / "steps" / "darks.py").write_text(REDUCTION.replace(before, after))
    change(folder / "steps" / "__init__.py", "import dark", "import dark, darks")
    problems = check(folder).problems
    assert [sentence in one for one in problems] == ([True] if sentence else [])


def test_a_reduction_whose_result_nobody_asks_for_is_noted(folder: Path) -> None:
    (folder / "steps" / "darks.py").write_text(REDUCTION.replace('need="dark"', 'need="flat"'))
    change(folder / "steps" / "__init__.py", "import dark", "import dark, darks")
    assert check(folder).problems == ()
    assert "reduction dark makes flat, which no step of its own asks for" in check(folder).notes


def test_what_may_be_meant_so_is_a_note(folder: Path) -> None:
    change(folder / YAML, "need: dark", "need: flat")
    assert check(folder).notes == (
        "references: no step asks for flat",
        "references: nothing says how to recognise dark; it has to be added with --need dark",
    )


def test_a_folder_without_description_says_how_to_begin(tmp_path: Path) -> None:
    (sentence,) = check(tmp_path).problems
    assert "heliolake new instrument NAME" in sentence


def test_a_folder_is_used_only_as_long_as_somebody_works_on_it(folder: Path) -> None:
    with working_on(folder) as name:
        assert instrument(name).title == "Fresh camera"
        assert "fresh_camera-l1" in recipes()
    with pytest.raises(Fatal, match="no instrument 'fresh_camera'"):
        instrument(name)
    with working_on(folder):  # and may be worked on again, with what was changed meanwhile
        assert "fresh_camera" in instruments()


@pytest.fixture
def announce(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Install a package as pip does: its folder on the path, its entry point beside it."""

    def install(folder: Path) -> None:
        info = folder.parent / "fresh-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fresh\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[heliolake.instruments]\nfresh_camera = {folder.name}\n")
        sys.path.insert(0, str(folder.parent))
        forget()

    before = list(sys.path)
    yield install
    sys.path[:] = before
    for name in [name for name in sys.modules if name.startswith("heliolake_fresh_camera")]:
        del sys.modules[name]
    forget()


@pytest.mark.parametrize(
    ("name", "before", "after", "why"),
    [
        ("steps/dark.py", "import numpy", "import nompy\nimport numpy", "install what provides nompy"),
        ("steps/dark.py", "class Sub", "klass Sub", "SyntaxError"),
        (YAML, "title:", "titel:", "titel: no such entry"),
        (YAML, "name: fresh_camera", "name: sdo_aia", "described twice"),
    ],
)
def test_a_broken_package_is_named_and_leaves_the_others_working(
    folder: Path,
    announce: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
    name: str,
    before: str,
    after: str,
    why: str,
) -> None:
    change(folder / name, before, after)
    announce(folder)
    with caplog.at_level(logging.WARNING):
        assert {"sdo_aia", "stereo_hi", "toy"} <= instruments().keys()
    assert "fresh_camera" not in instruments()
    assert "the instrument fresh_camera of the package fresh cannot be used: " in broken()["fresh_camera"]
    assert why in broken()["fresh_camera"]
    assert why in caplog.text
    with pytest.raises(Fatal, match="of the package fresh cannot be used"):
        instrument("fresh_camera")


def test_a_broken_recipe_of_a_package_leaves_the_others_working(
    folder: Path, announce: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    change(folder / RECIPE, "step: subtract_dark", "step: nonsense")
    announce(folder)
    assert "stereo_hi-l1" in recipes()
    assert "recipes of the instrument fresh_camera cannot be used" in caplog.text
