"""Releases are found by what people know of them, shown with all that is known, and given out unharmed."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.errors import BadInput, Fatal, Reason
from lake.governance.policy import OPERATOR, Principal
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases import search
from lake.releases.drafts import Provenance, reserve
from lake.releases.finding import Wanted
from lake.releases.releases import extend, publish
from tests.conftest import FUZZ
from tests.lake.conftest import MakeFiles


@pytest.fixture
def filled(lake: Lake, scope: str, make_files: MakeFiles) -> str:
    """A scope with two observations at level 0, one of them at level 1 in two versions."""
    for name in ("hi1_a", "hi1xb"):
        meta = {"detector": "HI1", "name": name}
        files = make_files(f"{name}_1.fits", f"{name}_2.fits")
        publish(
            lake, reserve(lake, ProductKey(scope, name, "0"), "k"), files, Provenance(observation_meta=meta)
        )
    for version in (1, 2):
        files = make_files(f"hi1_a_1.l1.v000{version}.fits", level="1")
        publish(
            lake,
            reserve(lake, ProductKey(scope, "hi1_a", "1"), f"k{version}"),
            files,
            Provenance(recipe="hi-l1", recipe_version=3, run_id="run", context=4, refs=["references:flat"]),
        )
    return scope


def found(lake: Lake, scope: str, **query: object) -> list[str]:
    """The releases of the scope that match, by dataset."""
    own = {name: query.pop(name) for name in ("limit", "after", "principal") if name in query}
    rows = search.search(lake, Wanted(instrument=scope, **query), **own)  # type: ignore[arg-type]  # as given
    return [row["did"].partition(":")[2] for row in rows]


def test_a_listing_has_what_scripts_rely_on(lake: Lake, filled: str) -> None:
    (row,) = search.search(lake, Wanted(instrument=filled, level="1", status="ACTIVE"))
    assert {
        "product": f"{filled}:hi1_a.l1",
        "instrument": filled,
        "level": "1",
        "version": 2,
        "status": "ACTIVE",
        "date_beg": "2020-01-01T00:00:00.000Z",
        "date_end": "2020-01-01T00:01:00.000Z",
        "files": 1,
        "did": f"{filled}:hi1_a.l1.v0002",
    }.items() <= row.items()


def test_releases_are_found_by_level_status_and_pattern(lake: Lake, filled: str) -> None:
    assert found(lake, filled, level="0") == ["hi1_a.l0.v0001", "hi1xb.l0.v0001"]
    assert found(lake, filled, status="superseded") == ["hi1_a.l1.v0001"]
    assert found(lake, filled, pattern="hi1_a") == ["hi1_a.l0.v0001", "hi1_a.l1.v0001", "hi1_a.l1.v0002"]
    assert found(lake, filled, pattern="*b") == ["hi1xb.l0.v0001"]
    assert found(lake, filled, pattern=f"{filled}:hi1?b.l0") == ["hi1xb.l0.v0001"]
    assert found(lake, filled, meta={"name": "hi1xb"}) == ["hi1xb.l0.v0001"]
    assert found(lake, filled, words="hi1xb") == found(lake, filled, words="HI1x*") == ["hi1xb.l0.v0001"]
    assert found(lake, filled, words="hi1x") == []
    assert found(lake, filled, words="hi1 hi1xb") == ["hi1xb.l0.v0001"]
    assert found(lake, filled, words="hi1 hi9") == []


def test_a_value_that_differs_between_files_is_kept_and_found_as_all_it_is(
    lake: Lake, scope: str, make_files: MakeFiles
) -> None:
    product = ProductKey(scope, "scan", "0")
    for number, position in enumerate((7, 1, 4, 7)):
        meta = {"position": position, "filter": "Clear"}
        extend(lake, product, make_files(f"{number}.fits"), Provenance(observation_meta=meta))
    assert search.show(lake, product.name)["meta"] == {"position": [1, 4, 7], "filter": "Clear"}
    for wanted in (1, 4, 7, 7.0, [1, 7]):
        assert len(found(lake, scope, status="ACTIVE", meta={"position": wanted, "filter": "Clear"})) == 1
    for other in ({"position": 2}, {"position": "1"}, {"position": 1, "filter": "Blue"}, {"wave": 1}):
        assert found(lake, scope, meta=other) == []


def test_a_time_span_finds_what_overlaps_it_with_its_end_excluded(lake: Lake, filled: str) -> None:
    begin, second = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 0, 30, tzinfo=UTC)
    assert len(found(lake, filled, since=begin)) == 4
    assert found(lake, filled, since=second, level="0") == ["hi1_a.l0.v0001", "hi1xb.l0.v0001"]
    assert found(lake, filled, since=second, level="1") == []
    assert found(lake, filled, until=begin) == []


def test_drafts_are_listed_only_when_asked_for(lake: Lake, filled: str) -> None:
    reserve(lake, ProductKey(filled, "hi1_a", "1"), "k3")
    assert "hi1_a.l1.v0003" not in found(lake, filled)
    assert found(lake, filled, status="DRAFT") == []
    assert found(lake, filled, status="DRAFT", principal=OPERATOR) == ["hi1_a.l1.v0003"]


def test_an_unknown_status_is_refused_with_those_there_are(lake: Lake) -> None:
    with pytest.raises(BadInput, match="SUPERSEDED"):
        search.search(lake, Wanted(status="OLD"))


@pytest.mark.parametrize("option", ["instrument", "level", "status", "pattern", "words"])
@pytest.mark.parametrize("text", ["hi\0", "\udcff", "\x9b*"])
def test_text_that_no_name_holds_is_refused_before_the_database_sees_it(
    lake: Lake, option: str, text: str
) -> None:
    with pytest.raises(BadInput, match="cannot be printed"):
        search.search(lake, Wanted(**{option: text}))  # type: ignore[arg-type]  # one of the texts


@settings(max_examples=50 * FUZZ)
@given(st.text(st.characters(codec=None), max_size=30), st.text(st.characters(codec=None), max_size=30))
def test_any_text_finds_something_or_nothing_or_is_refused_in_words(
    lake: Lake, first: str, second: str
) -> None:
    for option in ("instrument", "level", "status", "pattern", "words"):
        options = {option: first}
        with contextlib.suppress(BadInput):
            assert isinstance(search.search(lake, Wanted(**options)), list)  # type: ignore[arg-type]
    for product in (first, f"{first}:{second}.l1", f"{second}.l1@v0001"):
        with pytest.raises(BadInput):
            search.show(lake, product)


def test_what_the_database_refuses_is_told_without_its_statement(lake: Lake) -> None:
    for query in (select(Release.id).where(Release.run_id == "\0"), select(Release.id).limit(10**30)):
        with (
            pytest.raises(Fatal, match="cannot take a value") as refusal,
            transaction(lake.sessions) as session,
        ):
            session.execute(query)
        assert "SELECT" not in str(refusal.value)


def test_a_span_that_ends_before_it_begins_is_a_mistake(lake: Lake) -> None:
    early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
    with pytest.raises(BadInput, match="ends before it begins"):
        search.search(lake, Wanted(since=late, until=early))


def test_a_product_without_version_is_its_active_release(lake: Lake, filled: str) -> None:
    assert search.show(lake, f"{filled}:hi1_a.l1")["release"]["version"] == 2
    assert search.show(lake, f"{filled}:hi1_a.l1@v0001")["release"]["status"] == "SUPERSEDED"
    assert search.show(lake, f"{filled}:hi1_a.l1.v0001")["release"]["version"] == 1


def test_a_release_is_shown_with_files_provenance_and_versions(lake: Lake, filled: str) -> None:
    shown = search.show(lake, f"{filled}:hi1_a.l1")
    assert shown["provenance"] == {
        "recipe": "hi-l1",
        "recipe_version": 3,
        "context": 4,
        "run": "run",
        "references": ["references:flat"],
        "parents": [],
    }
    assert [(row["version"], row["status"]) for row in shown["versions"]] == [
        (1, "SUPERSEDED"),
        (2, "ACTIVE"),
    ]
    (file,) = shown["files"]
    assert file["did"] == f"{filled}:hi1_a_1.l1.v0002.fits"
    assert Path(file["path"]).stat().st_size == file["size"]
    assert shown["meta"]["detector"] == "HI1"


def test_a_release_tells_what_is_odd_about_its_files_and_about_how_many(
    lake: Lake, scope: str, make_files: MakeFiles
) -> None:
    files = make_files("odd_1.fits", "odd_2.fits", "odd_3.fits")
    odd = [
        replace(file, caveats=("no checksum", *more))
        for file, more in zip(files, ((), ("dim",), ()), strict=True)
    ]
    publish(lake, reserve(lake, ProductKey(scope, "odd", "0"), "k"), odd)
    assert search.show(lake, f"{scope}:odd.l0")["caveats"] == [
        {"caveat": "no checksum", "files": 3},
        {"caveat": "dim", "files": 1},
    ]


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ("hi1_a.l3", r"of hi1_a there are: .*:hi1_a.l0@v0001"),
        ("hi1_a.l1@v0009", r"hi1_a.l1@v0002"),
        ("hi1_aa.l1", "did you mean hi1_a"),
    ],
)
def test_a_misspelt_release_is_met_with_what_there_is(
    lake: Lake, filled: str, asked: str, advice: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        search.resolve(lake, f"{filled}:{asked}")
    assert re.search(advice, refusal.value.advice)


def test_what_is_not_there_and_what_is_ambiguous_are_told_apart(
    lake: Lake, filled: str, make_files: MakeFiles
) -> None:
    with pytest.raises(BadInput) as absent:
        search.resolve(lake, f"{filled}:hi1_a.l2")
    assert absent.value.code is Reason.NOT_FOUND
    name = f"obs_{filled}"
    for number in (1, 2):
        files = make_files(f"{name}{number}.fits")
        publish(lake, reserve(lake, ProductKey(f"{filled}{number}", name, "0"), "k"), files)
    with pytest.raises(BadInput) as ambiguous:
        search.resolve(lake, f"{name}.l0")
    assert ambiguous.value.code is Reason.AMBIGUOUS
    assert search.resolve(lake, f"{filled}2:{name}.l0")[1].scope == f"{filled}2"


class TestGetting:
    """Files are given out whole, to those who may have them, and overwrite nothing."""

    def test_files_are_written_and_written_again_without_harm(
        self, lake: Lake, filled: str, tmp_path: Path
    ) -> None:
        seen: list[str] = []
        for _ in range(2):
            paths = search.get_files(
                lake, f"{filled}:hi1_a.l0", tmp_path / "out", progress=lambda f: seen.append(f.name)
            )
        assert [path.name for path in paths] == ["hi1_a_1.fits", "hi1_a_2.fits"]
        assert paths[0].read_bytes() == b"hi1_a_1.fits" * 40
        assert len(seen) == 4
        assert len(list((tmp_path / "out").iterdir())) == 2

    def test_a_file_of_the_user_is_never_overwritten(self, lake: Lake, filled: str, tmp_path: Path) -> None:
        (tmp_path / "hi1_a_1.fits").write_text("mine")
        with pytest.raises(BadInput, match="in the way"):
            search.get_files(lake, f"{filled}:hi1_a.l0", tmp_path)
        assert (tmp_path / "hi1_a_1.fits").read_text() == "mine"

    def test_bytes_under_embargo_are_for_holders_and_operators(
        self, lake: Lake, filled: str, tmp_path: Path
    ) -> None:
        product = f"{filled}:hi1_a.l1"
        release, _ = search.resolve(lake, product)
        with transaction(lake.sessions) as session:
            session.execute(
                update(Release)
                .where(Release.id == release.id)
                .values(embargo_until=datetime(2999, 1, 1, tzinfo=UTC), embargo_holders=["ada"])
            )
        with pytest.raises(BadInput, match="embargo until 2999") as refusal:
            search.get_files(lake, product, tmp_path)
        assert refusal.value.code is Reason.NOT_ALLOWED
        assert search.show(lake, product)["release"]["embargo_until"] == "2999-01-01T00:00:00.000Z"
        assert search.get_files(lake, product, tmp_path, Principal("ada"))
        assert search.get_files(lake, product, tmp_path, OPERATOR)

    def test_a_withdrawn_release_is_shown_and_not_given_out(
        self, lake: Lake, filled: str, tmp_path: Path
    ) -> None:
        product = f"{filled}:hi1_a.l1@v0001"
        release, _ = search.resolve(lake, product)
        with transaction(lake.sessions) as session:
            session.execute(update(Release).where(Release.id == release.id).values(status="WITHDRAWN"))
        with pytest.raises(BadInput, match="withdrawn"):
            search.get_files(lake, product, tmp_path)
        assert search.show(lake, product)["release"]["status"] == "WITHDRAWN"
