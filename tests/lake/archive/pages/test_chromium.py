"""The paths of a visitor, a holder and a curator, in a real browser; every page looked at by axe."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lake.archive.application import archive
from lake.archive.surroundings import Surroundings
from lake.governance import accounts, tokens
from lake.governance.doi.office import Office
from lake.governance.policy import OWNER, Scope
from lake.lake import Lake
from lake.releases import quarantine
from lake.releases.quarantine import Case
from lake.releases.search import resolve
from tests.chromium.browser import chromium, complaints
from tests.lake.archive.conftest import SCOPE, Served
from tests.lake.archive.pages.conftest import serving
from tests.lake.ledger.hands import make_run

pytestmark = pytest.mark.slow

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
#: Where pictures of every page are kept, for people to look at.
SHOTS = os.environ.get("HELIOLAKE_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def address(lake: Lake, office: Office, served: dict[str, Served]) -> Iterator[str]:
    """Of an archive that a server of its own gives out."""
    with serving(archive(lake, Surroundings(office=office))) as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def ended(lake: Lake) -> str:
    """A run, of which pages tell."""
    run = make_run(lake, "pages", 0)
    run.end("done")
    return run.id


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A window of somebody nobody knows; whatever its console complains of fails the test."""
    context = browser.new_context(accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    window = context.new_page()
    said: list[str] = []
    window.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    window.on("pageerror", lambda one: said.append(str(one)))
    yield window
    context.close()
    # A status is told there too; a picture that is not there is one of these.
    assert not [one for one in said if "the server responded with a status" not in one]


def downloaded(page: Any, link: Any) -> bytes:
    """What a link gives to be kept."""
    with page.expect_download() as awaited:
        link.click()
    return Path(awaited.value.path()).read_bytes()


def sign_in(page: Any, token: str) -> None:
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def test_a_visitor_finds_looks_cites_downloads_and_verifies(
    page: Any, address: str, served: dict[str, Served]
) -> None:
    release = served["public"]
    page.goto(address)
    page.get_by_role("searchbox").fill("public spot")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="public_obs").click()
    assert page.get_by_role("heading", level=1).inner_text() == "public_obs"
    page.get_by_text("public spot").first.wait_for()

    page.get_by_role("button", name="Copy Text", exact=True).first.click()
    page.get_by_text("Copied").wait_for()
    assert "Doe, Jane" in page.evaluate("navigator.clipboard.readText()")

    page.get_by_role("link", name=f"header of {release.first}").click()
    page.get_by_label("Find in keywords").fill("observer")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("public 1").first.wait_for()
    page.go_back()
    page.go_back()

    data = downloaded(page, page.get_by_role("link", name=release.first, exact=True).last)
    assert data == release.files[release.first]
    sums = page.request.get(f"{address}{release.url}/sums").text()
    assert hashlib.sha256(data).hexdigest() in sums


def test_a_visitor_chooses_files_and_sees_how_much_they_are(
    page: Any, address: str, served: dict[str, Served]
) -> None:
    release = served["public"]
    page.goto(f"{address}/releases/{release.product}")
    chosen = page.get_by_role("button", name="Download chosen as zip")
    assert chosen.is_disabled()
    page.get_by_label(f"select {release.first}").check()
    page.get_by_text("1 chosen, 8.64 kB").first.wait_for()
    page.get_by_label("all on this page").check()
    page.get_by_text("2 chosen, 17.3 kB").first.wait_for()
    assert downloaded(page, chosen).startswith(b"PK")


def test_with_the_keyboard_alone_somebody_gets_from_the_first_page_to_a_release(
    page: Any, address: str, served: dict[str, Served]
) -> None:
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "words"
    page.keyboard.type("public spot")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?words=*")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "public_obs":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/releases/archived:public_obs.l0")


def test_a_holder_signs_in_downloads_and_signs_out(
    page: Any, address: str, served: dict[str, Served], token: dict[str, dict[str, str]]
) -> None:
    release = served["embargoed"]
    page.goto(f"{address}/releases/{release.product}")
    page.get_by_text("Under embargo until").first.wait_for()
    assert not page.get_by_role("link", name=release.first, exact=True).count()
    sign_in(page, token["ar-holder"]["Authorization"].split()[1])
    assert page.url.endswith(f"/releases/{release.product}")
    data = downloaded(page, page.get_by_role("link", name=release.first, exact=True).last)
    assert data == release.files[release.first]
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{address}/releases/{release.product}")
    assert not page.get_by_role("link", name=release.first, exact=True).count()


@pytest.fixture(scope="module")
def operator(lake: Lake) -> str:
    """A token of somebody who runs the data centre."""
    accounts.add(lake, "ar-runs-it", operator=True, curates=["*"], principal=OWNER)
    case = Case(
        "/raw/<b>night</b>.fits", "the file ends too early", "truncated", "ingest", advice="fetch it again"
    )
    quarantine.record(lake, [case])
    return tokens.make(lake, "ar-runs-it", list(Scope), principal=OWNER).text


