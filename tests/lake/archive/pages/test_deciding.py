"""Curators decide on pages as they do with commands: by the same policy, under their own name."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cluster.registry.rules import PracticeRegistry
from cluster.registry.server import serving
from cluster.registry.shelf import Shelf
from lake.archive.application import archive
from lake.archive.surroundings import Surroundings
from lake.governance import accounts, audit, standing, tokens
from lake.governance.doi.office import Office
from lake.governance.doi.registry import Citations, Registry
from lake.governance.policy import OWNER, Scope
from lake.governance.target import Target
from lake.lake import Lake
from lake.ledger import executors, runs
from lake.ledger.owners import this_process
from lake.ledger.results import known_outcomes, record_quarantined
from lake.ledger.units import Finished
from lake.releases import quarantine
from lake.releases.quarantine import Case
from lake.releases.search import resolve
from tests.lake.archive.conftest import mark_of, sign_in
from tests.lake.archive.pages.conftest import SCOPE
from tests.lake.governance.doi.conftest import SAID
from tests.lake.ledger.hands import make_run

_PREFIX = "10.99872"
Enter = Callable[..., TestClient]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A registry of DOIs that answers."""
    shelf = Shelf(tmp_path_factory.mktemp("registry"))
    rules = PracticeRegistry(shelf, "ABC.DEF", secrets.token_hex(8), _PREFIX)
    with serving(rules) as running:
        landing = "https://archive.example.org/doi/{doi}"
        registry = Registry(running.url, "ABC.DEF", rules.password, _PREFIX, landing, namespace=_PREFIX)
        yield Office(registry, Citations({SCOPE: SAID}, Path("governance.yaml")))


@pytest.fixture(scope="module")
def enter(lake: Lake, registry: Office) -> Enter:
    """A browser of somebody with some rights, signed in."""

    @contextmanager
    def opened() -> Iterator[Office]:
        yield registry

    app = archive(lake, Surroundings(office=registry, registering=opened))

    def entered(*scopes: Scope, **rights: Any) -> TestClient:
        name = f"de-{secrets.token_hex(4)}"
        accounts.add(lake, name, principal=OWNER, **rights)
        browser = TestClient(app, raise_server_exceptions=False)
        sign_in(browser, tokens.make(lake, name, scopes or tuple(Scope), principal=OWNER).text)
        browser.headers["x-name"] = name
        return browser

    return entered


@pytest.fixture
def curator(enter: Enter) -> TestClient:
    return enter(curates=[SCOPE])


@pytest.fixture
def operator(enter: Enter) -> TestClient:
    return enter(operator=True)


def text_of(answer: Any) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def send(browser: TestClient, where: str, page: str = "", **sent: str) -> Any:
    """Send a form as the page does that has it."""
    return browser.post(where, data={"mark": mark_of(browser, page or where), **sent})


