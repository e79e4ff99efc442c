"""The mission's keyword table of level 1, and how products keep to it.

``python -m pipeline.instruments.soho_lasco.keywords docs/lasco.md`` writes the table anew into a page.
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pipeline.documents import read_yaml

#: Lines of a page between which the table stands.
BEGIN: Final = "<!-- keywords: made by pipeline.instruments.soho_lasco.keywords -->"
END: Final = "<!-- end of keywords -->"


def keyword_table() -> dict[str, list[dict[str, Any]]]:
    """Keywords of level 1, and those that level 1 leaves out, as the mission's table of 2001 has them."""
    path = resources.files("pipeline.instruments.soho_lasco") / "resources" / "level_1_keywords.yaml"
    found: dict[str, list[dict[str, Any]]] = read_yaml(path.read_text(encoding="utf-8"), path.name)
    return found


def coverage() -> str:
    """The table in Markdown: each keyword, its meaning, and what a product says."""
    table = keyword_table()
    lines = ["| keyword | type | meaning | in a product |", "|---|---|---|---|"]
    for one in table["keywords"]:
        said = one.get("here", "as the table has it")
        lines.append(f"| `{one['name']}` | {one['type']} | {one['meaning']} | {said} |")
    for one in table["omitted"]:
        said = one.get("kept", "left out")
        lines.append(f"| `{one['name']}` | – | {one['meaning']} (of level 0.5) | {said} |")
    there = sum(not one.get("absent") for one in table["keywords"])
    gone = sum("kept" not in one for one in table["omitted"])
    return "\n".join(
        [
            f"{there} of {len(table['keywords'])} keywords are in every product;",
            f"of {len(table['omitted'])} of level 0.5 {gone} are left out, the others kept for a reason.",
            "",
            *lines,
        ]
    )


def write_into(page: Path) -> None:
    """Write the table into a page, between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, behind = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{coverage()}\n{END}{behind}", encoding="utf-8")


if __name__ == "__main__":
    write_into(Path(sys.argv[1]))
