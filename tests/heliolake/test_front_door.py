"""What the command says before any service is asked: help, usage, failures, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliolake.cli.app import globals_first
from heliolake.cli.exits import ExitCode, exit_code, tell
from lake.errors import BadInput, Fatal, Retriable, Unreachable
from pipeline.errors import Retriable as PipelineRetriable
from tests.heliolake.conftest import Command

COMMANDS = (
    *("demo", "up", "down", "status", "ingest", "plan", "process", "runs", "quarantine", "search", "show"),
    *("get", "recipes", "steps", "instruments", "check", "fsck", "context"),
)


def test_help_needs_none_of_the_slow_libraries() -> None:
    slow = "('numpy', 'astropy', 'dask', 'distributed', 'rucio', 'xarray', 'sqlalchemy', 'matplotlib')"
    code = f"import sys, heliolake, heliolake.cli; print([name for name in {slow} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_help_names_every_command(run: Command) -> None:
    said = run("--help")
    assert said.code == ExitCode.DONE
    assert all(f" {command} " in said.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Command, command: str) -> None:
    said = run(command, "--help")
    assert said.code == ExitCode.DONE
    assert "Usage" in said.out


def test_no_line_of_help_is_wider_than_a_terminal(run: Command) -> None:
    pages = [run("--help").out, *(run(command, "--help").out for command in COMMANDS)]
    assert max(len(line) for page in pages for line in page.splitlines()) <= 80


@pytest.mark.parametrize("words", [("nonsense",), ("ingest",), ("process",), ("search", "--since", "noon")])
def test_wrong_usage_ends_with_2_and_prints_no_document(run: Command, words: tuple[str, ...]) -> None:
    said = run(*words)
    assert said.code == ExitCode.USAGE
    assert said.out == ""
    assert said.err


@pytest.mark.parametrize(
    "words",
    [
        ("search", "--json"),
        ("ingest", "somewhere"),
        ("process", "stereo_hi-l1"),
        ("quarantine",),
        ("runs",),
        ("fsck",),
        ("context", "list"),
    ],
)
def test_without_services_the_command_says_how_to_start_them(
    run: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = run("--home", tmp_path / "none", *words)
    assert said.code == ExitCode.UNREACHABLE
    assert said.out == ""
    assert f"heliolake --home {tmp_path / 'none'} up" in said.err
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_debug_shows_where_a_failure_happened(run: Command, tmp_path: Path) -> None:
    assert "Traceback" in run("--debug", "--home", tmp_path / "none", "search").err


def test_a_home_that_never_was_has_stopped_services(run: Command, tmp_path: Path) -> None:
    said = run("status", "--home", tmp_path / "none", "--json")
    assert said.code == ExitCode.DONE
    document = said.document()
    assert document["home"] == str(tmp_path / "none")
    assert {service["state"] for service in document["services"]} == {"stopped"}
    assert {"name", "state", "pid", "url"} <= document["services"][0].keys()


@pytest.mark.parametrize("words", [("up",), ("status",), ("search",)])
def test_a_file_in_the_place_of_the_home_is_called_one(
    run: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("")
    said = run("--home", tmp_path / "file", *words)
    assert said.code == ExitCode.USAGE
    assert "is a file; a home is a folder" in said.err


def test_the_environment_names_the_home(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELIOLAKE_HOME", str(tmp_path / "named"))
    assert run("status", "--json").document()["home"] == str(tmp_path / "named")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Fatal("no"), 2),
        (BadInput("no"), 2),
        (ValueError("no"), 2),
        (PermissionError("no"), 2),
        (Unreachable("no"), 3),
        (Retriable("no"), 3),
        (PipelineRetriable("no"), 3),
        (ConnectionRefusedError("no"), 3),
    ],
)
def test_exit_codes_of_failures(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_an_unexpected_failure_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    tell(KeyError("x"), debug=False)
    said = capsys.readouterr().err
    assert "Something unexpected happened (KeyError" in said
    assert "--debug" in said


words = st.lists(st.sampled_from(["up", "--json", "search", "--level", "1", "-o", "out"]), max_size=6)


@given(words, words)
def test_global_options_are_understood_anywhere(before: list[str], after: list[str]) -> None:
    moved = globals_first([*before, "--home", "H", "--debug", *after])
    assert moved == ["--home", "H", "--debug", *before, *after]


def test_words_behind_two_dashes_stay_where_they_are() -> None:
    assert globals_first(["ingest", "--", "--home", "x"]) == ["ingest", "--", "--home", "x"]


def test_an_interruption_says_how_to_go_on(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_home: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cluster.services.status", interrupted)
    said = run("--home", tmp_path, "status")
    assert said.code == ExitCode.INTERRUPTED
    assert "run the same command again" in said.err
    assert "Traceback" not in said.err
