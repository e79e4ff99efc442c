"""What is said of data is said as DataCite's schema knows it, and nothing is invented."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import BadInput, Fatal
from lake.governance.doi import metadata
from lake.governance.doi.citation import Citation, Creator, with_test_values
from lake.governance.doi.facts import Facts
from lake.governance.doi.metadata import Tombstone, attributes
from lake.governance.doi.outbox import doi_of
from lake.governance.doi.registry import Citations, Registry, read, registry_of
from lake.names import ProductKey
from tests.lake.governance.doi.conftest import SAID

NOW = datetime(2026, 5, 1, tzinfo=UTC)
BEGIN = datetime(2020, 1, 1, 12, tzinfo=UTC)
LANDING = "https://example.org/doi/{doi}"
FACTS = Facts(
    product=ProductKey("toy", "scan_1", "1.5"),
    version=3,
    date_beg=BEGIN,
    date_end=BEGIN + timedelta(hours=1),
    files=12,
    bytes=3456,
    published=datetime(2026, 3, 1, tzinfo=UTC),
    free_at=None,
    withdrawn=False,
    recipe="toy-l15 version 2",
    relations=(("IsVersionOf", "10.5072/whole"),),
)


def made(facts: Facts = FACTS, said: dict[str, Any] = SAID, **more: Any) -> dict[str, Any]:
    return attributes("10.5072/one", facts, Citation.model_validate(said), LANDING, NOW, **more)


def dates(said: dict[str, Any]) -> dict[str, str]:
    return {one["dateType"]: one["date"] for one in said["dates"]}


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1)
MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    st.builds(
        replace,
        st.just(FACTS),
        version=st.none() | st.integers(1, 10**6),
        date_beg=st.none() | MOMENTS,
        published=MOMENTS,
        free_at=st.none() | MOMENTS,
        withdrawn=st.booleans(),
    ),
    TEXTS,
    st.none() | st.builds(Tombstone, TEXTS, MOMENTS),
)
def test_whatever_the_facts_the_schema_takes_them(facts: Facts, text: str, why: Tombstone | None) -> None:
    said = SAID | {"title": text, "creators": [{"family": text}], "publisher": {"name": text}}
    metadata.validate(made(facts, said, tombstone=why))


def test_people_have_names_orcid_and_affiliation() -> None:
    person, team = made()["creators"]
    assert (person["name"], person["nameType"]) == ("Doe, Jane", "Personal")
    assert person["nameIdentifiers"][0]["nameIdentifier"] == "https://orcid.org/0000-0002-1825-0097"
    assert person["affiliation"][0]["affiliationIdentifierScheme"] == "ROR"
    assert team == {"name": "The toy team", "nameType": "Organizational"}


def test_it_says_what_the_data_are_and_how_much() -> None:
    said = made()
    assert said["titles"][0]["title"] == "Toy spectra: scan_1, level 1.5"
    assert (said["version"], said["sizes"]) == ("3", ["12 files", "3456 bytes"])
    assert (said["formats"], said["url"]) == (["application/fits"], "https://example.org/doi/10.5072/one")
    assert dates(said)["Collected"] == "2020-01-01T12:00:00Z/2020-01-01T13:00:00Z"
    assert said["alternateIdentifiers"][0]["alternateIdentifier"] == "toy:scan_1.l15@v0003"
    assert said["fundingReferences"] == [
        {"funderName": "A funder", "awardNumber": "12", "awardUri": "https://example.org/12"}
    ]


def test_the_instrument_is_named_and_related() -> None:
    said = made()
    assert said["relatedItems"][0]["relatedItemType"] == "Instrument"
    related = {one["relationType"]: one for one in said["relatedIdentifiers"]}
    assert related["IsCollectedBy"]["resourceTypeGeneral"] == "Instrument"
    assert related["IsVersionOf"]["relatedIdentifier"] == "10.5072/whole"


def test_data_under_embargo_are_of_the_year_in_which_it_ends() -> None:
    said = made(replace(FACTS, free_at=datetime(2027, 2, 3, tzinfo=UTC)))
    assert (said["publicationYear"], dates(said)["Available"]) == ("2027", "2027-02-03T00:00:00Z")
    assert [one["rights"] for one in said["rightsList"]] == [
        "CC BY 4.0",
        "Embargoed until 2027-02-03; metadata are open",
    ]


def test_an_embargo_that_ended_before_is_none() -> None:
    said = made(replace(FACTS, free_at=datetime(2026, 4, 1, tzinfo=UTC)))
    assert [one["rights"] for one in said["rightsList"]][1:] == ["Open access"]
    assert dates(said)["Available"] == "2026-04-01T00:00:00Z"


def test_what_was_withdrawn_says_so_with_reason_and_date() -> None:
    said = made(replace(FACTS, withdrawn=True), tombstone=Tombstone("wrong flat", NOW))
    assert said["descriptions"][0]["description"] == "WITHDRAWN: wrong flat"
    assert dates(said)["Withdrawn"] == "2026-05-01T00:00:00Z"
    assert said["rightsList"][-1]["rights"] == "Withdrawn: not given out"


def test_the_same_metadata_have_the_same_digest_and_others_another() -> None:
    assert metadata.digest(made()) == metadata.digest(made())
    assert metadata.digest(made()) != metadata.digest(made(replace(FACTS, files=13)))


def test_what_was_never_published_has_nothing_to_cite() -> None:
    with pytest.raises(Fatal, match="never published"):
        made(replace(FACTS, published=None))


@pytest.mark.parametrize(
    ("wrong", "keyword"),
    [
        ({"creators": []}, "citation.toy.creators"),
        ({"creators": [{"family": "Doe", "name": "A team"}]}, "citation.toy.creators.0"),
        ({"creators": [{"given": "Jane"}]}, "citation.toy.creators.0"),
        ({"creators": [{"family": "Doe", "orcid": "0000-0002-1825-0098"}]}, "citation.toy.creators.0.orcid"),
        ({"creators": [{"family": "Doe", "orcid": "0000"}]}, "citation.toy.creators.0.orcid"),
        ({"publisher": {}}, "citation.toy.publisher.name"),
        ({"publisher": {"name": " "}}, "citation.toy.publisher.name"),
        ({"licence": {"name": "CC0", "uri": "anything"}}, "citation.toy.licence.uri"),
        ({"licens": {}}, "citation.toy.licens"),
        ({"instrument": {"name": "x", "doi": "no doi"}}, "citation.toy.instrument.doi"),
    ],
)
def test_what_cannot_be_is_named(wrong: dict[str, Any], keyword: str) -> None:
    with pytest.raises(BadInput) as refusal:
        Citations({"toy": SAID | wrong}, Path("governance.yaml")).of("toy")
    assert (refusal.value.keyword, refusal.value.file) == (keyword, "governance.yaml")


@pytest.mark.parametrize("orcid", ["0000-0002-1825-0097", "0000-0002-9079-593X"])
def test_an_orcid_has_its_check_digit(orcid: str) -> None:
    assert Creator(family="Doe", orcid=orcid).orcid == orcid


def test_a_section_of_an_instrument_comes_before_its_description_and_that_before_what_is_for_all() -> None:
    citations = Citations(
        {"*": SAID | {"title": "all", "language": "de"}, "toy": {"title": "mine"}},
        Path("governance.yaml"),
        lambda _instrument: {"title": "described", "subjects": ["corona"]},
    )
    toy, other = citations.of("toy"), citations.of("other")
    assert (toy.title, toy.subjects, toy.language) == ("mine", ("corona",), "de")
    assert other.title == "described"


def test_test_values_stand_in_where_somebody_practises_and_are_marked() -> None:
    practised = Citations({}, Path("governance.yaml"), practice=True).of("toy")
    assert practised.of_tests
    assert "TEST VALUE" in practised.creators[0].whole_name
    assert not Citation.model_validate(with_test_values(SAID)).of_tests


def test_a_doi_is_opaque_and_stable_and_no_two_are_alike() -> None:
    registry = Registry("", "", "", "10.5072", LANDING, "home 1")
    names = [f"toy:scan_{number}.l1@v0001" for number in range(2000)]
    dois = [doi_of(registry, name) for name in names]
    assert dois == [doi_of(registry, name) for name in names]
    assert len(set(dois)) == len(dois)
    assert not set(dois) & {doi_of(replace(registry, namespace="home 2"), name) for name in names}
    assert doi_of(registry, "toy:scan_1.l1@v0001") == "10.5072/3qtn-n25f-1pfg"


SETTINGS = {
    "url": "https://api.test.datacite.org",
    "repository": "ABC.DEF",
    "password_file": "secret",
    "prefix": "10.12345",
    "landing": LANDING,
}


def test_a_registry_is_read_with_the_password_its_owner_alone_may_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    (tmp_path / "secret").chmod(0o600)
    found = registry_of(SETTINGS, tmp_path / "governance.yaml", "home")
    assert (found.password, found.prefix, found.namespace) == ("hush", "10.12345", "home")
    assert "hush" not in repr(found)
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(Fatal, match="chmod 600"):
        registry_of(SETTINGS, tmp_path / "governance.yaml", "home")


@pytest.mark.parametrize(
    ("key", "value"),
    [("prefix", "10.1"), ("landing", "https://example.org"), ("url", "ftp://x"), ("other", "x")],
)
def test_settings_that_cannot_be_are_named(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(Fatal, match=rf"doi\.{key}"):
        registry_of(SETTINGS | {key: value}, tmp_path / "governance.yaml", "home")


@pytest.mark.parametrize("text", ["- a", "citation: [a]", "citation: {toy: a}", "a: {", "just words"])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "governance.yaml").write_text(text)
    with pytest.raises(Fatal, match=r"governance\.yaml"):
        read(tmp_path / "governance.yaml")
