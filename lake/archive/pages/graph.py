"""Provenance as a drawing: what was used above, what was made of it below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lake.lake import Lake
from lake.releases import lineage

_WIDTH, _HEIGHT = 250, 46
_GAP, _ROW = 26, 104
_MARGIN: Final = 12
_ACROSS: Final = 5
"""Boxes in a row; of more, how many there are is said."""
_LONGEST: Final = 34


@dataclass(frozen=True)
class Box:
    """A release or a reference in the drawing, and where it is."""

    id: str
    kind: str
    title: str
    under: str
    x: float
    y: float
    root: bool


@dataclass(frozen=True)
class Drawing:
    """Boxes, lines between them, and how large all is; `left_out` boxes are not in it."""

    boxes: Sequence[Box]
    lines: Sequence[tuple[float, float, float, float, str]]
    width: float
    height: float
    left_out: int
    sentences: Sequence[str]
    made_with: Mapping[str, Any]


def drawing(lake: Lake, release: str) -> Drawing:
    """The graph around a release, in rows: each thing stands below all it was made of."""
    found = lineage.graph(lake, release, depth=3, most=60)
    nodes = {one["id"]: one for one in found["nodes"]}
    edges = [(one["from"], one["to"], one["role"]) for one in found["edges"]]
    rows = _rows(found["root"], nodes, edges)
    boxes: dict[str, Box] = {}
    left_out = 0
    across = min(_ACROSS, max(len(row) for row in rows))
    width = across * (_WIDTH + _GAP) - _GAP + 2 * _MARGIN
    for number, row in enumerate(rows):
        # The release itself stays, whatever else is left out.
        shown = sorted(row, key=lambda one: (one != found["root"], one))[:_ACROSS]
        left_out += len(row) - len(shown)
        begin = (width - (len(shown) * (_WIDTH + _GAP) - _GAP)) / 2
        for place, one in enumerate(sorted(shown)):
            x, y = begin + place * (_WIDTH + _GAP), _MARGIN + number * _ROW
            boxes[one] = _box(nodes[one], x, y, root=one == found["root"])
    lines = [
        (
            boxes[a].x + _WIDTH / 2,
            boxes[a].y + _HEIGHT,
            boxes[b].x + _WIDTH / 2,
            boxes[b].y,
            role,
        )
        for a, b, role in edges
        if a in boxes and b in boxes
    ]
    height = (len(rows) - 1) * _ROW + _HEIGHT + 2 * _MARGIN
    told = [f"{b} was made {'with' if role == 'reference' else 'of'} {a}" for a, b, role in edges]
    return Drawing(list(boxes.values()), lines, width, height, left_out, told, found.get("made_with", {}))


def _rows(root: str, nodes: Mapping[str, Any], edges: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    """Nodes by how far they stand below the beginnings."""
    depth = dict.fromkeys(nodes, 0)
    for _ in nodes:  # no longer way than there are nodes: what leads in a circle ends here
        changed = False
        for source, target, _role in edges:
            if source != target and depth[target] < depth[source] + 1 <= len(nodes):
                depth[target], changed = depth[source] + 1, True
        if not changed:
            break
    # References stand right above what they were used for.
    for source, target, role in reversed(edges):
        if role == "reference":
            depth[source] = max(depth[source], depth[target] - 1)
    levels = sorted(set(depth.values()))
    return [[one for one in nodes if depth[one] == level] for level in levels]


def _box(node: Mapping[str, Any], x: float, y: float, *, root: bool) -> Box:
    scope, _, rest = str(node["id"]).partition(":")
    if node["kind"] == "release":
        under = " · ".join(
            filter(None, (scope, f"level {node['level']}", node.get("recipe") or "as it came"))
        )
    else:
        simulated = " · simulated" if node.get("simulated") else ""
        under = f"{scope} · {node.get('need', node['kind'])}{simulated}"
    return Box(str(node["id"]), str(node["kind"]), _short(rest), _short(under, 40), x, y, root)


def _short(text: str, most: int = _LONGEST) -> str:
    """A text that fits its box: names differ at both ends."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2 - 1]}…{text[-(most // 2) :]}"
