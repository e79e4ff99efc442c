"""Releases are found by what they show, and counted by it; old ones once somebody has looked."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import select, text, update

from lake.catalogue.models import File, Release
from lake.catalogue.session import transaction
from lake.errors import BadInput
from lake.governance.policy import PUBLIC
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import reserve
from lake.releases.facets import facets
from lake.releases.facts import Shows
from lake.releases.finding import Wanted
from lake.releases.indexing import index
from lake.releases.releases import publish
from lake.releases.search import search
from lake.storage.store import key_of
from tests.lake.conftest import MakeFiles

SPOT = {
    "wave_min": 630.1, "wave_max": 630.3, "x_min": 100.0, "x_max": 200.0, "y_min": -50.0, "y_max": 50.0,
    "mu_min": 0.8, "mu_max": 0.8, "exposure_min": 2.0, "exposure_max": 2.0,
    "targets": ["sunspot"], "campaigns": ["hop 12"],
    "kinds": ["scan"], "polarimetric": True, "spectroscopic": True,
}  # fmt: skip
DISK = {
    "wave_min": 17.1,
    "wave_max": 17.1,
    "targets": ["full disk"],
    "polarimetric": False,
    "spectroscopic": False,
}


@pytest.fixture
def observed(lake: Lake, scope: str, make_files: MakeFiles) -> str:
    """Two observations, a map of a spot in two files and an image of the disk."""
    first, second, third = make_files("a.fits", "b.fits", "c.fits")
    later = SPOT | {"wave_max": 630.5, "targets": ["pore"]}
    spot = [replace(first, facts=SPOT), replace(second, facts=later)]
    publish(lake, reserve(lake, ProductKey(scope, "spot", "0"), "k"), spot)
    publish(lake, reserve(lake, ProductKey(scope, "disk", "0"), "k"), [replace(third, facts=DISK)])
    return scope


def found(lake: Lake, scope: str, **shows: Any) -> set[str]:
    return {one["observation"] for one in search(lake, Wanted(scope, shows=Shows(**shows)))}


QUESTIONS: list[tuple[dict[str, Any], set[str]]] = [
    ({"wave_min": 630.4, "wave_max": 700.0}, {"spot"}),
    ({"wave_min": 630.6}, set()),
    ({"wave_max": 17.1}, {"disk"}),
    ({"wave_min": 17.1, "wave_max": 630.1}, {"spot", "disk"}),
    ({"x": 150.0, "y": 0.0}, {"spot"}),
    ({"x": 203.0, "y": 54.0, "radius": 5.0}, {"spot"}),
    ({"x": 203.0, "y": 54.0, "radius": 4.9}, set()),
    ({"mu_min": 0.7, "mu_max": 0.9}, {"spot"}),
    ({"exposure_max": 1.0}, set()),
    ({"target": "Pore"}, {"spot"}),
    ({"target": "sunspot", "campaign": "HOP  12", "kind": "scan"}, {"spot"}),
    ({"target": "po"}, set()),
    ({"polarimetric": True}, {"spot"}),
    ({"spectroscopic": False}, {"disk"}),
    ({"embargoed": False}, {"spot", "disk"}),
    ({"embargoed": True}, set()),
]


def test_releases_are_found_by_what_they_show(lake: Lake, observed: str) -> None:
    for shows, names in QUESTIONS:
        assert found(lake, observed, **shows) == names, shows


def test_a_release_tells_what_its_files_show(lake: Lake, observed: str) -> None:
    told = {one["observation"]: one["shows"] for one in search(lake, Wanted(observed))}
    assert told["spot"]["wave"] == [630.1, 630.5]
    assert told["spot"]["targets"] == ["pore", "sunspot"]
    assert told["disk"] == {
        "wave": [17.1, 17.1], "targets": ["full disk"], "polarimetric": False, "spectroscopic": False
    }  # fmt: skip


def test_facets_count_what_matches(lake: Lake, observed: str) -> None:
    told = facets(lake, Wanted(observed), PUBLIC)
    assert (told["count"], told["more"]) == (2, False)
    assert told["facets"]["level"] == [{"value": "0", "count": 2}]
    assert told["facets"]["year"] == [{"value": 2020, "count": 2}]
    assert {one["value"] for one in told["facets"]["target"]} == {"full disk", "pore", "sunspot"}
    one = facets(lake, Wanted(observed, shows=Shows(target="pore")), PUBLIC)
    assert one["facets"]["polarimetric"] == [{"value": True, "count": 1}]


def test_what_was_there_before_is_found_once_its_headers_were_read(
    lake: Lake, scope: str, make_files: MakeFiles
) -> None:
    image = fits.PrimaryHDU(np.zeros((4, 5), np.int16))
    image.header["WAVELNTH"], image.header["WAVEUNIT"] = 171, "angstrom"
    buffer = io.BytesIO()
    image.writeto(buffer)
    (file,) = make_files("a.fits")
    lake.store.remove(key_of(scope, "a.fits"))
    stored = lake.store.put(key_of(scope, "a.fits"), buffer.getvalue())
    size, adler32, sha256 = stored.checksums
    old = replace(file, size=size, adler32=adler32, sha256=sha256, shape=(4, 5))
    (broken,) = make_files("b.fits")
    publish(lake, reserve(lake, ProductKey(scope, "obs", "0"), "k"), [old, broken])
    assert not found(lake, scope, wave_max=20.0)
    with transaction(lake.sessions) as session:  # of other tests' files nobody asks here
        session.execute(update(File).where(File.scope != scope, File.facts.is_(None)).values(facts={}))
    done = index(lake)
    assert (done.files, list(done.unread)) == (2, [f"{scope}:b.fits"])
    assert found(lake, scope, wave_max=20.0) == {"obs"}
    assert index(lake).files == 1  # tried again


@pytest.mark.parametrize(
    "odd", [{"wave_min": 2.0, "wave_max": 1.0}, {"x": 1.0}, {"radius": 1.0}, {"mu_min": float("nan")}]
)
def test_what_cannot_be_shown_is_refused(odd: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        Shows(**odd)  # type: ignore[arg-type]


def test_the_database_finds_the_indexes(lake: Lake) -> None:
    for shows, name in (
        (Shows(wave_min=1.0), "ix_release_wave"),
        (Shows(x=1.0, y=1.0), "ix_release_place"),
        (Shows(mu_max=1.0), "ix_release_mu"),
        (Shows(exposure_max=1.0), "ix_release_exposure"),
        (Shows(target="x"), "ix_release_found"),
    ):
        query = select(Release.id).where(*shows.indexed())
        told = str(query.compile(lake.engine, compile_kwargs={"literal_binds": True}))
        with transaction(lake.sessions) as session:
            session.execute(text("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off"))
            plan = "\n".join(session.scalars(text(f"EXPLAIN {told}")))
        assert name in plan