def yes(browser: TestClient, asked: Any) -> Any:
    """Answer what is asked once more, with what its form holds."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.text)
    fields = {name: html.unescape(value) for name, value in found}
    assert fields["sure"] == "yes"
    return browser.post(str(asked.url), data=fields)


def last_entry(lake: Lake) -> tuple[str, str, str, Mapping[str, Any]]:
    entry = audit.entries(lake, limit=1)[0]
    return entry.who, entry.what, entry.subject, entry.detail


def test_a_curator_sets_extends_and_ends_an_embargo_and_the_trail_names_them(
    curator: TestClient, lake: Lake, release: str
) -> None:
    observation = release.partition(".l0")[0]
    about = f"/curate/embargo?about={observation}"
    link = curator.get(f"/curate/releases/{release}").text
    assert f'href="/curate/embargo?about={observation.replace(":", "%3A")}"' in link
    assert "Nothing is decided about it" in text_of(curator.get(about))

    said = {"about": observation, "reason": "first paper"}
    answer = send(
        curator, "/curate/embargo", about, what="set", until="2999-01-01", holders="ada, group:p7", **said
    )
    assert f"{observation} is under embargo until 2999-01-01 00:00 UTC; 1 release changed" in text_of(answer)
    assert "until 2999-01-01 00:00:00 UTC , before for ada, group:p7" in text_of(answer)
    assert last_entry(lake)[:3] == (curator.headers["x-name"], "embargo.set", observation)
    assert resolve(lake, release)[0].embargo_holders == ["ada", "group:p7"]
    assert f"{observation} is under embargo" not in text_of(curator.get(about)), "it is told once"

    send(curator, "/curate/embargo", about, what="extend", until="2999-02-01T12:00", **said)
    assert last_entry(lake)[1] == "embargo.extend"
    assert f"{resolve(lake, release)[0].embargo_until:%Y-%m-%d %H}" == "2999-02-01 12"

    asked = send(curator, "/curate/embargo", about, what="lift", until="", **said)
    assert f"End the embargo of {observation}?" in text_of(asked)
    assert f"Under embargo now: {release}" in text_of(asked)
    assert last_entry(lake)[1] == "embargo.extend"
    answer = yes(curator, asked)
    assert f"{observation} is under no embargo; 1 release changed" in text_of(answer)
    assert last_entry(lake)[1] == "embargo.lift"
    assert resolve(lake, release)[0].embargo_until is None


@pytest.mark.parametrize(
    ("sent", "status", "sentence"),
    [
        (
            {"what": "set", "until": "soon", "reason": "x"},
            400,
            "'soon' is not a time. Write it as 2027-06-01",
        ),
        ({"what": "set", "until": "", "reason": "x"}, 400, "The time is missing."),
        ({"what": "set", "until": "2001-01-01", "reason": "x"}, 400, "Give a later time."),
        ({"what": "set", "until": "2999-01-01", "reason": " "}, 400, "needs a reason"),
        (
            {"what": "set", "until": "2999-01-01", "reason": "x", "holders": "A B"},
            400,
            "no name for an account",
        ),
        ({"what": "extend", "until": "2999-01-01", "reason": "x"}, 404, "could be extended. Set one."),
        ({"what": "lift", "reason": "x", "sure": "yes"}, 404, "nothing is decided"),
        ({"what": "burn", "reason": "x"}, 400, "There is no such decision (found: burn)."),
        ({"what": "set", "until": "2999-01-01", "reason": "x", "about": "??"}, 400, "not clear what"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence_and_what_was_written_stays(
    curator: TestClient, lake: Lake, release: str, sent: dict[str, str], status: int, sentence: str
) -> None:
    observation = release.partition(".l0")[0]
    before = audit.head(lake)
    answer = send(
        curator, "/curate/embargo", f"/curate/embargo?about={observation}", **{"about": observation, **sent}
    )
    assert (answer.status_code, audit.head(lake)) == (status, before), text_of(answer)
    alert = re.search(r'role="alert">(.*?)</p>', answer.text)
    assert alert is not None
    assert sentence.casefold() in re.sub("&#39;", "'", alert[1]).casefold()
    assert "heliolake " not in alert[1]
    assert "--" not in alert[1]


def test_an_embargo_of_a_value_reaches_what_is_still_to_come_and_asks_for_its_curators(
    curator: TestClient, enter: Enter, lake: Lake
) -> None:
    value = f"p-{secrets.token_hex(4)}"
    sent = {"what": "set", "until": "2999-01-01", "reason": "PI period"}
    answer = send(curator, "/curate/embargo", about=f"{SCOPE}:proposal={value}", **sent)
    assert "Nothing has this value yet; what comes will be under it." in text_of(answer)
    answer = send(curator, "/curate/embargo", about=f"proposal={value}", **sent)
    assert (answer.status_code, "does not decide about" in answer.text) == (403, True)
    everywhere = enter(curates=["*"])
    assert send(everywhere, "/curate/embargo", about=f"proposal={value}", **sent).status_code == 200
    found = standing.show(lake, Target.of_text(f"proposal={value}"), OWNER)
    assert found["history"][-1]["by"] == everywhere.headers["x-name"]


def test_who_looks_after_another_instrument_or_has_a_token_for_looking_decides_nothing(
    enter: Enter, lake: Lake, release: str
) -> None:
    observation = release.partition(".l0")[0]
    others = enter(curates=["archived"])
    looking = enter(Scope.READ, curates=[SCOPE])
    for browser, why in ((others, "others decide about decided"), (looking, "good for looking alone")):
        for page in (f"/curate/embargo?about={observation}", f"/curate/releases/{release}"):
            answer = browser.get(page)
            assert (answer.status_code, why in text_of(answer)) == (200, True)
            assert 'name="what"' not in answer.text
        before = audit.head(lake)
        for where, sent in (
            ("/curate/embargo", {"about": observation, "what": "set", "until": "2999-01-01", "reason": "x"}),
            ("/curate/embargo", {"about": observation, "what": "lift", "reason": "x"}),
            ("/curate/embargo", {"about": observation, "what": "lift", "reason": "x", "sure": "yes"}),
            (f"/curate/releases/{release}/withdraw", {"reason": "x"}),
            (f"/curate/releases/{release}/withdraw", {"reason": "x", "sure": "yes"}),
            (f"/curate/releases/{release}/doi", {"what": "mint"}),
            (f"/curate/releases/{release}/doi", {"what": "publish"}),
            (f"/curate/releases/{release}/doi", {"what": "publish", "sure": "yes"}),
        ):
            answer = browser.post(where, data={"mark": mark_of(browser, "/"), **sent})
            assert (answer.status_code, audit.head(lake)) == (403, before), (where, sent)


def test_a_release_is_withdrawn_once_it_is_said_twice_and_its_doi_keeps_a_tombstone(
    curator: TestClient, lake: Lake, release: str
) -> None:
    page = f"/curate/releases/{release}"
    asked = send(curator, f"{page}/doi", page, what="publish")
    assert "for ever" in text_of(asked)
    assert "is findable" in text_of(yes(curator, asked))
    assert resolve(lake, release)[0].status == "ACTIVE"

    asked = send(curator, f"{page}/withdraw", page, reason="wrong flat <field>")
    assert f"Withdraw {release}?" in text_of(asked)
    assert "Nothing was made of it." in text_of(asked)
    assert resolve(lake, release)[0].status == "ACTIVE"
    answer = yes(curator, asked)
    said = text_of(answer)
    assert f"{release} is withdrawn." in said
    assert "registered, with a tombstone" in said
    assert "wrong flat &lt;field&gt;" in answer.text
    assert resolve(lake, release)[0].status == "WITHDRAWN"
    [entry] = audit.entries(lake, what="withdraw", subject=release)
    assert entry.who == curator.headers["x-name"]
    answer = send(curator, f"{page}/withdraw", page, reason="again", sure="yes")
    assert (answer.status_code, "cannot be withdrawn" in text_of(answer)) == (403, True)


def test_dois_are_drafted_published_hidden_and_shown_again(
    curator: TestClient, lake: Lake, registry: Office, release: str
) -> None:
    page = f"/curate/releases/{release}"
    assert "is draft" in text_of(send(curator, f"{page}/doi", page, what="mint"))
    answer = send(curator, f"{page}/doi", page, what="mint", concept="yes")
    assert text_of(answer).count("is draft.") == 3  # what came of it, and both as they stand
    assert "is findable" in text_of(yes(curator, send(curator, f"{page}/doi", page, what="publish")))
    answer = send(curator, f"{page}/doi", page, what="hide", reason="a mistake in its title")
    assert "registered, with a tombstone" in text_of(answer)
    assert "Hidden, because: a mistake in its title" in text_of(answer)
    asked = send(curator, f"{page}/doi", page, what="publish")
    assert "with a tombstone" not in text_of(yes(curator, asked))
    whats = [one.what for one in audit.entries(lake, who=curator.headers["x-name"])]
    assert whats == ["doi.publish", "doi.hide", "doi.publish", "doi.mint", "doi.mint"]
    answer = send(curator, f"{page}/doi", page, what="hide", reason="", concept="yes")
    assert (answer.status_code, "a tombstone says why" in text_of(answer).casefold()) == (400, True)


def test_an_operator_steers_a_run_and_a_curator_looks_on(
    operator: TestClient, curator: TestClient, lake: Lake
) -> None:
    run = make_run(lake, f"steered-{secrets.token_hex(3)}", 4)
    executors.begin(lake, run.id, this_process())
    page = f"/curate/runs/{run.id}"
    assert 'name="what"' not in curator.get(page).text
    answer = curator.post(page, data={"mark": mark_of(curator, "/"), "what": "pause"})
    assert (answer.status_code, runs.find_run(lake, run.id)["status"]) == (403, "running")

    assert "is paused" in text_of(send(operator, page, what="pause"))
    assert runs.find_run(lake, run.id)["status"] == "paused"
    assert "goes on" in text_of(send(operator, page, what="resume"))
    unit = run.claim(1, 60)[0]
    run.finish([Finished(unit.unit_id, "failed", {"reason": "the disk was full"})])
    assert "1 units are planned again" in text_of(send(operator, page, what="retry"))
    asked = send(operator, page, what="cancel")
    assert "Give up run" in text_of(asked)
    assert runs.find_run(lake, run.id)["status"] == "running"
    yes(operator, asked)
    assert runs.find_run(lake, run.id)["status"] == "cancelled"
    who, what, subject, _ = last_entry(lake)
    assert (who, what, subject) == (operator.headers["x-name"], "run.cancel", run.id)
    answer = send(operator, page, what="resume")
    assert (answer.status_code, "it is cancelled" in text_of(answer)) == (400, True)
    executors.end(lake, run.id, this_process())
    answer = send(operator, page, "/curate/quarantine", what="resume")
    assert (answer.status_code, f"heliolake runs resume {run.id}" in text_of(answer)) == (403, True)


def test_cases_of_the_quarantine_are_closed_with_a_reason_or_tried_again(
    operator: TestClient, curator: TestClient, lake: Lake
) -> None:
    run = make_run(lake, f"aside-{secrets.token_hex(3)}", 1)
    unit = f"{run.id}-u"
    run.end("done")
    record_quarantined(lake, [(unit, {"reason": "too dark"})])
    code = f"dark-{secrets.token_hex(3)}"
    lost = Case("/raw/<i>.fits", f"the file is lost {code}", code, "ingest")
    dark = Case("decided:dark.fits", f"too dark {code}", code, "process", unit_id=unit, run_id=run.id)
    quarantine.record(lake, [lost, dark])

    def form(browser: TestClient, words: str) -> dict[str, str]:
        card = next(
            one
            for one in browser.get("/curate/quarantine").text.split("<section")
            if f"{words} {code}" in one.casefold()
        )
        return dict(re.findall(r'<input type="hidden" name="(kind|seen)" value="([^"]*)">', card))

    assert not form(curator, "too dark")
    again = form(operator, "too dark")
    assert "To be tried again: 1" in text_of(send(operator, "/curate/quarantine", what="again", **again))
    assert known_outcomes(lake, [unit]) == {}
    assert last_entry(lake)[:3] == (operator.headers["x-name"], "run.retry", run.id)

    closing = form(operator, "the file is lost")
    sent = {"what": "close", "reason": "the station burnt down", **closing}
    assert curator.post("/curate/quarantine", data={"mark": mark_of(curator, "/"), **sent}).status_code == 403
    assert "Closed: 1." in text_of(send(operator, "/curate/quarantine", **sent))
    who, what, _, detail = last_entry(lake)
    assert (who, what) == (operator.headers["x-name"], "quarantine.close")
    assert detail == {"reason": "the station burnt down", "files": ["/raw/<i>.fits"]}
    assert [case["file"] for case in quarantine.listing(lake, code=code)] == ["decided:dark.fits"]
    assert send(operator, "/curate/quarantine", **sent).status_code == 404
    quarantine.record(lake, [lost])  # met again, so is its case
    assert len(quarantine.listing(lake, code=code)) == 2


def test_a_form_is_good_in_the_browser_it_was_made_for_alone(
    curator: TestClient, lake: Lake, release: str
) -> None:
    where = f"/curate/releases/{release}/withdraw"
    mark = mark_of(curator, f"/curate/releases/{release}")
    before = audit.head(lake)
    said = {"reason": "x", "sure": "yes"}
    for data, headers in (
        (said, {}),
        ({**said, "mark": "0" * 64}, {}),
        ({**said, "mark": mark}, {"Origin": "https://elsewhere.example.org"}),
        ({**said, "mark": mark}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        assert curator.post(where, data=data, headers=headers).status_code == 403
    assert audit.head(lake) == before
    assert resolve(lake, release)[0].status == "ACTIVE"
