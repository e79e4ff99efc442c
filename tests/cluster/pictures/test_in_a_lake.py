"""Pictures in the life of a release: made by its run, remade when lost, gone when it is not ACTIVE."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from cluster.connect import connected
from cluster.home.home import Home
from cluster.intake.ingest import ingest
from cluster.pictures.films import _of_one_kind, script_of
from cluster.pictures.remake import Remade, draw_later, remake
from cluster.plan.plan import Query, make_plan
from cluster.run.process import process
from cluster.scheduler import Scheduler
from lake.fsck.compare import fsck
from lake.governance.policy import OWNER
from lake.lake import Lake
from lake.releases import search
from lake.releases.finding import Wanted
from lake.releases.withdrawal import withdraw
from lake.storage import previews
from lake.storage.previews import preview_key
from pipeline.recipe import recipes
from tests.cluster.frames import aia_series, at
from tests.stored import path_of

SCOPE, OBSERVATION = "sdo_aia", "aia304_20160301"
PRODUCT = f"{SCOPE}:{OBSERVATION}.l15"
FRAMES = 3


@pytest.fixture(scope="module")
def lake(home: Home) -> Lake:
    return Lake.open(home.lake_config())


@pytest.fixture(scope="module")
def made(home: Home, lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A release of some frames, as its run left it; the names of its files."""
    files = aia_series(tmp_path_factory.mktemp("raw"), at(2016, 3, 1), FRAMES, wavelength=304)
    ingest(lake, files)
    assert processed(home, lake).counts()["done"] == FRAMES
    return names(lake)


def processed(home: Home, lake: Lake, **settings: object) -> Any:
    recipe = recipes()["aia-l15"].with_settings(settings)
    return process(lake, home.scheduler(), make_plan(lake, recipe, Query(observation=OBSERVATION)))


def names(lake: Lake) -> list[str]:
    return [file["name"] for file in search.show(lake, PRODUCT)["files"]]


def listed(lake: Lake, level: str = "1.5") -> list[dict[str, Any]]:
    return search.search(lake, Wanted(SCOPE, level, status="ACTIVE", pattern=OBSERVATION))


def again(home: Home, lake: Lake, level: str = "1.5", **options: Any) -> Remade:
    with connected(home.scheduler()) as client:
        return remake(lake, listed(lake, level), client, **options)


def scene(lake: Lake, name: str) -> dict[str, Any]:
    return previews.scene(lake.store, preview_key(SCOPE, name)) or {}


def differences(lake: Lake, *, deep: bool = False) -> list[dict[str, Any]]:
    found = fsck(lake, scopes=[SCOPE], deep=deep, grace_seconds=0)["differences"]
    return [
        one
        for one in found
        if "preview" in one["kind"] and (OBSERVATION in one["did"] or "304" in one["did"])
    ]


def test_a_run_leaves_pictures_beside_its_products(lake: Lake, made: list[str]) -> None:
    for file in search.show(lake, PRODUCT, OWNER)["files"]:
        told = scene(lake, file["name"])
        assert told["made_of"] == file["sha256"]
        assert told["sky"]["projection"] == "TAN"
        key = preview_key(SCOPE, file["name"])
        for name in ("small.png", "medium.png", "large.webp", "quality.png"):
            picture = np.asarray(
                Image.open(io.BytesIO(previews.piece(lake.store, key, name) or b"")).convert("RGB")
            )
            assert name == "quality.png" or np.ptp(picture) > 100
    assert differences(lake, deep=True) == []


def test_a_film_follows_when_the_workers_have_time(home: Home, lake: Lake, made: list[str]) -> None:
    key = preview_key(SCOPE, f"{OBSERVATION}.l15.v0001")
    with connected(home.scheduler()):
        for _ in range(600):
            film = previews.piece(lake.store, key, "movie.webp")
            if film is not None:
                break
            time.sleep(0.2)
    assert film is not None
    with Image.open(io.BytesIO(film)) as shown:
        assert len(ImageSequence.all_frames(shown)) == FRAMES


def test_what_is_there_stays_and_what_is_lost_or_damaged_is_made_again(
    home: Home, lake: Lake, made: list[str]
) -> None:
    assert again(home, lake).counts == {"whole": FRAMES}
    keys = [preview_key(SCOPE, name) for name in made]
    before = [lake.store.read(key) for key in keys]
    previews.drop(lake.store, keys[0])
    previews.drop(lake.store, keys[1])
    lake.store.put(keys[1], before[1][:-99])
    assert [one["kind"] for one in differences(lake, deep=True)] == ["damaged-preview"]
    assert again(home, lake).counts == {"made": 2, "whole": FRAMES - 2}
    assert differences(lake, deep=True) == []
    # What is drawn from the stored file looks as what the run drew of its pixels.
    assert [previews.piece(lake.store, key, "medium.png") for key in keys]
    assert scene(lake, made[0])["edges"] == pytest.approx(_edges(before[0]))


