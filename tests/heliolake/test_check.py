"""`heliolake check`: what a person sees of a file's findings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from heliolake.cli.exits import ExitCode
from heliolake.cli.ingest import _solarnet
from tests.cluster.test_conformance import image, stored
from tests.heliolake.conftest import Command

NAME = "toy_l1_20260102_030405.fits"  # what the header says it is called


def test_a_file_that_conforms_ends_with_0(run: Command, tmp_path: Path) -> None:
    said = run("check", str(stored(tmp_path / NAME, image())))
    assert said.code == ExitCode.DONE
    assert "conformant; nothing found" in said.out


def test_a_file_with_an_error_ends_with_1_and_says_what_to_do(run: Command, tmp_path: Path) -> None:
    said = run("check", str(stored(tmp_path / NAME, image(PRSTEP1=2))))
    assert said.code == ExitCode.WITH_PROBLEMS
    for told in (
        "partly conformant",
        "error",
        "PRSTEP1",
        "expected: text",
        "SOLARNET 8.1",
        "correct the value",
    ):
        assert told in said.out


def test_several_files_and_patterns_make_one_document(run: Command, tmp_path: Path) -> None:
    for number in range(2):
        stored(tmp_path / f"{number}.fits", image())
    (tmp_path / "no.txt").write_text("hello")
    said = run("check", str(tmp_path / "?.fits"), str(tmp_path / "no.txt"), "--json")
    files = said.document()["files"]
    assert [Path(one["file"]).name for one in files] == ["0.fits", "1.fits", "no.txt"]
    assert [one["verdict"] for one in files] == ["conformant", "conformant", "unreadable"]
    assert set(files[2]["findings"][0]) == {"grade", "hdu", "keyword", "found", "expected", "advice", "rule"}
    assert said.code == ExitCode.WITH_PROBLEMS


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_is_not_there_ends_with_2(run: Command, tmp_path: Path, more: tuple[str, ...]) -> None:
    said = run("check", str(tmp_path / "nowhere.fits"), str(stored(tmp_path / NAME, image())), *more)
    assert said.code == ExitCode.USAGE
    assert "nowhere.fits" in said.err
    assert "conformant" in said.out


def test_notes_and_pixels_can_be_left_out(run: Command, tmp_path: Path) -> None:
    path = str(stored(tmp_path / "other.fits", image(DATAMEAN=99.0)))
    assert "FILENAME" in run("check", path).out
    assert "FILENAME" not in run("check", path, "--brief").out
    assert "DATAMEAN" not in run("check", path, "--headers").out


def test_a_header_cannot_command_the_terminal(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.zeros((2, 2), np.int16), fits.Header({"BUNIT": "[red]x[/]"})).writeto(path)
    content = path.read_bytes().replace(b"[red]x[/]", b"\x1b[31mmm[/]")
    path.write_bytes(content)
    said = run("check", str(path))
    assert said.code == ExitCode.WITH_PROBLEMS
    assert "\x1b" not in said.out


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({}, ""),
        ({"conformant": 2, "errors": 0}, "SOLARNET: 2 conformant; 0 errors in headers"),
        ({"not a SOLARNET file": 1, "errors": 1}, "SOLARNET: 1 not a SOLARNET file; 1 error in headers"),
    ],
)
def test_ingest_tells_in_one_line(counts: dict[str, int], line: str) -> None:
    assert _solarnet(counts) == line
