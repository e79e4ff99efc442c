"""Tables and bars in notebooks: text from outside is shown and does nothing else."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from cluster.html import html_table, text_table
from cluster.report import Item, Report
from heliolake.progress import shown
from heliolake.tables import Rows

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"


def test_text_from_headers_is_escaped_wherever_it_is_shown() -> None:
    item = Item(HOSTILE, "quarantined", reason=HOSTILE, advice=HOSTILE, caveats=(HOSTILE,))
    release = {"product": HOSTILE, "version": 1, "status": HOSTILE, "files": 1}
    pages = [
        html_table([HOSTILE], [[HOSTILE]], HOSTILE),
        Report([item], {"releases": [release]})._repr_html_(),
        Rows([{"file": HOSTILE}], ("file",), HOSTILE)._repr_html_(),
    ]
    for page in pages:
        assert "&lt;script&gt;" in page
        assert not {"<script", "\x1b", "\u202e"} & {
            part for part in ("<script", "\x1b", "\u202e") if part in page
        }
    assert "\x1b" not in text_table(["file"], [[HOSTILE]])


def test_a_report_tells_troubles_once_with_their_number() -> None:
    items = [Item(f"{n}.fits", "quarantined", reason="no exposure", advice="leave it out") for n in range(30)]
    page = Report([Item("a.fits", "done"), *items])._repr_html_()
    assert page.count("no exposure") == 1
    assert "<td>30</td>" in page
    assert repr(Report(items)) == "<Report: 30 quarantined; 0 releases made>"


def test_rows_are_facts_and_a_table_that_is_cut_where_it_is_long() -> None:
    rows = Rows(({"run": n, "units": {"done": n, "failed": 0}} for n in range(150)), ("run", "units"))
    assert (len(rows), rows[3]["run"], len(rows[:5])) == (150, 3, 5)
    assert "149" not in repr(rows)
    assert "and 50 more" in repr(rows)
    assert "3 done" in repr(rows)
    assert list(rows.to_pandas()["run"]) == list(range(150))
    assert repr(Rows([], ("run",))) == "nothing"


def test_in_a_notebook_the_bar_is_drawn_below_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPython is no part of this installation; what is used of it is stood in for."""
    drawn: list[Any] = []

    class Handle:
        def update(self, what: Any) -> None:
            drawn.append(what)

    def display(what: Any, *, display_id: bool) -> Handle:
        assert display_id
        drawn.append(what)
        return Handle()

    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    with shown("aia-l15") as bar:
        bar(0, 2, "")
        bar(2, 2, "<b>last</b>")
    assert "looking what there is to do" in drawn[0]._repr_html_()
    assert repr(drawn[-1]) == "aia-l15: 2/2"
    assert "&lt;b&gt;last" in drawn[-1]._repr_html_()
    assert not any("0/0" in one._repr_html_() for one in drawn)
