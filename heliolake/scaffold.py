"""A new instrument: a folder that works at once, to be changed piece by piece."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from lake.errors import BadInput, Fatal, Reason
from pipeline.choices import shortly
from pipeline.registry import instruments

_NAME = re.compile(r"[a-z][a-z0-9_]{1,24}")

_DESCRIPTION = """\
name: {name}
title: {title}
recognise:                            # any block whose every keyword matches (regular expressions)
  - {{TELESCOP: {upper}, DETECTOR: "CAM[12]"}}
level: {{keyword: LVL, values: {{"0": "0", "1": "1"}}, default: "0"}}  # of files, and what recipes make
date: {{keywords: [DATE-OBS]}}
date_end: {{keywords: [DATE-END], exposure: EXPTIME}}
observation: "cam{{camera}}_{{date:%Y%m%d}}"   # what belongs together
keywords:                             # what cannot be is a caveat; required: puts the file aside
  EXPTIME: {{min: 0, max: 3600, required: true, source: the camera's handbook}}
meta:                                 # searchable values
  camera: {{keyword: DETECTOR, pattern: "CAM(.)"}}
solarnet:                             # SOLARNET keywords the header lacks
  XPOSURE: {{keyword: EXPTIME, comment: "[s]"}}
references:                           # calibration files `heliolake context add` knows
  - need: dark
    name: 'dark_cam(?P<camera>.)_\\d{{8}}\\.fits'
    selectors: {{camera: '{{camera}}'}}
    source: where they come from
preview:                              # how pictures of its frames are made
  - {{colours: gray, stretch: sqrt, percentiles: [1, 99.5]}}
"""

_RECIPE = """\
name: {name}-l1
instrument: {name}
from_level: "0"
to_level: "1"
version: 1
description: Dark current subtracted, counts per second.
steps:
  - step: subtract_dark
    assume: {{dark: unity}}
  - step: normalise_exposure
"""

_STEP = """\
\"\"\"The dark current.\"\"\"

from __future__ import annotations

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from pipeline import BadInput, Frame, Params, ReferenceNeed, References, step


class SubtractDarkParams(Params):
    \"\"\"What can be chosen.

    Attributes
    ----------
    scale
        [1] Factor of the dark frame.
    \"\"\"

    scale: float = 1.0


def read_dark(path: str) -> NDArray[np.float32]:
    \"\"\"The dark frame of a file.\"\"\"
    return np.asarray(fits.getdata(path), dtype=np.float32)


@step(
    "subtract_dark",
    version=1,
    prstep="DARK-SUBTRACTION",
    instrument="{name}",
    takes=("DN",),
    needs=(ReferenceNeed("dark", "the dark frame of the night", unity_allowed=True),),
    memory_factor=3.0,
)
def subtract_dark(frame: Frame, params: SubtractDarkParams, references: References) -> Frame:
    \"\"\"Subtract the dark frame (say where the formula is from).\"\"\"
    if "dark" not in references:
        return frame
    dark = references["dark"].load(read_dark)
    if dark.shape != frame.data.shape:
        raise BadInput(
            "the dark frame has another shape than the image",
            file=frame.source,
            keyword="NAXIS1, NAXIS2",
            found=f"{{dark.shape}}, the image {{frame.data.shape}}",
            advice="add the dark frame of this camera mode with `heliolake context add`",
        )
    return frame.replace(data=frame.data - np.float32(params.scale) * dark)
"""

_TEST = """\
\"\"\"{title}: what its files are taken for, and what becomes of them.\"\"\"

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from pipeline import Frame, recognise
from pipeline.testing import assert_provenance, reference, run_recipe, run_step, toy_frame, working_on

FOLDER = {folder}
CARDS = {{"TELESCOP": "{upper}", "DETECTOR": "CAM1", "EXPTIME": 2.0}}


@pytest.fixture(autouse=True)
def instrument() -> Iterator[str]:
    \"\"\"The instrument of this folder, whether it is installed or not.\"\"\"
    with working_on(FOLDER) as name:
        yield name


def raw(value: float = 10.0) -> Frame:
    return toy_frame(value, **CARDS)


def test_its_files_are_recognised() -> None:
    header = raw().header
    described = recognise(header).describe(header)
    assert (described.instrument, described.observation) == ("{name}", "cam1_20240506")


def test_the_dark_frame_is_subtracted(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "dark.fits", np.full((4, 6), 3.0, np.float32))
    dark = reference("dark", tmp_path / "dark.fits")
    made = run_step("subtract_dark", raw(), instrument="{name}", references=[dark], scale=2.0)
    np.testing.assert_array_equal(made.data, 4.0)
    assert_provenance(made, "DARK-SUBTRACTION")


def test_the_recipe_makes_counts_per_second() -> None:
    (done,) = run_recipe("{name}-l1", [raw()])
    np.testing.assert_array_equal(done.made.data, 5.0)
    assert done.made.header["BUNIT"] == "DN/s"
    assert_provenance(done.made, "DARK-SUBTRACTION", "CALIBRATION")
"""

_PROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{dashed}"
version = "0.1.0"
description = "{title} for Heliolake"
requires-python = ">=3.11"
dependencies = ["heliolake"]

[project.optional-dependencies]
test = ["pytest>=9"]

[project.entry-points."heliolake.instruments"]
{name} = "{module}"

[tool.setuptools]
packages = ["{module}", "{module}.steps"]

[tool.setuptools.package-data]
{module} = ["instrument.yaml", "recipes/*.yaml"]
"""

_INIT = '"""{title}: how its files are recognised, and what is made of them."""\n'
_STEPS = """\
\"\"\"The steps of {name}: whatever is imported here is known to its recipes.\"\"\"

from {module}.steps import dark

__all__ = ["dark"]
"""


def new_instrument(name: str, parent: Path, *, package: bool = False) -> list[Path]:
    """Write a new instrument.

    Parameters
    ----------
    name
        Its name: letters, digits, underscore.
    parent
        Folder in which its own is made.
    package
        A package of its own, announced by its entry point; else the bare folder, as it lies in
        ``pipeline/instruments/`` of Heliolake.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    lake.errors.BadInput
        When the name is none, or taken, or there is such a folder.
    lake.errors.Fatal
        When the folder cannot be written.
    """
    _require_free(name)
    module = f"heliolake_{name}" if package else name
    top = parent / module
    if top.exists():
        raise BadInput(
            "there is something of that name already",
            file=str(top),
            advice="choose another name, or another folder with -o",
            code=Reason.NAME_CONFLICT,
        )
    inside = "pipeline.instruments." if _is_built_in(parent) else ""
    title = name.replace("_", " ").capitalize()
    words = {
        "name": name,
        "upper": name.upper(),
        "title": title,
        "module": f"{inside}{module}",
        "dashed": module.replace("_", "-"),
        "folder": f'Path(__file__).resolve().parent.parent / "{module}"'
        if package
        else "Path(__file__).parent",
    }
    folder = top / module if package else top
    files = {
        folder / "__init__.py": _INIT,
        folder / "instrument.yaml": _DESCRIPTION,
        folder / "recipes" / f"{name}-l1.yaml": _RECIPE,
        folder / "steps" / "__init__.py": _STEPS,
        folder / "steps" / "dark.py": _STEP,
        (top / "tests" if package else folder) / f"test_{name}.py": _TEST,
    }
    if package:
        files[top / "pyproject.toml"] = _PROJECT
    try:
        for path, template in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(template.format(**words), encoding="utf-8")
    except OSError as error:
        raise Fatal(f"{top} cannot be written: {error.strerror}. Name another folder with -o.") from error
    return list(files)


def _require_free(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise BadInput(
            f"{shortly(name)} is no name for an instrument",
            keyword="NAME",
            advice="small letters, digits and underscores, a letter first, at most 25: my_camera",
            code=Reason.BAD_NAME,
        )
    taken = instruments()
    if name in taken:
        raise BadInput(
            f"there is an instrument {name} already",
            found=str(taken[name].folder),
            advice="choose another name",
            code=Reason.NAME_CONFLICT,
        )
    if name in sys.stdlib_module_names:
        raise BadInput(
            f"{name} is a module of Python",
            advice=f"choose another name, such as {name}_camera",
            code=Reason.BAD_NAME,
        )


def _is_built_in(parent: Path) -> bool:
    return parent.resolve().name == "instruments" and (parent / "sdo_aia" / "instrument.yaml").exists()
