"""Some of the cases of the validation: what is said to be identified is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import special

from bench.psf import __main__ as command
from bench.psf import changing, kept
from bench.psf.cases import Case, all_of, cases
from bench.psf.eclipses import OTHERS, other, sharpened
from bench.psf.epochs import EpochCase, epoch_cases, run_epochs
from bench.psf.field import mixture
from bench.psf.tables import BEGIN, END, EPOCHS, TILES, page, tables
from bench.psf.tiles import TileCase, run_tiles, tile_cases
from bench.psf.truth import truth


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        Case("white light", "gauss", 3.2, 0.1),
        Case("white light", "moffat", 5.0, 0.0),
        Case("lyman", "gauss", 7.5, 0.0),
    ],
    ids=lambda case: f"{case.scene}-{case.kind}",
)
def test_what_is_identified_is_right(case: Case) -> None:
    rows = all_of(case, None)
    assert rows
    for row in rows:
        assert row["core"] == "identified", row["why"]
        assert abs(row["fwhm"]) < 10.0
        assert abs(row["ee50"]) < 10.0
        assert "identified" not in (row["ellipse"], row["odd"]) or row["angular"] < 10.0
        assert row["wing"] != "identified" or abs(row["ee80"]) < 10.0


@pytest.mark.slow
def test_coma_and_trefoil_bring_an_aberrated_kernel_nearer_to_the_truth() -> None:
    (row,) = all_of(Case("white light", "pupil", 7.5, 0.0), None)  # whose trefoil once had the wrong sign
    assert row["odd"] == "identified"
    assert row["angular"] < 0.8 * row["symmetric"]


@pytest.mark.slow
def test_a_step_is_named_where_it_is_and_both_epochs_are_right() -> None:
    (row,) = run_epochs(EpochCase("a step", "white light", "gauss", 0.05, (3.3,) * 4 + (4.2,) * 4))
    assert row["named"] == row["steps"] == ["2024-03-13T06:00:00"]
    assert len(row["off"]) == 2
    assert np.abs(row["off"]).max() < 10.0


@pytest.mark.slow
def test_quarters_of_a_field_that_varies_are_right() -> None:
    (row,) = run_tiles(TileCase("varies", "gauss", 0.05, 3.0, 4.4, angle=45.0))
    assert row["kernels"] == 4
    assert row["off"]
    assert np.abs(row["off"]).max() < 10.0


def test_the_validation_has_enough_cases_and_none_twice() -> None:
    assert len(cases_of := list(cases(None))) == len(set(cases_of)) >= 48
    assert len(epochs := list(epoch_cases())) == len({case.seed for case in epochs}) >= 18
    assert len(tiles := list(tile_cases())) == len({case.seed for case in tiles}) >= 15


def test_a_given_ellipticity_leaves_the_other_random_numbers_as_they_were() -> None:
    drawn, given = (truth("moffat", 4.0, 0.1, 5, axes) for axes in (0.0, 1.3))
    assert drawn.shape.fwhm == pytest.approx(given.shape.fwhm, rel=0.03)
    assert mixture(drawn, given, 1.0).shape.fwhm == pytest.approx(given.shape.fwhm)


_EPOCH_ROW = {
    "what": "epochs",
    "case": {"name": "+30 %", "light": "white light", "kind": "gauss", "wings": ()},
    "true": [3.0, 3.9],
    "steps": ["2024-03-13T06:00:00"],
    "named": ["2024-03-13T06:00:00"],
    "off": [1.0, -2.0],
    "refused": [],
}
_TILE_ROW = {
    "what": "tiles",
    "case": {"name": "the same everywhere", "kind": "gauss", "left": 3.0, "right": 3.0},
    "true": [3.0] * 4,
    "kernels": 4,
    "off": [1.0, 11.0, 2.0],
    "untold": 1,
    "why": "",
}


def test_what_is_missed_wrong_or_a_false_alarm_is_counted() -> None:
    missed = _EPOCH_ROW | {"named": [], "off": [-15.0]}
    still = _EPOCH_ROW | {"true": [3.0, 3.0], "steps": [], "off": [0.5, 0.5]}
    told = "\n".join(changing.epochs([_EPOCH_ROW, missed, still]))
    assert "| limb: a step | 2 | 1, 1 | 0 | 1 | 3 | 0 | 2.0 / 12.4 | 1 |" in told
    assert "| limb: nothing | 1 | 1, – | 1 | 0 |" in told
    assert "2024-03-13 (right)" in told
    varied = _TILE_ROW | {
        "case": {"name": "varies", "kind": "gauss", "left": 3.0, "right": 4.0},
        "true": [3.0, 3.4, 3.4, 3.8],
        "kernels": 1,
        "off": [13.0, 1.0, 1.0, -10.5],
        "untold": 0,
    }
    told = "\n".join(changing.tiles([_TILE_ROW, varied]))
    assert "| the same everywhere | 1 | 0 | 1 | 1 | 0 | 3 of 4 | 2.0 / 9.2 | 1 |" in told
    assert "| varies | 1 | 0 | 0 | 0 | 1 | 4 of 4 |" in told


def test_each_table_of_a_page_is_made_anew_for_itself() -> None:
    before = "\n".join([BEGIN, "a", END, *[EPOCHS[0], "b", EPOCHS[1]], *[TILES[0], "c", TILES[1]], ""])
    text = page(before, [_EPOCH_ROW])
    assert f"{BEGIN}\na\n{END}" in text
    assert f"{TILES[0]}\nc\n{TILES[1]}" in text
    assert "\nb\n" not in text
    with pytest.raises(ValueError, match="write them where the table is to be"):
        page("no lines\n", [_TILE_ROW])


def test_a_run_that_broke_off_goes_on_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results, written = tmp_path / "found.json", tmp_path / "page.md"
    names = [name for name, _ in command._jobs(["tiles"], None)]
    first = kept.Kept.read(results)
    for name in names:
        first.add(name, [_TILE_ROW])
    written.write_text(f"{TILES[0]}\n{TILES[1]}\n")
    command.main([str(written), "--only", "tiles", "--results", str(results)])
    assert f"{len(names)} of {len(names)} cases are in" in capsys.readouterr().out
    assert "the same everywhere" in written.read_text()
    monkeypatch.setattr(kept, "_sources", lambda: "others")
    assert not kept.Kept.read(results).found  # of another pipeline's


def test_an_edge_drawn_a_pixel_wide_is_sharpened_by_that_pixel() -> None:
    place = np.linspace(-64.0, 63.0, 128)
    parts = np.linspace(-0.495, 0.495, 100)
    plain = special.ndtr(place / 2.0)
    wide = special.ndtr((place[:, None] + parts) / 2.0).mean(axis=1)
    found = sharpened(np.tile(wide, (64, 1)).astype(np.float32))[32]
    assert np.abs(found - plain).max() < 0.1 * np.abs(wide - plain).max()


def test_other_optics_have_kernels_of_their_own() -> None:
    kind, psf, bodies = other(1)
    assert kind == "gauss"
    assert OTHERS >= 12
    assert psf.sum() == pytest.approx(1.0, abs=1e-4)
    assert len(set(bodies)) == 6


def test_a_page_keeps_what_stands_around_its_tables() -> None:
    row = {
        "case": {"scene": "lyman", "kind": "gauss", "width": 3.0, "wing": 0.1},
        "terms": "occulter",
        "core": "identified",
        "wing": "identified",
        "fwhm": 20.0,
        "ee50": 1.0,
        "ee80": 2.0,
        "sigma": 2.0,
        "true": 3.1,
        "why": "",
        "angular": 3.0,
        "symmetric": 5.0,
        "ellipse": "identified",
        "odd": "unknown",
    }
    refused = row | {"core": "refused", "wing": "refused", "fwhm": np.nan, "ee50": np.nan, "ee80": np.nan}
    text = page(f"before\n{BEGIN}\nold\n{END}\nafter\n", [row, refused])
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| 2 | 1 | 20.0 / 20.0 |" in tables([row, refused])  # of two cases one, and that is wrong
    assert "| 1 | 0 | 3.0 / 3.0 | 5.0 / 5.0 | 0 |" in tables([row, refused])
    assert "| 1 | 0 % |" in tables([row, refused])
