"""The page of the demonstration: one self-contained HTML file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Sequence
from html import escape as as_html
from importlib import metadata, resources
from pathlib import Path, PurePath
from string import Template
from typing import TYPE_CHECKING, Any

from heliolake.demo.picture import EXPLAINED, bare_jpeg, panel_png
from heliolake.demo.result import ARCHIVE
from heliolake.demo.stories import Story
from lake.text import printable_lines

if TYPE_CHECKING:
    from heliolake.demo.result import DemoResult


def escape(text: object) -> str:
    """Text from outside as HTML that shows it as it is."""
    return as_html(printable_lines(str(text)))


def write_page(result: DemoResult, path: Path) -> None:
    """Write the page.

    Parameters
    ----------
    result
        What the demonstration made; its stories are drawn here once more, panel by panel.
    path
        The file to write. It refers to nothing outside itself.
    """
    template = Template(resources.files("heliolake.demo").joinpath("page.html").read_text(encoding="utf-8"))
    # The archive's own style, so that what was made looks here as it does there.
    archive = resources.files("lake.archive").joinpath("pages", "static")
    text = template.substitute(
        style=archive.joinpath("page.css").read_text(encoding="utf-8"),
        icon=_inline(archive.joinpath("icon.svg").read_bytes(), "svg+xml"),
        address=ARCHIVE,
        lead=_lead(result),
        stories="\n".join(_story(story) for story in result.stories),
        releases=_releases(result.releases, result.simulated),
        quarantine_lead=_quarantine_lead(result.quarantined),
        quarantine=_quarantine(result.quarantined),
        commands=escape("\n".join(result.next_commands())),
        footer=f"Heliolake {metadata.version('heliolake')}. {_times(result.seconds)}",
    )
    path.write_text(text, encoding="utf-8")


def _lead(result: DemoResult) -> str:
    frames = sum(one["files"] for one in result.releases)
    return (
        "Raw solar images went in; science-ready, versioned files came out. This page was written by "
        f"<code>heliolake demo</code>: {frames} files in {len(result.releases)} releases, "
        f"{len(result.quarantined)} files put aside with the reason. {EXPLAINED}"
    )


def _story(story: Story) -> str:
    kind, badge = ("simulated", "badge warn") if story.simulated else ("real", "badge")
    measure = ""
    if story.measure:
        head, _, rest = story.measure.partition(" (")
        measure = f'<p class="measure"><b>{escape(head)}</b> {escape("(" + rest if rest else "")}</p>'
    before, after = (_inline(bare_jpeg(panel), "jpeg") for panel in story.panels[:2])
    figures = "\n".join(_figure(panel) for panel in (*story.panels, story.proof))
    return f"""<section class="card">
<h2>{escape(story.heading)}<span class="{badge}">{kind} data</span></h2>
<p class="soft"><code>{escape(story.subheading)}</code></p>
<p>{escape(story.text)}</p>
{measure}
<div class="panels">
{figures}
</div>
<details><summary>Lay before and after over each other</summary>
<div class="compare">
<img alt="before" src="{before}"><img alt="after" src="{after}">
<i></i><span>before</span><span>after</span>
<input type="range" min="0" max="100" value="50" aria-label="where before ends and after begins">
</div></details>
</section>"""


def _figure(panel: Any) -> str:
    return (
        f'<figure><img alt="{escape(panel.title)}" src="{_inline(panel_png(panel))}">'
        f"<figcaption><b>{escape(panel.title)}</b>{escape(panel.caption)}</figcaption></figure>"
    )


def _releases(releases: Sequence[dict[str, Any]], simulated: Collection[str]) -> str:
    badge = '<span class="badge warn">simulated</span>'
    rows = [
        (
            f"<code>{escape(one['product'])}</code>{badge if one['product'] in simulated else ''}",
            f"v{one['version']:04d}",
            escape(one["level"]),
            str(one["files"]),
            escape((one["date_beg"] or "")[:16].replace("T", " ")),
            escape(one["recipe"] or "as it came"),
        )
        for one in releases
    ]
    return _table(("product", "version", "level", "files", "begins (UTC)", "made by"), rows)


def _quarantine_lead(cases: Sequence[dict[str, Any]]) -> str:
    if not cases:
        return "Nothing: every file could be used."
    return (
        "These files cannot be used. Each is named with what is wrong and what to do; "
        "the others were not held up by them."
    )


def _quarantine(cases: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            f"<code>{escape(PurePath(case['file']).name)}</code>",
            escape(case["reason"]),
            escape(case["advice"]),
        )
        for case in sorted(cases, key=lambda case: PurePath(case["file"]).name)
    ]
    return _table(("file", "what is wrong", "what to do"), rows) if rows else ""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in columns)
    # A telephone shows each row as a card, in which every cell bears the name of its column.
    body = "\n".join("<tr>" + "".join(map(_cell, columns, row)) + "</tr>" for row in rows)
    return f'<table class="cards"><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>'


def _cell(column: str, content: str) -> str:
    return f'<td data-name="{column}"><span>{content}</span></td>'


def _times(seconds: dict[str, float]) -> str:
    return "Time spent: " + ", ".join(f"{what} {spent:.1f} s" for what, spent in seconds.items()) + "."


def _inline(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode('ascii')}"
