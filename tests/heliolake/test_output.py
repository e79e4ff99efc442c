"""What is printed is shown and never obeyed, on screens and in documents."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cluster.report import LEFT_OUT, Item, Report
from heliolake.cli import output
from heliolake.cli.exits import tell
from heliolake.cli.output import err, out, print_json, print_path, shown, table
from heliolake.cli.reports import print_report
from lake.errors import BadInput
from tests.heliolake.conftest import Command

HOSTILE = "a\x1b[2J\x9b31m\u202e\u200b\udcff[red]x[/]\x00.fits"
SPELLED = r"a\x1b[2J\x9b31m\u202e\u200b\udcff[red]x[/]\x00.fits"
#: Any character, and bytes that are no UTF-8 as Python hands them over.
TEXT = st.text(
    st.characters() | st.characters(codec=None, min_codepoint=0xDC80, max_codepoint=0xDCFF), max_size=40
)


def unseen(text: str) -> str:
    """What of a text a terminal would not show."""
    return "".join(one for one in text if not one.isprintable() and one != "\n")


@given(TEXT)
@example("\\")
@example("C:\\\\")
@example("[bold\\")
def test_shown_text_is_on_the_screen_letter_by_letter_or_spelled_out(text: str) -> None:
    for before, behind in (("", ""), ("[bold]", "[/]")):
        console = out()
        console.file, console.width = io.StringIO(), 1000
        console.print(f"{before}{shown(text)}{behind}", soft_wrap=True)
        assert not unseen(console.file.getvalue())
        if text.isprintable() and text.isascii():
            assert console.file.getvalue() == f"{text}\n"


@given(TEXT)
def test_what_a_command_forgets_is_spelled_out_by_the_console(text: str) -> None:
    from rich.text import Text

    console = err()
    console.file = io.StringIO()
    console.print(table("", ("name",), [(shown("x"),)]), Text(text))
    assert not unseen(console.file.getvalue())


@given(st.dictionaries(TEXT, TEXT | st.lists(TEXT) | st.floats(allow_nan=False)))
def test_a_document_is_read_back_as_it_was_and_holds_nothing_unseen(document: dict[str, object]) -> None:
    written = output._json(document)
    assert json.loads(written) == document
    assert not unseen(written)
    written.encode("utf-8")


@pytest.mark.parametrize("outcome", ["done", "quarantined", "failed"])
def test_a_report_shows_hostile_names_headers_and_reasons(
    capsys: pytest.CaptureFixture[str], outcome: str
) -> None:
    item = Item(f"/raw/{HOSTILE}", outcome, HOSTILE, HOSTILE, HOSTILE, HOSTILE, caveats=(HOSTILE,))
    print_report(Report([item, item], {"releases": [], "ignored": [HOSTILE]}), noun="file")
    said = capsys.readouterr().out
    assert not unseen(said)
    assert SPELLED in said.replace("\n", "")


def test_a_report_names_files_that_lack_their_partner_and_says_that_it_has_more_notes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lacking = [
        Item(f"low_{n}.fits", "skipped", "its group of 1 lacks gain high", code=LEFT_OUT) for n in range(14)
    ]
    done = Item("a.fits", "done", caveats=tuple(f"note {n}" for n in range(11)))
    before = Item("b.fits", "skipped", "made before, unchanged", unit="u")
    print_report(Report([*lacking, done, before]), noun="file")
    said = " ".join(capsys.readouterr().out.split())
    assert "left out low_0.fits, low_1.fits" in said
    assert "and 2 more: its group of 1 lacks gain high" in said
    assert "b.fits" not in said
    assert "and 3 notes of fewer files: --json has all" in said


def test_a_note_that_was_told_is_not_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    told: set[str] = set()
    for notes in (("simulated",), ("simulated", "half of it is missing")):
        print_report(Report([Item("a.fits", "done", caveats=notes)], {}), noun="file", told=told)
    first, _, second = capsys.readouterr().out.partition("simulated")
    assert first
    assert "half of it is missing" in second
    assert "and 1 note as above" in second
    assert "simulated" not in second


@given(reason=TEXT, name=TEXT, found=TEXT)
def test_any_report_can_be_printed(reason: str, name: str, found: str) -> None:
    item = Item(name, "quarantined", reason, reason, "X", found, caveats=(reason,))
    print_report(Report([item], {}), noun="file")
    print_json(Report([item], {}).document())


def test_a_failure_is_told_in_one_line_that_holds_nothing_unseen(capsys: pytest.CaptureFixture[str]) -> None:
    for error in (BadInput(HOSTILE, file=HOSTILE, found=HOSTILE), OSError(2, "No such file", HOSTILE)):
        tell(error, debug=False)
        said = capsys.readouterr().err
        assert not unseen(said)
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense\x9b",),
        ("search", "--since", "\x1b[2J"),
        ("search", "--\u202e"),
        ("plan", "x", "--diff", "\x9b\u202e"),
        ("recipes", "\x9b\u202e"),
        ("recipes", "./\x9b\u202e.yaml"),
        ("ingest", "\x9b", "--home", "/nowhere/\x9b\u202e"),
        ("up", "--home", "/proc/\x9b\u202e"),
        ("status", "--home", "/nowhere/\x9b[red]\u202e"),
        ("steps", "--instrument", "\x9b"),
    ],
)
def test_what_was_typed_is_shown_and_not_obeyed(run: Command, words: tuple[str, ...]) -> None:
    said = run(*words)
    assert not unseen(said.out + said.err)
    assert "unexpected" not in said.err


def test_a_path_goes_to_scripts_byte_for_byte_and_to_a_screen_spelled_out(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("/out/\x9b\udcff.fits")
    print_path(path)
    assert capfdbinary.readouterr().out == b"/out/\xc2\x9b\xff.fits\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_path(path)
    assert capfdbinary.readouterr().out == rb"/out/\x9b\udcff.fits" + b"\n"
