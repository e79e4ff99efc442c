"""Pictures, tiles and values are given to those who may have what they show, and show what is in the file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import update

from lake.archive.application import archive
from lake.archive.gate import Gate
from lake.catalogue.models import Release
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.governance import audit
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.drafts import Provenance, reserve
from lake.releases.releases import publish
from lake.storage import previews
from lake.storage.posix import PosixStore
from lake.storage.previews import preview_key
from lake.storage.store import key_of
from tests.conftest import FUZZ
from tests.lake.archive.conftest import UNTIL
from tests.stored import path_of

Answer = Any
SCOPE = "pictured"  # others count what is in theirs
NY, NX = 530, 700
CUBE = (3, 5, 11, 13)
GREY = np.repeat(np.array([[58, *range(1, 256)]], np.uint8), 3, axis=0).T
FLAG = {"number": 1, "bit": 4, "name": "cosmic ray", "colour": "#2ec4b6", "pixels": 2}


@dataclass(frozen=True)
class Looked:
    """A file with pictures: its address, its values, its flags, and where its pictures lie."""

    url: str
    values: NDArray[np.float32]
    flags: NDArray[np.uint16]
    entry: FileEntry

    @property
    def release(self) -> str:
        """Address of its release."""
        return self.url.partition("/files/")[0]

    @property
    def key(self) -> str:
        """Key of its pictures."""
        return preview_key(SCOPE, self.entry.name)


@pytest.fixture(scope="module")
def image(lake: Lake) -> Looked:
    """An image from 0 to 253 with a gap and two flags."""
    values = np.linspace(0, 253, NY * NX, dtype=np.float32).reshape(NY, NX)
    values[100:104, 200:204] = np.nan
    flags = np.zeros((NY, NX), np.uint16)
    flags[0, 0] = flags[400, 600] = 4
    return _published(lake, "image", values, flags)


@pytest.fixture(scope="module")
def cube(lake: Lake) -> Looked:
    """A cube in which each value tells its place."""
    values = np.arange(np.prod(CUBE), dtype=np.float32).reshape(CUBE)
    return _published(lake, "cube", values, np.zeros(CUBE[-2:], np.uint16))


@pytest.fixture
def held(lake: Lake, image: Looked) -> Iterator[Looked]:
    """The image, while its release is under embargo."""
    _set(lake, image, embargo_until=UNTIL, embargo_holders=["ar-holder"])
    yield image
    _set(lake, image, embargo_until=None, embargo_holders=[])


def _set(lake: Lake, looked: Looked, **what: Any) -> None:
    with transaction(lake.sessions) as session:
        dataset = f"{looked.entry.stem}_obs.l1.v0001"
        session.execute(update(Release).where(Release.dataset == dataset).values(**what))


def _published(lake: Lake, stem: str, values: NDArray[np.float32], flags: NDArray[np.uint16]) -> Looked:
    packed = fits.CompImageHDU(flags, name="QUALITY", compression_type="RICE_1", uint=True)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(values), packed]).writeto(buffer)
    key, name = ProductKey(SCOPE, f"seen_{stem}_obs", "1"), f"seen_{stem}.fits"
    stored = lake.store.put(key_of(SCOPE, name), buffer.getvalue())
    begin = datetime(2022, 1, 1, tzinfo=UTC)
    entry = FileEntry(
        SCOPE,
        name,
        "1",
        f"seen_{stem}",
        *stored.checksums,
        date_beg=begin,
        date_end=begin,
        shape=values.shape,
    )
    publish(lake, reserve(lake, key, "k"), [entry], Provenance())
    pictures = {
        "small.png": b"small",
        "medium.png": b"medium",
        "large.webp": b"large",
        "quality.png": b"flags",
    }
    previews.keep(lake.store, preview_key(SCOPE, name), pictures, _scene(entry, values.shape))
    previews.keep(
        lake.store,
        preview_key(SCOPE, f"{key.observation}.l1.v0001"),
        {"movie.webp": b"film"},
        {"made_of": "x"},
    )
    return Looked(f"/api/v1/releases/{key.name}@v0001/files/{name}", values, flags, entry)


def _scene(entry: FileEntry, shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "made_of": entry.sha256,
        "drawn_by": "abc",
        "plane": [0] * (len(shape) - 2),
        "edges": np.arange(0.5, 254.0).tolist(),
        "colours": base64.b64encode(GREY.tobytes()).decode(),
        "flags": [FLAG],
        "axes": [{"name": f"axis{number}", "length": length} for number, length in enumerate(shape)],
    }


def picture(answer: Answer) -> NDArray[np.uint8]:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))


def numbers(answer: Answer, kind: str = "<f4") -> NDArray[Any]:
    assert answer.status_code == 200, answer.text
    shape = [int(one) for one in answer.headers["heliolake-shape"].split(",") if one]
    return np.frombuffer(answer.content, kind).reshape(shape)


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("preview?size=small", b"small", "image/png"),
        ("preview", b"medium", "image/png"),
        ("preview?size=large", b"large", "image/webp"),
        ("quality", b"flags", "image/png"),
    ],
)
def test_a_picture_comes_with_its_kind_and_is_not_sent_twice(
    client: TestClient, image: Looked, path: str, content: bytes, kind: str
) -> None:
    answer = client.get(f"{image.url}/{path}")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, content, kind)
    assert answer.headers["cache-control"].startswith("private")
    again = client.get(f"{image.url}/{path}", headers={"If-None-Match": f'"a", W/{answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")


def test_a_release_in_motion(client: TestClient, image: Looked) -> None:
    answer = client.get(f"{image.release}/movie")
    assert (answer.content, answer.headers["content-type"]) == (b"film", "image/webp")


def test_the_scene_tells_how_it_was_drawn_and_not_of_which_bytes(client: TestClient, image: Looked) -> None:
    document = client.get(f"{image.url}/scene").json()
    assert document["tiles"] == {"size": 256, "levels": 3}
    assert document["flags"] == [FLAG]
    assert len(document["edges"]) == 254
    assert image.entry.sha256 not in str(document)


def test_tiles_of_the_last_level_are_the_image_pixel_by_pixel(client: TestClient, image: Looked) -> None:
    rows = [
        np.hstack([picture(client.get(f"{image.url}/tiles/2/{x}/{y}"))[..., 0] for x in range(3)])
        for y in range(3)
    ]
    whole = np.vstack(rows)
    assert whole.shape == (NY, NX)
    expected = np.where(np.isfinite(image.values), 1 + np.rint(np.nan_to_num(image.values)), 58)
    assert (
        np.abs(whole.astype(int) - expected[::-1]).max() <= 1
    )  # a value between two colours may have either
    assert (whole[::-1][100:104, 200:204] == 58).all()


def test_smaller_levels_show_means(client: TestClient, image: Looked) -> None:
    whole = picture(client.get(f"{image.url}/tiles/0/0/0"))[..., 0]
    assert whole.shape == (-(-NY // 4), -(-NX // 4))
    np.testing.assert_allclose(whole[0, 0], 1 + image.values[-4:, :4].mean(), atol=1)
    flags = picture(client.get(f"{image.url}/tiles/0/0/0?layer=quality"))
    marked = np.argwhere(flags[..., 3] > 0).tolist()
    assert marked == [[(NY - 401) // 4, 150], [(NY - 1) // 4, 0]]
    assert tuple(flags[marked[0][0], marked[0][1]]) == (0x2E, 0xC4, 0xB6, 255)


@pytest.mark.parametrize("place", ["3/0/0", "2/3/0", "2/0/3", "0/1/0"])
def test_there_is_no_tile_beyond_the_image(client: TestClient, image: Looked, place: str) -> None:
    answer = client.get(f"{image.url}/tiles/{place}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@settings(max_examples=40 * FUZZ, deadline=None)
@given(st.data())
def test_any_part_of_a_cube_is_given_as_it_lies(
    client: TestClient, cube: Looked, data: st.DataObject
) -> None:
    words: list[str] = []
    wanted: list[int | slice] = []
    for length in CUBE:
        start = data.draw(st.integers(0, length - 1))
        if data.draw(st.booleans()):
            words.append(str(start))
            wanted.append(start)
            continue
        stop, step = data.draw(st.integers(start + 1, length + 3)), data.draw(st.integers(1, 4))
        words.append(f"{start}:{stop}:{step}")
        wanted.append(slice(start, stop, step))
    answer = client.get(f"{cube.url}/values", params={"at": ",".join(words)})
    expected = cube.values[tuple(wanted)]
    np.testing.assert_array_equal(numbers(answer), expected)
    low, high = (float(one) for one in answer.headers["heliolake-limits"].split(","))
    assert (low, high) == (expected.min(), expected.max())


def test_what_lies_beside_a_cut_is_not_read_again(
    client: TestClient, lake: Lake, cube: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    stretches = PosixStore.stretches

    def counted(store: PosixStore, key: str, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        read.append(sum(size for _, size in spans))
        return stretches(store, key, spans)

    monkeypatch.setattr(PosixStore, "stretches", counted)
    with TestClient(archive(lake)) as fresh:
        for column in (3, 4, 0):
            answer = fresh.get(f"{cube.url}/values?at=1,:,:,{column}")
            np.testing.assert_array_equal(numbers(answer), cube.values[1, :, :, column])
        assert len(read) == 1  # of one Stokes parameter, and no other
        assert read[0] <= cube.values[1].nbytes
        assert fresh.get(f"{cube.url}/values?at=0,2,:,:").status_code == 200
        assert read[1:] == [cube.values[0, 2].nbytes]


def test_who_finds_too_many_reading_is_told_when_to_come_again(
    client: TestClient, cube: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = Gate(1, 0)
    monkeypatch.setattr("lake.archive.values.READING", closed)
    with closed.passed():
        answer = client.get(f"{cube.url}/values?at=0,0,0,:")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert client.get(f"{cube.url}/values?at=0,0,0,:").status_code == 200


def test_eight_bits_say_what_has_no_value(client: TestClient, image: Looked) -> None:
    url = f"{image.url}/values?at=100,:&form=uint8"
    answer = client.get(f"{url}&low=0&high=254")
    row = numbers(answer, "u1").astype(float)
    assert (row[200:204] == 0).all()
    np.testing.assert_allclose(
        np.delete(row, range(200, 204)), 1 + np.delete(image.values[100], range(200, 204)), atol=0.51
    )
    assert client.get(url).headers["heliolake-limits"] != answer.headers["heliolake-limits"]


@pytest.mark.parametrize(
    "at", ["1", "1,2,3", "530,0", ",", "5:5,0", "::0,0", "1:2:3:4,0", "9999999999999,0", "0,7:2"]
)
def test_what_is_no_part_of_the_data_is_refused_in_words(client: TestClient, image: Looked, at: str) -> None:
    answer = client.get(f"{image.url}/values", params={"at": at})
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


@pytest.mark.parametrize("asker", ["", "ar-stranger"])
@pytest.mark.parametrize(
    "path",
    [
        "preview",
        "quality",
        "scene",
        "tiles/0/0/0",
        "tiles/2/0/0?layer=quality",
        "values?at=:,:",
        "../../movie",
    ],
)
def test_what_is_under_embargo_is_for_holders_alone(
    client: TestClient, held: Looked, token: dict[str, dict[str, str]], path: str, asker: str
) -> None:
    url = f"{held.release}/movie" if path.endswith("movie") else f"{held.url}/{path}"
    allowed = client.get(url, headers=token["ar-holder"])
    assert (allowed.status_code, allowed.headers["cache-control"]) == (200, "private, no-cache")
    for more in ({}, {"If-None-Match": "*"}, {"If-None-Match": allowed.headers.get("etag", "")}):
        refused = client.get(url, headers=token.get(asker, {}) | more)
        assert refused.status_code == 403
        assert not {"etag", "heliolake-limits", "heliolake-shape"} & set(refused.headers)


def test_a_zoom_is_one_line_of_the_audit_trail_and_each_refusal_another(
    client: TestClient, lake: Lake, held: Looked, token: dict[str, dict[str, str]]
) -> None:
    def entries(action: str) -> int:
        return len(audit.entries(lake, what=action))

    client.get(f"{held.url}/tiles/2/0/0", headers=token["ar-holder"])
    before = entries("access.granted"), entries("access.refused")
    for column in range(3):
        client.get(f"{held.url}/tiles/2/{column}/1", headers=token["ar-holder"])
        client.get(f"{held.url}/tiles/2/{column}/1")
    assert (entries("access.granted"), entries("access.refused")) == (before[0], before[1] + 3)


def test_whoever_lost_their_right_sees_nothing_from_then_on(
    client: TestClient, lake: Lake, held: Looked, token: dict[str, dict[str, str]]
) -> None:
    assert client.get(f"{held.url}/preview", headers=token["ar-holder"]).status_code == 200
    _set(lake, held, embargo_holders=[])
    assert client.get(f"{held.url}/preview", headers=token["ar-holder"]).status_code == 403


@pytest.mark.parametrize("how", ["gone", "of other bytes", "no numbers", "damaged"])
def test_without_good_pictures_there_is_none_and_nothing_breaks(
    client: TestClient, lake: Lake, image: Looked, how: str
) -> None:
    scene = _scene(image.entry, image.values.shape)
    kept = lake.store.read(image.key)
    try:
        if how == "gone":
            previews.drop(lake.store, image.key)
        elif how == "damaged":
            previews.drop(lake.store, image.key)
            lake.store.put(image.key, kept[:-40])
        else:
            worse: dict[str, Any] = {"colours": "x", "edges": [3, 1], "drawn_by": "def"}
            if how == "of other bytes":
                worse = {"made_of": "0" * 64}
            previews.keep(lake.store, image.key, {}, scene | worse)
        for path in ("preview", "quality", "tiles/0/0/0"):
            answer = client.get(f"{image.url}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert client.get(f"{image.url}/values?at=0,0:9").status_code == 200
    finally:
        previews.drop(lake.store, image.key)
        lake.store.put(image.key, kept)


def test_a_file_that_is_cut_off_is_named_and_no_place_of_it_told(
    client: TestClient, lake: Lake, cube: Looked
) -> None:
    path = path_of(lake, SCOPE, cube.entry.name)
    data = path.read_bytes()
    assert client.get(f"{cube.url}/values?at=0,0,0,:").status_code == 200
    path.chmod(0o600)
    path.write_bytes(data[:4000])
    try:
        answer = client.get(f"{cube.url}/values?at=2,4,:,:")
        assert (answer.status_code, answer.json()["code"]) == (404, "missing-file")
        assert str(path.parent) not in answer.text
    finally:
        path.write_bytes(data)
