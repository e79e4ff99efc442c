"""The drawing of a provenance graph: what was used stands above, and no row is wider than a page."""

from __future__ import annotations

from typing import Any

import pytest

from lake.archive.pages import graph
from lake.releases import lineage


def node(name: str, kind: str = "release") -> dict[str, Any]:
    return {"id": f"toy:{name}", "kind": kind, "level": "1", "recipe": "toy-l1", "need": "flat"}


def drawn(
    monkeypatch: pytest.MonkeyPatch, nodes: list[dict[str, Any]], edges: list[tuple[str, str, str]]
) -> graph.Drawing:
    told = {
        "root": "toy:root",
        "nodes": nodes,
        "edges": [{"from": f"toy:{a}", "to": f"toy:{b}", "role": role} for a, b, role in edges],
    }
    monkeypatch.setattr(lineage, "graph", lambda *_, **__: told)
    return graph.drawing(None, "toy:root")  # type: ignore[arg-type]  # nothing is asked of the lake


def test_what_was_used_stands_above_what_was_made_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [node("root"), node("raw"), node("flat", "reference"), node("dark"), node("map")]
    edges = [
        ("raw", "root", "input"),
        ("flat", "root", "reference"),
        ("dark", "flat", "input"),
        ("root", "map", "input"),
    ]
    found = drawn(monkeypatch, nodes, edges)
    at = {box.id.partition(":")[2]: box.y for box in found.boxes}
    assert at["dark"] < at["flat"] < at["root"] < at["map"]
    assert at["raw"] < at["root"]
    assert len(found.lines) == 4
    assert all(y1 < y2 for _, y1, _, y2, _ in found.lines)
    assert "toy:root was made with toy:flat" in found.sentences


def test_a_reference_that_was_simulated_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [node("root"), node("flat", "reference") | {"simulated": True}, node("dark", "reference")]
    edges = [("flat", "root", "reference"), ("dark", "root", "reference")]
    under = {box.id: box.under for box in drawn(monkeypatch, nodes, edges).boxes}
    assert (under["toy:flat"], under["toy:dark"]) == ("toy · flat · simulated", "toy · flat")


def test_of_very_many_things_some_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [node("root"), *(node(f"raw{number}") for number in range(40))]
    found = drawn(monkeypatch, nodes, [(f"raw{number}", "root", "input") for number in range(40)])
    assert found.left_out == 40 + 1 - len(found.boxes)
    assert found.width < 1400
    assert any(box.root for box in found.boxes)


def test_what_leads_in_a_circle_is_drawn_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = drawn(
        monkeypatch, [node("root"), node("raw")], [("raw", "root", "input"), ("root", "raw", "input")]
    )
    assert len(found.boxes) == 2


def test_a_name_that_is_too_long_keeps_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a" * 100 + "z.l1@v0001"
    found = drawn(monkeypatch, [node("root"), node(name)], [(name, "root", "input")])
    title = next(box.title for box in found.boxes if not box.root)
    assert (title.startswith("aaa"), title.endswith("z.l1@v0001"), len(title) <= 34) == (True, True, True)
