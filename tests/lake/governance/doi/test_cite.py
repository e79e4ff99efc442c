"""Citations say whose data they are, which version, and where; and what else to know."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lake.errors import BadInput
from lake.governance.doi import curating
from lake.governance.doi.citation import Citation
from lake.governance.doi.cite import Cited, cited, render
from lake.governance.doi.curating import Subject
from lake.governance.doi.office import Office
from lake.governance.doi.reconcile import sync
from lake.governance.doi.states import State
from lake.governance.policy import OWNER
from lake.lake import Lake
from tests.lake.governance.doi.conftest import SAID, Publish, hold
from tests.lake.governance.doi.test_curating import withdraw
from tests.lake.governance.doi.test_metadata import FACTS

ONE = Cited(FACTS, Citation.model_validate(SAID), "10.5072/one", ())


def test_a_text_is_as_datacite_recommends() -> None:
    assert render(ONE, "text") == (
        "Doe, Jane; The toy team (2026): Toy spectra: scan_1, level 1.5. Version 3. A data centre. "
        "https://doi.org/10.5072/one"
    )


def test_bibtex_has_an_entry_that_tex_can_read() -> None:
    made = render(ONE, "bibtex")
    assert made.startswith("@misc{https://doi.org/10.5072/one,\n")
    assert "author = {Doe, Jane and {The toy team}}" in made
    assert r"title = {{Toy spectra: scan\_1, level 1.5}}" in made
    assert made.count("{") == made.count("}")


def test_ris_begins_and_ends_as_it_must() -> None:
    lines = render(ONE, "ris").split("\n")
    assert (lines[0], lines[-1]) == ("TY  - DATA", "ER  - ")
    assert {"AU  - Doe, Jane", "AU  - The toy team", "DO  - 10.5072/one", "ET  - 3"} <= set(lines)


def test_csl_is_json_of_one_data_set() -> None:
    (item,) = json.loads(render(ONE, "csl"))
    assert (item["type"], item["DOI"], item["version"]) == ("dataset", "10.5072/one", "3")
    assert item["author"] == [{"family": "Doe", "given": "Jane"}, {"literal": "The toy team"}]
    assert item["issued"] == {"date-parts": [[2026]]}


def test_another_form_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="bibtex"):
        render(ONE, "word")


def test_without_a_doi_name_and_version_are_cited(lake: Lake, office: Office, release: Publish) -> None:
    first = release()
    one = cited(lake, office, first)
    assert (one.doi, one.url) == ("", "")
    assert render(one, "text").endswith(f"Version 1. A data centre. {one.facts.name}")
    assert one.notes[0].startswith("There is no DOI yet")


def test_a_draft_is_not_cited_for_it_does_not_resolve(lake: Lake, office: Office, release: Publish) -> None:
    first = release()
    curating.mint(lake, office, first, OWNER)
    sync(lake, office)
    one = cited(lake, office, first)
    assert one.doi == ""
    assert "its draft" in one.notes[0]


def published(lake: Lake, office: Office, subject: Subject) -> Cited:
    curating.raise_to(lake, office, subject, State.FINDABLE, OWNER)
    sync(lake, office)
    return cited(lake, office, subject)


def test_under_embargo_it_is_never_said_to_be_findable(lake: Lake, office: Office, release: Publish) -> None:
    first = release()
    hold(lake, first, datetime.now(UTC) + timedelta(days=400))
    one = published(lake, office, first)
    assert one.doi
    assert "not findable yet" in one.notes[0]
    assert one.year == (datetime.now(UTC) + timedelta(days=400)).year


def test_what_was_withdrawn_is_cited_as_such(lake: Lake, office: Office, release: Publish) -> None:
    first = release()
    published(lake, office, first)
    withdraw(lake, first, "wrong flat")
    sync(lake, office)
    one = cited(lake, office, first)
    assert "[withdrawn]" in render(one, "text")
    assert "withdrawn" in render(one, "bibtex")
    assert "wrong flat" in one.notes[0]


def test_what_can_be_found_needs_no_note(lake: Lake, office: Office, release: Publish) -> None:
    assert published(lake, office, release()).notes == ()
