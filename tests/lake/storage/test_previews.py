"""Pictures beside the storage: whole or not at all, replaced by newer ones, and taken for nothing else."""

from __future__ import annotations

import io
import zipfile

import pytest

from lake.storage import previews
from lake.storage.store import Store
from tests.stored import write

KEY = previews.preview_key("seen", "frame.fits")
PIECES = {"small.png": b"\x89PNG small", "large.webp": bytes(range(256)) * 40}


def test_every_piece_comes_back_as_it_was(store: Store) -> None:
    previews.keep(store, KEY, PIECES, {"made_of": "abc", "edges": [1.5, 2.5]})
    assert {name: previews.piece(store, KEY, name) for name in PIECES} == PIECES
    assert previews.scene(store, KEY) == {"made_of": "abc", "edges": [1.5, 2.5]}
    assert previews.piece(store, KEY, "other.png") is None
    assert previews.is_whole(store, KEY)


def test_newer_ones_take_their_place_and_the_same_again_is_no_trouble(store: Store) -> None:
    for _ in range(2):
        previews.keep(store, KEY, PIECES, {"made_of": "abc"})
    previews.keep(store, KEY, {"small.png": b"other"}, {"made_of": "def"})
    assert previews.piece(store, KEY, "small.png") == b"other"
    assert previews.piece(store, KEY, "large.webp") is None
    previews.drop(store, KEY)
    previews.drop(store, KEY)
    assert previews.scene(store, KEY) is None


def test_they_are_listed_where_they_are_asked_for_only(store: Store) -> None:
    previews.keep(store, KEY, PIECES, {})
    assert list(store.scan()) == []
    assert [one.path for one in previews.kept(store)] == [KEY]


@pytest.mark.parametrize("how", ["changed", "cut", "no zip", "no json", "bomb"])
def test_what_is_not_as_it_was_written_is_as_good_as_none(store: Store, how: str) -> None:
    previews.keep(store, KEY, PIECES, {"made_of": "abc"})
    data = store.read(KEY)
    if how in ("no json", "bomb"):
        packed = io.BytesIO()
        with zipfile.ZipFile(
            packed, "w", zipfile.ZIP_DEFLATED if how == "bomb" else zipfile.ZIP_STORED
        ) as made:
            for name in ("scene.json", "large.webp"):
                made.writestr(name, b"[" * 100_000)
        data = packed.getvalue()
    else:
        spot = data.index(PIECES["large.webp"]) + 5000
        data = {"changed": data[:spot] + b"!" + data[spot + 1 :], "cut": data[:-30], "no zip": b"x" * 99}[how]
    write(store, KEY, data)
    if how != "no json":
        assert previews.piece(store, KEY, "large.webp") is None
    if how != "changed":
        assert previews.scene(store, KEY) is None
    if how in ("changed", "cut", "no zip"):
        assert not previews.is_whole(store, KEY)
