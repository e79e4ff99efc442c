"""The page of the documentation says of the keyword table what the program knows of it."""

from __future__ import annotations

from pathlib import Path

from pipeline.instruments.soho_lasco import keywords

PAGE = Path(__file__).resolve().parents[4] / "docs" / "lasco.md"


def test_the_page_holds_the_table_as_it_is_now(tmp_path: Path) -> None:
    copy = tmp_path / "lasco.md"
    copy.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    keywords.write_into(copy)
    assert copy.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_every_keyword_of_the_mission_s_table_is_in_it_once() -> None:
    table = keywords.keyword_table()
    names = [one["name"] for part in table.values() for one in part]
    assert len(names) == len(set(names))
    # 55 lines of the table, four of them for two axes, HISTORY and COMMENT; 26 of level 0.5.
    assert (len(table["keywords"]), len(table["omitted"])) == (55 + 4 + 2, 26)
    assert keywords.coverage().startswith(
        "58 of 61 keywords are in every product;\nof 26 of level 0.5 19 are"
    )
