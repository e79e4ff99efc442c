"""A file by its own name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lake.errors import BadInput, Reason
from lake.governance import embargo
from lake.governance.policy import OWNER, PUBLIC
from lake.governance.target import Target
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.documents import file as about
from lake.releases.drafts import reserve
from lake.releases.holding import before, get_file, holder, is_file
from lake.releases.releases import publish
from tests.lake.conftest import MakeFiles


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("references:psf_sdi_20230415.v0001.fits", True),
        ("stereo_hi:a.l1.v0001.fits", True),
        ("stereo_hi:a.l1@v0001", False),
        ("stereo_hi:a.l1.v0001", False),
        ("a.l1", False),
        ("a.fits", False),
        ("stereo_hi:../a.fits", False),
        ("a:b:c.fits", False),
        ("", False),
    ],
)
def test_a_name_is_that_of_a_file_where_it_can_be_no_products(text: str, file: bool) -> None:
    assert is_file(text) is file


def test_the_newest_release_that_somebody_may_have_gives_a_file_out(
    lake: Lake, scope: str, make_files: MakeFiles, tmp_path: Path
) -> None:
    key = ProductKey(scope, "obs", "0")
    first, second = make_files("a.fits", "b.fits")
    publish(lake, reserve(lake, key, "one"), [first])
    publish(lake, reserve(lake, key, "two"), [first, second])
    held = holder(lake, first.did)
    assert (held.name, held.file.name, before(lake, held)) == (f"{key.name}@v0002", first.name, "")
    assert before(lake, holder(lake, second.did)) == first.name
    written = get_file(lake, f" {first.did} ", tmp_path / "out")
    assert written.name == first.name
    assert written.stat().st_size == first.size
    assert about(lake, held.name, first.name)["reference"] is None


def test_a_file_under_embargo_is_refused_with_the_date(
    lake: Lake, scope: str, make_files: MakeFiles, tmp_path: Path
) -> None:
    key = ProductKey(scope, "held", "0")
    (file,) = make_files("h.fits")
    publish(lake, reserve(lake, key, "one"), [file])
    until = datetime(2999, 1, 1, tzinfo=UTC)
    embargo.put(lake, Target.of_text(f"{scope}:held"), until, reason="a test", principal=OWNER)
    with pytest.raises(BadInput, match="under embargo until 2999") as refused:
        get_file(lake, file.did, tmp_path / "out", PUBLIC)
    assert refused.value.code is Reason.NOT_ALLOWED
    assert not (tmp_path / "out").exists()
    assert "sha256" not in about(lake, f"{key.name}@v0001", file.name, PUBLIC)["file"]
    assert get_file(lake, file.did, tmp_path / "own", OWNER).is_file()


def test_a_file_that_no_release_holds_is_not_found(lake: Lake, scope: str) -> None:
    with pytest.raises(BadInput, match="no release holds") as missing:
        holder(lake, f"{scope}:nothing.fits")
    assert missing.value.code is Reason.NOT_FOUND
