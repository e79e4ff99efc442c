"""A withdrawn release keeps its record and its reason, and is given out no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.governance import audit
from lake.governance.policy import OPERATOR, OWNER, PUBLIC, Principal
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases import search
from lake.releases.activation import reactivate
from lake.releases.drafts import Provenance
from lake.releases.releases import extend
from lake.releases.withdrawal import withdraw, withdrawn_files

MakeFiles = Callable[..., list[FileEntry]]


def published(lake: Lake, key: ProductKey, files: list[FileEntry], *parents: str) -> str:
    made = extend(lake, key, files, Provenance(parents=parents))
    assert made is not None
    return f"{made['product']}@v{made['version']:04d}"


def test_a_withdrawn_release_is_shown_with_the_reason_and_given_to_nobody(
    lake: Lake, scope: str, make_files: MakeFiles, tmp_path: Path
) -> None:
    name = published(lake, ProductKey(scope, "one", "0"), make_files("a.fits"))
    done = withdraw(lake, name, reason="wrong flat field", principal=OWNER)
    assert (done.release, done.was, done.derived) == (name, "ACTIVE", ())
    told = search.show(lake, name, OWNER)
    assert told["release"]["status"] == "WITHDRAWN"
    assert told["withdrawn"]["reason"] == "wrong flat field"
    assert "path" not in told["files"][0]
    for principal in (PUBLIC, OWNER, OPERATOR):
        with pytest.raises(BadInput, match="was withdrawn and is not given out") as refused:
            search.get_files(lake, name, tmp_path, principal)
        assert refused.value.code is Reason.NOT_ALLOWED
    assert not list(tmp_path.iterdir())


def test_what_was_made_of_it_is_named_and_stays(lake: Lake, scope: str, make_files: MakeFiles) -> None:
    raw = published(lake, ProductKey(scope, "one", "0"), make_files("a.fits"))
    made = published(lake, ProductKey(scope, "one", "1"), make_files("b.fits", level="1"), raw)
    movie = published(lake, ProductKey(scope, "film", "2"), make_files("c.fits", level="2"), made)
    assert withdraw(lake, raw, reason="twin", principal=OWNER).derived == (movie, made)
    assert search.show(lake, movie)["release"]["status"] == "ACTIVE"


def test_there_is_no_way_back(lake: Lake, scope: str, make_files: MakeFiles) -> None:
    key = ProductKey(scope, "one", "0")
    files = make_files("a.fits")
    name = published(lake, key, files)
    withdraw(lake, name, reason="wrong", principal=OWNER)
    with pytest.raises(BadInput, match="cannot be withdrawn"):
        withdraw(lake, name, reason="again", principal=OWNER)
    assert reactivate(lake, key, [files[0].did], [], "run") is None
    assert withdrawn_files(lake, [files[0].did]) == {files[0].did: "wrong"}


def test_files_that_another_release_holds_are_not_lost_to_it(
    lake: Lake, scope: str, make_files: MakeFiles
) -> None:
    key = ProductKey(scope, "one", "0")
    files = make_files("a.fits", "b.fits")
    first = published(lake, key, files[:1])
    published(lake, key, files[1:])
    withdraw(lake, first, reason="incomplete", principal=OWNER)
    assert withdrawn_files(lake, [one.did for one in files]) == {}
    assert len(search.granted_files(lake, key.name)) == 2


@pytest.mark.parametrize(
    ("name", "reason", "said"),
    [("one.l0", "wrong", "about one version"), ("one.l0@v0001", " ", "needs a reason")],
)
def test_a_withdrawal_names_a_version_and_a_reason(
    lake: Lake, scope: str, name: str, reason: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        withdraw(lake, f"{scope}:{name}", reason=reason, principal=OWNER)


def test_only_a_curator_of_the_instrument_withdraws(lake: Lake, scope: str, make_files: MakeFiles) -> None:
    name = published(lake, ProductKey(scope, "one", "0"), make_files("a.fits"))
    for stranger in (PUBLIC, OPERATOR, Principal("cy", curates=frozenset({"other"}))):
        with pytest.raises(BadInput, match="does not decide"):
            withdraw(lake, name, reason="wrong", principal=stranger)
    withdraw(lake, name, reason="wrong", principal=Principal("cy", curates=frozenset({scope})))
    (last,) = audit.entries(lake, what="withdraw", subject=name)
    assert (last.who, last.detail["reason"]) == ("cy", "wrong")
