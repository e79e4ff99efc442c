"""An earlier release becomes the ACTIVE one again: whole or not at all, and only where it says the same."""

from __future__ import annotations

import pytest

from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.fsck.compare import fsck
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases import activation, publishing, search
from lake.releases.activation import active_units, former_release, history, reactivate
from lake.releases.drafts import Provenance, reserve
from lake.releases.finding import Wanted
from lake.releases.releases import find_by_key, publish
from tests.lake.conftest import MakeFiles


@pytest.fixture
def product(scope: str) -> ProductKey:
    """A product no other test uses."""
    return ProductKey(scope, "obs", "1")


@pytest.fixture
def tried(lake: Lake, product: ProductKey, make_files: MakeFiles) -> list[FileEntry]:
    """The one file of each of two releases: v1, superseded by v2 with other settings."""
    files = make_files("a.l1.v0001.fits", "a.l1.v0002.fits", level="1", unit=True)
    for number, file in enumerate(files, start=1):
        publish(lake, reserve(lake, product, f"k{number}"), [file], Provenance(run_id=f"run{number}"))
    return files


def statuses(lake: Lake, product: ProductKey) -> dict[int, str]:
    """Status of each version."""
    found = search.search(lake, Wanted(instrument=product.scope))
    return {row["version"]: row["status"] for row in found if row["product"] == product.name}


def test_the_earlier_release_is_active_again_and_none_is_made(
    lake: Lake, product: ProductKey, tried: list[FileEntry]
) -> None:
    again = reactivate(lake, product, {tried[0].did}, (), "run3")
    assert again is not None
    assert (again["version"], again["status"]) == (1, "ACTIVE")
    assert statuses(lake, product) == {1: "ACTIVE", 2: "SUPERSEDED"}
    assert [(one["version"], one["run"]) for one in history(lake, product)] == [
        (1, "run1"),
        (2, "run2"),
        (1, "run3"),
    ]
    found = find_by_key(lake, product, "run3")
    assert found is not None
    assert found["version"] == 1
    assert fsck(lake, scopes=[product.scope])["differences"] == []


def test_the_next_release_counts_on_behind_a_reactivated_one(
    lake: Lake, product: ProductKey, tried: list[FileEntry], make_files: MakeFiles
) -> None:
    reactivate(lake, product, {tried[0].did}, (), "run3")
    publish(lake, reserve(lake, product, "k4"), make_files("a.l1.v0003.fits", level="1"))
    assert statuses(lake, product) == {1: "SUPERSEDED", 2: "SUPERSEDED", 3: "ACTIVE"}


def test_a_fault_in_the_middle_changes_nothing(
    lake: Lake, product: ProductKey, tried: list[FileEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = publishing.make_active

    def breaks(*arguments: object) -> None:
        keep(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as fault:
        fault.setattr(activation, "make_active", breaks)
        with pytest.raises(KeyboardInterrupt):
            reactivate(lake, product, {tried[0].did}, (), "run3")
    assert statuses(lake, product) == {1: "SUPERSEDED", 2: "ACTIVE"}
    assert len(history(lake, product)) == 2
    assert reactivate(lake, product, {tried[0].did}, (), "run3") is not None


def test_other_files_or_other_caveats_are_another_release(
    lake: Lake, product: ProductKey, tried: list[FileEntry]
) -> None:
    assert reactivate(lake, product, {one.did for one in tried}, (), "run3") is None
    assert reactivate(lake, product, {tried[0].did}, ("1 input files were put aside",), "run3") is None
    assert statuses(lake, product) == {1: "SUPERSEDED", 2: "ACTIVE"}


def test_what_was_withdrawn_stays_so(lake: Lake, product: ProductKey, tried: list[FileEntry]) -> None:
    with transaction(lake.sessions) as session:
        row = session.query(Release).filter_by(scope=product.scope, version=1).one()
        row.status = "WITHDRAWN"
    assert reactivate(lake, product, {tried[0].did}, (), "run3") is None
    assert former_release(lake, product, {str(tried[0].unit_id)}) is None


def test_products_are_asked_for_their_active_units_and_former_releases(
    lake: Lake, product: ProductKey, tried: list[FileEntry]
) -> None:
    units = [str(file.unit_id) for file in tried]
    found = active_units(lake, [product.name, "nobody:obs.l1"])
    assert list(found) == [product.name]
    assert found[product.name].version == 2
    assert found[product.name].units == {units[1]}
    assert former_release(lake, product, {units[0]}) == 1
    assert former_release(lake, product, set(units)) is None
