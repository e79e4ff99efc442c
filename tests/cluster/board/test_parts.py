"""The parts of the page say what was seen, in words that do nothing else, whatever files hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from cluster.board import parts
from cluster.board.source import SiteFacts
from cluster.board.watch import Seen
from cluster.board.workers import WorkerFacts
from cluster.pacing import left, speed, step_rows
from lake.governance.policy import CUSTODY
from tests.cluster.board.seeing import HOSTILE, case, frame, overview, pace

WORKER = WorkerFacts("0", 8_000_000_000, 10_000_000_000, 0, 3, "running")
NORTH = SiteFacts("north", "NORTH", "posix", drained=False, here=True)


class Reader(HTMLParser):
    """What a browser would make of it: which elements with which attributes, and which text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile() -> list[str]:
    """All parts, every word of which is hostile."""
    run = pace(HOSTILE, recipe=HOSTILE, status=HOSTILE, note=HOSTILE)
    run["steps"][0]["step"] = HOSTILE
    run["executors"][0] |= {"executor": HOSTILE, "site": HOSTILE, "note": HOSTILE}
    run["sites"][0]["site"] = HOSTILE
    bad = overview(
        run, quarantine=(case(3, HOSTILE, code=HOSTILE, advice=HOSTILE),), put_aside={("a", "b"): 3}
    )
    going = overview(run | {"status": "running"})
    shown = frame(name=HOSTILE, release=HOSTILE, grant=CUSTODY, withheld="")
    return [
        parts.runs(bad),
        parts.runs(going),
        parts.steps(going),
        parts.sites(going, [SiteFacts(HOSTILE, HOSTILE, "posix", drained=False, here=True)]),
        parts.quarantine(bad),
        parts.workers([WorkerFacts(HOSTILE, 1, 2, 3, 4, HOSTILE)]),
        parts.frames(going, [shown], lambda _: "iVBORw0K"),
        parts.frames(going, [frame(name=HOSTILE, withheld=HOSTILE)], lambda _: None),
    ]


@pytest.mark.parametrize("html", hostile(), ids=str.__len__)
def test_words_from_files_are_shown_and_do_nothing(html: str) -> None:
    read = Reader(html)
    assert "onerror" in read.text + str([given.get("title") for _, given in read.elements])
    for tag, given in read.elements:
        assert tag != "script"
        assert not [name for name in given if name.startswith("on")]
        assert tag != "img" or str(given["src"]).startswith("data:image/png;base64,")
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_folders_are_nobodys_business() -> None:
    reason = "the file /home/ada/secret place/raw/x.fits and file:///data/raw/y.fits cannot be read"
    told = Reader(parts.quarantine(overview(quarantine=(case(1, reason),), put_aside={("a", "b"): 1}))).text
    assert "x.fits" in told
    assert "ada" not in told
    assert "/data/" not in told


def test_a_run_is_told_in_the_words_of_the_terminal() -> None:
    run = pace()
    told = Reader(parts.runs(overview(run))).text
    for words in ("40 of 100 units", speed(run), left(run), "38 done", "2 quarantined", "50 planned"):
        assert words in told
    for cell in step_rows(run)[0]:
        assert str(cell) in Reader(parts.steps(overview(run))).text


def test_lengths_of_a_bar_are_those_of_its_units() -> None:
    widths = re.findall(r"class='(\w+)' style='width:([\d.]+)%'", parts.runs(overview(pace())))
    assert [(state, float(width)) for state, width in widths] == [
        ("done", 38.0),
        ("quarantined", 2.0),
        ("leased", 10.0),
    ]


def test_the_numbers_one_looks_at_first() -> None:
    told = Reader(parts.figures(overview(pace(), put_aside={("ingest", "not-fits"): 1200}), [WORKER])).text
    for words in ("0.5", "2 to 2.5 min", "1,200", "8.0 GB", "10.0 GB"):
        assert words in told
    nothing = Reader(parts.figures(overview(), [])).text
    assert "no worker here" in nothing


def test_a_site_without_executors_is_told_with_what_waits_there() -> None:
    run = pace(executors=[])
    told = Reader(
        parts.sites(overview(run), [NORTH, SiteFacts("south", "S", "s3", drained=True, here=False)])
    )
    assert "No executor is at work." in told.text
    assert "drained" in told.text
    assert "50" in told.text


def test_units_of_a_run_of_one_site_are_the_homes() -> None:
    run = pace()
    run["sites"][0]["site"] = run["executors"][0]["site"] = ""
    told = Reader(parts.sites(overview(run), [NORTH])).text
    assert told.count("north") == 2, "its line, and its executor's"


def test_of_many_reasons_the_rest_is_counted() -> None:
    aside = {("ingest", "not-fits"): 10, ("process", "step-x"): 5}
    told = Reader(parts.quarantine(overview(quarantine=(case(12, "one"),), put_aside=aside))).text
    assert "and 3 more" in told


def test_frames_that_not_everybody_may_see_are_grey_and_say_why() -> None:
    withheld = frame(withheld="under embargo until 2027-06-01")
    html = parts.frames(overview(pace()), [withheld], lambda _: "iVBORw0K")
    assert "<img" not in html, "whatever pictures there are"
    assert "under embargo until 2027-06-01" in html
    assert "38 frames made" not in html, "the run has published some"


def test_frames_that_are_not_published_yet_are_counted() -> None:
    html = parts.frames(overview(pace()), [], lambda _: None)
    assert "38 frames made" in html
    assert "<img" not in html


def test_trouble_is_told_above_all_else() -> None:
    assert "role='alert'" in parts.headline(Seen(trouble="It is down."))
    assert "It is down." in parts.headline(Seen(trouble="It is down."))
    assert "role='alert'" not in parts.headline(Seen())
    assert "has not answered" in parts.headline(Seen(overview(), ended=-1000.0))