def test_a_curator_sees_embargoes_quarantine_runs_and_the_trail(
    page: Any, address: str, served: dict[str, Served], operator: str
) -> None:
    page.goto(f"{address}/curate")
    page.get_by_text("for curators and operators").first.wait_for()
    sign_in(page, operator)
    page.get_by_role("link", name="Embargoes", exact=True).click()
    page.get_by_role("link", name=served["embargoed"].product).first.wait_for()
    page.get_by_role("link", name="Quarantine", exact=True).click()
    page.get_by_text("/raw/<b>night</b>.fits").first.wait_for()
    page.get_by_text("fetch it again").first.wait_for()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("link", name="Audit trail", exact=True).click()
    page.get_by_label("What", exact=True).fill("token.*")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("token.make").first.wait_for()


@pytest.fixture
def curator(lake: Lake) -> str:
    """A token of somebody who decides about an instrument."""
    name = f"ar-{secrets.token_hex(4)}"
    accounts.add(lake, name, curates=["decided"], principal=OWNER)
    return tokens.make(lake, name, list(Scope), principal=OWNER).text


def tab_to(page: Any, what: str) -> None:
    """Press Tab until something has the focus, by its text or the name of its field."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id || document.activeElement.textContent") == what:
            return
    raise AssertionError(f"no key leads to {what}")


def test_a_curator_decides_with_keys_alone_on_a_telephone(
    browser: Any, address: str, curator: str, release: str, lake: Lake
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{address}/releases/{release}")
    sign_in(page, curator)
    tab_to(page, "Embargo, DOI, withdrawal")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Decide about").wait_for()
    tab_to(page, "Set, extend or end it")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Embargo of").wait_for()
    for field, text in (("set-until", "2999-01-01"), ("set-holders", "ada"), ("set-reason", "first paper")):
        tab_to(page, field)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.get_by_text("is under embargo until 2999-01-01 00:00 UTC").wait_for()
    tab_to(page, "lift-reason")
    page.keyboard.type("published")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="End the embargo of").wait_for()
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    tab_to(page, "Yes, end it")
    page.keyboard.press("Enter")
    page.get_by_text("is under no embargo").wait_for()
    assert resolve(lake, release)[0].embargo_until is None
    context.close()


def test_without_scripts_a_curator_decides_too(
    browser: Any, address: str, curator: str, release: str, lake: Lake
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/curate/releases/{release}")
    sign_in(page, curator)
    page.get_by_label("What is wrong with it").fill("wrong flat field")
    page.get_by_role("button", name="Withdraw it").click()
    assert resolve(lake, release)[0].status == "ACTIVE"
    page.get_by_role("button", name="Yes, withdraw it").click()
    page.get_by_text(f"{release} is withdrawn.").wait_for()
    assert resolve(lake, release)[0].status == "WITHDRAWN"
    assert not [one for one in page.context.cookies() if curator in one["value"]]
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_every_page_fits_and_axe_finds_nothing_serious(
    browser: Any,
    address: str,
    served: dict[str, Served],
    operator: str,
    ended: str,
    simulated: str,
    width: str,
    scheme: str,
) -> None:
    across, down = SIZES[width]
    context = browser.new_context(viewport={"width": across, "height": down}, color_scheme=scheme)
    page = context.new_page()
    public, product = served["public"], served["public"].product
    places = {
        "home": "/",
        "search": f"/search?instrument={SCOPE}",
        "wrong": "/search?since=yesterday",
        "simulated": f"/search?instrument={simulated.split(':', maxsplit=1)[0]}",
        "model": f"/releases/{simulated}",
        "looked": f"/releases/{simulated}/look/model.fits",
        "calendar": f"/calendar?instrument={SCOPE}&year=2021",
        "release": f"/releases/{product}",
        "embargoed": f"/releases/{served['embargoed'].product}",
        "tombstone": f"/releases/{served['withdrawn'].product}@v0001",
        "header": f"/releases/{product}/header/{public.first}",
        "landing": f"/doi/{public.doi}",
        "gone": f"/doi/{served['withdrawn'].doi}",
        "help": "/help",
        "signin": "/signin",
        "problem": "/releases/nothing.l0",
        "curate": "/curate",
        "embargoes": "/curate/embargoes",
        "quarantine": "/curate/quarantine",
        "runs": "/curate/runs",
        "run": f"/curate/runs/{ended}",
        "embargo": f"/curate/embargo?about={served['embargoed'].product}",
        "govern": f"/curate/releases/{product}",
        "look": f"/releases/{product}/look/{public.first}",
        "audit": "/curate/audit?what=token.*",
    }
    wrong = []
    page.goto(address)
    sign_in(page, operator)
    for name, place in places.items():
        answer = page.goto(f"{address}{place}")
        wrong += [f"{name} answers {answer.status}"] * (answer.status >= 500)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        wrong += [f"{name} is {wide} wide"] * (wide > across)
        wrong += [f"{name}: {one}" for one in complaints(page)]
    context.close()
    assert not wrong
