"""What a user reads whose own folder or module has the name of one of our packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def said_by_import(folder: Path) -> str:
    """The last line Python prints on ``import heliolake`` in a folder, as a notebook started there does."""
    result = subprocess.run(
        [sys.executable, "-c", "import heliolake"], cwd=folder, capture_output=True, text=True, check=False
    )
    return result.stderr.strip().splitlines()[-1] if result.stderr else ""


@pytest.mark.parametrize("name", ["lake", "cluster", "pipeline"])
@pytest.mark.parametrize("kind", ["module", "package"])
def test_what_hides_a_package_of_ours_is_named_in_one_sentence(tmp_path: Path, name: str, kind: str) -> None:
    hiding = tmp_path / f"{name}.py" if kind == "module" else tmp_path / name / "__init__.py"
    hiding.parent.mkdir(exist_ok=True)
    hiding.touch()
    said = said_by_import(tmp_path)
    assert said.startswith("ImportError: ")
    assert str(hiding if kind == "module" else hiding.parent) in said
    assert f"hides Heliolake's package {name!r}" in said
    assert "rename it" in said


def test_a_folder_of_data_with_our_name_is_named_or_does_no_harm(tmp_path: Path) -> None:
    """Without ``__init__.py`` it hides a checkout installed as editable, and no other."""
    (tmp_path / "lake").mkdir()
    said = said_by_import(tmp_path)
    assert not said or f"{tmp_path / 'lake'} hides" in said


def test_nothing_is_said_where_nothing_hides(tmp_path: Path) -> None:
    assert said_by_import(tmp_path) == ""
