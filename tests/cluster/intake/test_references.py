"""Calibration files from folders into contexts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.home.home import Home
from cluster.intake.references import add, difference, find_known
from lake.calibration import contexts
from lake.calibration.choice import choose
from lake.calibration.references import NewReference
from lake.errors import BadInput
from lake.lake import Lake
from pipeline.errors import Fatal

HEADER = "DATE T_START T_STOP VER_NUM WAVE_STR WAVELNTH EFF_AREA EFFA_P1 EFFA_P2 EFFA_P3\n"


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


def flat(path: Path, content: str, **facts: object) -> NewReference:
    path.write_text(content)
    return NewReference(path, "flat", "trace", "a test", **facts)  # type: ignore[arg-type]


def test_the_newest_table_of_a_folder_comes_last(tmp_path: Path) -> None:
    for version in ("10_20201119_190000", "8_20171210_050627", "9_20200706_215452"):
        (tmp_path / f"aia_V{version}_response_table.txt").write_text(HEADER)
    (tmp_path / "README").write_text("about these files")
    known, ignored = find_known([tmp_path])
    assert [one.path.name.split("_")[1] for one in known] == ["V8", "V9", "V10"]
    assert [path.name for path in ignored] == ["README"]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        find_known([tmp_path / "nowhere"])
    assert caught.value.file.endswith("nowhere")


def test_real_aia_tables_are_added_and_the_newest_is_chosen(lake: Lake, real_data: Path) -> None:
    known, _ = find_known([real_data / "calibration" / "aia"])
    added = add(lake, known)
    assert [one.instrument for one in added.contexts] == ["sdo_aia"]
    choice = choose(added.contexts[0], "sdo_aia", "degradation_table", None, {})
    assert choice.reference is not None
    assert "aia_V10_" in choice.reference.did


def test_the_first_context_is_used_at_once_and_later_ones_when_asked(lake: Lake, tmp_path: Path) -> None:
    first = add(lake, [flat(tmp_path / "first.txt", "1", selectors={"wavelength": 171})])
    second = add(lake, [flat(tmp_path / "second.txt", "2", selectors={"wavelength": 195})])
    assert (len(first.used) > 0) or contexts.current(lake, "trace") is not None
    assert second.used == ()
    third = add(lake, [flat(tmp_path / "third.txt", "3")], use=True)
    assert third.used == (third.contexts[0].number,)
    used = contexts.current(lake, "trace")
    assert used is not None
    assert used.number == third.contexts[0].number


def test_the_same_files_again_make_no_new_context(lake: Lake, tmp_path: Path) -> None:
    new = [flat(tmp_path / "same.txt", "same")]
    assert add(lake, new, use=True).contexts[0].number == add(lake, new, use=True).contexts[0].number


def test_a_replaced_reference_shows_in_the_difference(lake: Lake, tmp_path: Path) -> None:
    old = add(lake, [flat(tmp_path / "old.txt", "old")], use=True).contexts[0]
    new = add(lake, [flat(tmp_path / "new.txt", "new")], use=True).contexts[0]
    change = difference(lake, old.number, new.number)
    assert (change["from"], change["to"]) == (old.number, new.number)
    assert ["new.v" in one["did"] for one in change["added"]] == [True]
    assert change["removed"] == []
    assert isinstance(change["reprocess"], list)


def test_an_unknown_instrument_is_refused_before_anything_is_stored(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("x")
    with pytest.raises(Fatal, match="there is no instrument"):
        add(lake, [NewReference(path, "flat", "no_such_camera", "a test")])