def _edges(packed: bytes) -> list[float]:
    import json
    import zipfile

    edges: list[float] = json.loads(zipfile.ZipFile(io.BytesIO(packed)).read("scene.json"))["edges"]
    return edges


def test_raw_data_get_theirs_by_the_command_and_without_a_cluster_too(
    home: Home, lake: Lake, made: list[str]
) -> None:
    assert remake(lake, listed(lake, "1"), None).counts == {"made": FRAMES}
    found = again(home, lake, "1", movies=True)
    assert (found.counts, found.films) == ({"whole": FRAMES}, {"made": 1})
    assert again(home, lake, "1", movies=True).films == {"whole": 1}


def test_raw_data_get_theirs_when_workers_have_time_and_nobody_waits(
    home: Home, lake: Lake, tmp_path: Path
) -> None:
    report = ingest(lake, aia_series(tmp_path, at(2016, 4, 1), 2, wavelength=304))
    dids = [item.did for item in report.items]
    assert draw_later(home.scheduler(), lake, [*dids, f"{SCOPE}:not_here.fits"]) == 3
    begun = time.monotonic()
    while not all(scene(lake, did.partition(":")[2]) for did in dids):
        assert time.monotonic() - begun < 120
        time.sleep(0.2)
    assert draw_later(Scheduler("nonsense://nowhere"), lake, dids) == 0


def test_what_cannot_be_drawn_is_named_and_holds_up_no_other(home: Home, lake: Lake, made: list[str]) -> None:
    path = path_of(lake, SCOPE, made[2])
    data = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(data[:3000])
    try:
        found = again(home, lake, anew=True)
    finally:
        path.write_bytes(data)
    assert found.counts == {"made": FRAMES - 1, "failed": 1}
    (trouble,) = found.troubles
    assert trouble.name == made[2]
    assert trouble.reason


def test_an_older_version_loses_its_pictures_and_what_is_withdrawn_too(
    home: Home, lake: Lake, made: list[str], tmp_path: Path
) -> None:
    film = preview_key(SCOPE, f"{OBSERVATION}.l15.v0001")
    again(home, lake, movies=True)
    assert previews.scene(lake.store, film) is not None
    processed(home, lake, **{"register.scale_arcsec": 0.7})
    newer = names(lake)
    assert set(newer).isdisjoint(made)
    assert [bool(scene(lake, name)) for name in (*made, *newer)] == [False] * FRAMES + [True] * FRAMES
    assert previews.scene(lake.store, film) is None
    assert processed(home, lake).more["releases"][0]["again"]  # the settings of before: version 1 comes back
    for _ in range(600):
        if all(scene(lake, name) for name in made):
            break
        time.sleep(0.2)
    assert not any(scene(lake, name) for name in newer)
    processed(home, lake, **{"register.scale_arcsec": 0.7})
    for _ in range(600):
        if all(scene(lake, name) for name in newer):
            break
        time.sleep(0.2)
    assert not any(scene(lake, name) for name in made)
    previews.drop(lake.store, film)
    previews.keep(lake.store, film, {"movie.webp": b"x"}, {})
    (stale,) = [one for one in differences(lake) if OBSERVATION in one["did"]]
    assert (stale["kind"], stale["repairable"], stale["did"]) == ("stale-preview", True, film)
    previews.drop(lake.store, film)
    withdraw(lake, f"{PRODUCT}@v0002", reason="a test", principal=OWNER)
    assert not any(scene(lake, name) for name in newer)
    assert script_of(lake, search.resolve(lake, f"{PRODUCT}@v0002")[0].id, "x") is None
    told = remake(lake, search.search(lake, Wanted(SCOPE, "1.5", pattern=OBSERVATION)), None)
    assert {one.reason for one in told.troubles} == {
        "it is SUPERSEDED, and only what is ACTIVE has pictures",
        "it is WITHDRAWN, and only what is ACTIVE has pictures",
    }


def test_a_film_is_of_one_kind_of_images_and_says_which_where_a_release_has_several() -> None:
    rows = [
        ("lst", f"{n}.fits", "0", at(2023, 4, 15, n), "sdi" if n % 2 else "sciuv", "hdr") for n in range(5)
    ]
    kept, kind = _of_one_kind(rows)
    assert [row[4] for row in kept] == ["sciuv"] * 3
    assert kind == "  sciuv"
    assert _of_one_kind(kept) == (kept, "")
    assert _of_one_kind([]) == ([], "")
