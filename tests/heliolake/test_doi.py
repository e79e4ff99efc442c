"""`doi` and `cite`, as a newcomer types them in a home that practises."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster.home.home import Home
from pipeline.instruments.stereo_hi.simulate import SimulationConfig, write_series
from tests.heliolake.conftest import Command

PRODUCT = "stereo_hi:hi2b_s4_20080611.l0"
START = datetime(2008, 6, 11, 0, 9, 21, tzinfo=UTC)


def simulated(folder: Path, number: int) -> list[Path]:
    """Frames of a day no other test uses."""
    start = START + timedelta(hours=2 * number)
    config = SimulationConfig(
        detector="HI2", spacecraft="B", frames=1, size=64, exposures=20, stars=20, start=start
    )
    return write_series(folder, config)


@pytest.fixture(scope="module")
def ingested(here: Command, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A release of two versions."""
    for number in range(2):
        done = here("ingest", *simulated(tmp_path_factory.mktemp("doi"), number))
        assert done.code == 0, done.err
    return PRODUCT


def test_a_newcomer_mints_publishes_and_cites(here: Command, ingested: str) -> None:
    before = here("cite", f"{ingested}@v0001")
    assert before.code == 0
    assert f"Version 1. TEST VALUE (no publisher is configured). {ingested}@v0001" in before.out
    assert "There is no DOI yet" in before.err

    minted = here("doi", "mint", f"{ingested}@v0001")
    assert (minted.code, "10.5072/" in minted.out, "draft" in minted.out) == (0, True, True)
    assert "a practice registry on this machine; not registered with DataCite" in minted.err

    again = here("doi", "mint", f"{ingested}@v0001", "--json").document()
    (one,) = again["dois"]
    published = here("doi", "publish", f"{ingested}@v0001", "--json").document()
    assert published["told"] == {one["doi"]: "findable"}

    cited = here("cite", f"{ingested}@v0001")
    assert cited.out.endswith(f"https://doi.org/{one['doi']}\n")
    assert "practice registry" in cited.err
    assert "TEST VALUES" in cited.err


def test_a_product_and_its_versions_are_related(here: Command, ingested: str) -> None:
    for words in (("--concept", ingested), (f"{ingested}@v0001",), (f"{ingested}@v0002",)):
        assert here("doi", "publish", *words).code == 0
    (whole,) = here("doi", "show", "--concept", ingested, "--json").document()["dois"]
    assert [one["relation"] for one in whole["related"]] == ["HasVersion", "HasVersion"]
    (second,) = here("doi", "show", f"{ingested}@v0002", "--json").document()["dois"]
    assert [one["relation"] for one in second["related"]] == ["IsVersionOf", "IsNewVersionOf"]
    sent = here("doi", "show", f"{ingested}@v0002", "--metadata").document()
    assert sent["relatedItems"][0]["relatedItemType"] == "Instrument"
    assert sent["titles"][0]["title"].startswith("STEREO SECCHI Heliospheric Imagers")


def test_what_is_hidden_says_why(here: Command, ingested: str) -> None:
    here("doi", "publish", f"{ingested}@v0001")
    hidden = here("doi", "hide", f"{ingested}@v0001", "--reason", "under review")
    assert (hidden.code, "HIDDEN" in hidden.out, "under review" in hidden.out) == (0, True, True)
    assert "hidden: under review" in here("cite", f"{ingested}@v0001").err
    assert here("doi", "publish", f"{ingested}@v0001").code == 0


def test_a_withdrawal_is_told_to_the_registry_at_once(here: Command, tmp_path: Path) -> None:
    released = here("ingest", *simulated(tmp_path, 36)).code  # another day
    product = "stereo_hi:hi2b_s4_20080614.l0@v0001"
    assert (released, here("doi", "publish", product).code) == (0, 0)
    withdrawn = here("withdraw", product, "--reason", "wrong header")
    assert (withdrawn.code, "is registered" in withdrawn.err) == (0, True)
    told = here("doi", "show", product)
    assert "WITHDRAWN wrong header" in told.out
    assert "findable from" not in told.out
    refused = here("doi", "publish", product)
    assert (refused.code, "stays with its tombstone" in refused.err) == (2, True)
    assert "[withdrawn]" in here("cite", product).out


@pytest.mark.parametrize(
    ("form", "begins"), [("bibtex", "@misc{https://doi.org/10.5072/"), ("ris", "TY  - DATA"), ("csl", "[")]
)
def test_citations_come_in_forms_that_other_programs_read(
    here: Command, ingested: str, form: str, begins: str
) -> None:
    here("doi", "publish", f"{ingested}@v0001")
    told = here("cite", f"{ingested}@v0001", "--format", form)
    assert (told.code, told.out.startswith(begins)) == (0, True)
    if form == "csl":
        assert json.loads(told.out)[0]["version"] == "1"


def test_there_are_no_other_forms(here: Command, ingested: str) -> None:
    refused = here("cite", ingested, "--format", "endnote")
    assert (refused.code, "text, bibtex, ris, csl" in refused.err) == (2, True)


def test_nobody_but_a_curator_mints(here: Command, ingested: str) -> None:
    refused = here("doi", "mint", ingested, "--as", "public")
    assert refused.code == 2


def test_a_sync_with_nothing_to_do_says_so(here: Command, ingested: str) -> None:
    here("doi", "publish", f"{ingested}@v0001")
    assert here("doi", "sync").code == 0
    done = here("doi", "sync", "--json").document()
    assert (done["told"], done["silent"], done["refused"]) == ({}, "", {})
    assert done["same"] >= 1


def test_a_real_registry_without_creators_refuses_and_names_file_and_keyword(
    here: Command, ingested: str, home: Home
) -> None:
    file, password = home.path / "governance.yaml", home.path / "datacite.password"
    password.write_text("secret\n")
    password.chmod(0o644)
    file.write_text(
        "doi: {url: 'http://127.0.0.1:9', repository: ABC.DEF, password_file: datacite.password,\n"
        "      prefix: '10.12345', landing: 'https://archive.example.org/doi/{doi}'}\n"
    )
    try:
        open_to_all = here("doi", "mint", ingested)
        assert (open_to_all.code, "chmod 600" in open_to_all.err) == (2, True)
        password.chmod(0o600)
        nameless = here("doi", "mint", ingested)
        assert nameless.code == 2
        assert "citation.stereo_hi.creators" in nameless.err
        assert "governance.yaml" in nameless.err
        with file.open("a") as more:
            more.write("citation:\n  '*': {creators: [{name: A team}], publisher: {name: A centre}}\n")
        silent = here("doi", "mint", ingested)
        assert (silent.code, "does not answer" in silent.err) == (3, True)
        assert "test" not in here("cite", ingested).out.lower()
    finally:
        file.unlink()
        password.unlink()
