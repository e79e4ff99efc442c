"""What holds of every store: under a key lie all the bytes or none, and never other ones than before."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lake.checksums import checksums
from lake.errors import BadInput, Reason
from lake.storage import credentials
from lake.storage.store import LOST_AND_FOUND, Ref, Store, Stored, key_of
from lake.storage.verify import copy_verified, is_whole, sums_of
from tests.conftest import HOUSE
from tests.objects import Objects
from tests.stored import damage, remove, write

KEY = key_of("s", "a.fits")
GOOD = b"what was registered" * 1000
BAD = b"what a disk made of it" * 900


def contents(store: Store) -> dict[str, bytes]:
    return {found.path: store.read(found.path) for found in store.scan()}


def kept(store: Store, number: int = 0) -> bytes | None:
    """What lies in the lost and found."""
    key = f"{LOST_AND_FOUND}/{KEY}" + (f".{number}" if number else "")
    return store.read(key) if store.stat(key) else None


def put_back(store: Store) -> str:
    return store.put_back(KEY, checksums(GOOD), lambda: [GOOD[:7], GOOD[7:]]).found


def test_putting_bytes_gives_their_sums_and_leaves_nothing_else(store: Store) -> None:
    assert store.put(KEY, b"abc") == Stored(KEY, checksums(b"abc"), adopted=False)
    assert store.put_windows(key_of("s", "b"), [b"d", memoryview(b"ef")], checksums(b"def")).adopted is False
    assert contents(store) == {KEY: b"abc", key_of("s", "b"): b"def"}


def test_sums_that_are_known_are_taken_along(store: Store) -> None:
    sums = checksums(b"abc")
    assert store.put(KEY, b"abc", sums) == Stored(KEY, sums, adopted=False)
    assert store.put(KEY, b"abc", sums) == Stored(KEY, sums, adopted=True)
    with pytest.raises(BadInput, match="already in the lake with other bytes"):
        store.put(KEY, b"abd", checksums(b"abd"))


def test_no_bytes_are_bytes_too(store: Store) -> None:
    store.put(KEY, b"")
    assert (store.read(KEY), sums_of(store, KEY)) == (b"", checksums(b""))
    assert is_whole(store, KEY, checksums(b""))


def test_the_same_bytes_twice_are_adopted(store: Store) -> None:
    store.put(KEY, b"abc")
    assert store.put(KEY, b"abc").adopted
    assert store.put_windows(KEY, [b"a", b"bc"], checksums(b"abc")).adopted


def test_other_bytes_under_a_taken_key_are_refused_and_change_nothing(store: Store) -> None:
    store.put(KEY, b"abc")
    with pytest.raises(BadInput, match=r"s:a\.fits is already in the lake with other bytes") as refusal:
        store.put(KEY, b"abd")
    assert refusal.value.code is Reason.NAME_CONFLICT
    assert contents(store) == {KEY: b"abc"}


def test_content_that_changed_since_it_was_summed_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="changed while it was read"):
        store.put_windows(KEY, [b"abc", b"deg"], checksums(b"abcdef"))
    assert contents(store) == {}


@pytest.mark.parametrize("key", ["../a", "/a", "a/../../b", "", "a//b", "a\0b", "s/./a"])
def test_no_key_leads_out_of_the_store(store: Store, key: str) -> None:
    for attempt in (lambda: store.put(key, b"x"), lambda: store.read(key), lambda: store.set_aside(key)):
        with pytest.raises(BadInput) as refusal:
            attempt()
        assert refusal.value.code is Reason.BAD_NAME
    assert contents(store) == {}


def test_ranges_windows_and_files_show_the_same_bytes(store: Store) -> None:
    content = os.urandom((9 << 20) + 5)  # more than any window or request holds
    store.put(KEY, content)
    assert b"".join(store.blocks(KEY)) == content
    for start, size in ((0, 10), ((8 << 20) - 3, 7), (len(content) - 2, 100), (len(content), 5)):
        assert store.read(KEY, start, size) == content[start : start + size]
        assert store.read(KEY, start) == content[start:]
    with store.open(KEY) as file:
        file.seek(-7, os.SEEK_END)
        assert file.read() == content[-7:]
        file.seek((8 << 20) - 1)
        assert file.read(3) == content[(8 << 20) - 1 :][:3]
    found = store.stat(KEY)
    assert found is not None
    assert (found.path, found.size, found.writer) == (KEY, len(content), None)
    assert abs(found.modified - time.time()) < 3600


def test_stretches_come_in_their_order_and_end_where_the_bytes_do(store: Store) -> None:
    content = bytes(range(256)) * 4000
    store.put(KEY, content)
    spans = [(start, 7) for start in range(0, 1_000_000, 20_000)]
    spans += [(5, 3), (0, 900_000), (len(content) - 2, 9), (len(content) + 5, 4), (1, 0), (3, 1)]
    assert list(store.stretches(KEY, spans)) == [content[start : start + size] for start, size in spans]
    with pytest.raises(BadInput) as refused:
        list(store.stretches(key_of("s", "nothing"), spans))
    assert refused.value.code is Reason.MISSING_FILE


def test_what_is_not_there_is_told(store: Store, tmp_path: Path) -> None:
    assert store.stat(KEY) is None
    assert is_whole(store, KEY, checksums(b"abc")) is False
    ref = Ref(store.url, KEY, checksums(b"abc").sha256)
    for attempt in (
        lambda: store.read(KEY),
        lambda: list(store.blocks(KEY)),
        lambda: store.open(KEY),
        lambda: store.local(ref).__enter__(),
        lambda: store.set_aside(KEY),
    ):
        with pytest.raises(BadInput) as refusal:
            attempt()
        assert refusal.value.code is Reason.MISSING_FILE
    with pytest.raises(BadInput, match="is lost"):
        copy_verified(store, KEY, tmp_path / "a.fits", checksums(b"abc"), "s:a.fits")
    assert not (tmp_path / "a.fits").exists()


def test_a_local_copy_is_verified(store: Store) -> None:
    store.put(KEY, GOOD)
    with store.local(Ref(store.url, KEY, checksums(GOOD).sha256)) as path:
        assert path.read_bytes() == GOOD
    with store.local(Ref(store.url, KEY)) as path:
        assert path.read_bytes() == GOOD
    damage(store, KEY)
    with pytest.raises(BadInput, match="other bytes than were registered"):
        store.local(Ref(store.url, KEY, "0" * 64)).__enter__()
    with store.local(Ref(store.url, KEY)) as path:  # nobody said what they are, so they are what is there now
        assert path.read_bytes() == store.read(KEY) != GOOD


def test_a_copy_for_a_user_is_compared_on_the_way(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "out.fits"
    store.put(KEY, GOOD)
    copy_verified(store, KEY, target, checksums(GOOD), "s:a.fits")
    assert target.read_bytes() == GOOD
    target.unlink()
    damage(store, KEY)
    with pytest.raises(BadInput, match="damaged"):
        copy_verified(store, KEY, target, checksums(GOOD), "s:a.fits")
    assert not list(tmp_path.glob("*out.fits*"))


def race(store: Store, contents: list[bytes]) -> list[object]:
    """Writers that start together on one key; what each of them got."""
    start = threading.Barrier(len(contents))

    def attempt(content: bytes) -> object:
        start.wait()
        try:
            return store.put(KEY, content)
        except BadInput as error:
            return error.code

    with ThreadPoolExecutor(len(contents)) as pool:
        return list(pool.map(attempt, contents))


def test_of_many_writers_of_the_same_bytes_one_writes_and_all_succeed(store: Store) -> None:
    results = race(store, [GOOD] * 6)
    assert [isinstance(result, Stored) and result.adopted for result in results].count(False) == 1
    assert contents(store) == {KEY: GOOD}


RACER = """
import json, sys, time
from lake.errors import BadInput
from lake.storage.opening import open_store
url, key, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = open_store(url)
store.stat(key)
print("ready", flush=True)
sys.stdin.readline()
try:
    store.put(key, bytes([number]) * 3_000_000)
    print("won", flush=True)
except BadInput as error:
    print(error.code, flush=True)
"""


def command(store: Store, source: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that uses a store, with its credentials in the environment alone."""
    files = [str(file) for file in credentials._files if store.url in credentials.read(file)]
    named = {credentials.VARIABLE: files[0]} if files else {}
    return subprocess.Popen(
        [sys.executable, "-c", source, store.url, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HOUSE,
        env=os.environ | named,
    )


def test_of_eight_processes_with_different_bytes_exactly_one_wins_and_the_others_are_told(
    store: Store,
) -> None:
    racers = [command(store, RACER, KEY, number) for number in range(8)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate()[0].strip() for racer in racers]
    assert sorted(said) == ["name-conflict"] * 7 + ["won"]
    assert contents(store) == {KEY: bytes([said.index("won")]) * 3_000_000}


WRITER = """
import sys
from lake.storage.opening import open_store
from lake.storage.store import key_of
store = open_store(sys.argv[1])
for number in range(10**6):
    store.put(key_of("s", f"f{number}.fits"), bytes([number % 256]) * 400_000)
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 4])
def test_a_writer_killed_at_any_moment_leaves_whole_files(store: Store, after: int) -> None:
    writer = command(store, WRITER)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(after)]
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    found = {one.path: one for one in store.scan() if one.writer is None}
    assert {key_of("s", f"f{number}.fits") for number in acknowledged} <= found.keys()
    for key in found:
        content = store.read(key)
        assert content == content[:1] * 400_000


@pytest.mark.parametrize(("before", "found"), [(None, "missing"), (BAD, "damaged"), (GOOD, "whole")])
def test_registered_bytes_come_back_and_damaged_ones_are_kept(
    store: Store, before: bytes | None, found: str
) -> None:
    if before is not None:
        write(store, KEY, before)
    assert put_back(store) == found
    assert store.read(KEY) == GOOD
    assert kept(store) == (BAD if before == BAD else None)
    assert put_back(store) == "whole"


@pytest.mark.parametrize("before", [None, BAD])
def test_other_bytes_than_the_registered_ones_change_nothing(store: Store, before: bytes | None) -> None:
    if before is not None:
        write(store, KEY, before)
    with pytest.raises(BadInput, match="not those registered"):
        store.put_back(KEY, checksums(GOOD), lambda: [GOOD[:-1], b"?"])
    assert contents(store) == ({} if before is None else {KEY: before})
    assert kept(store) is None


def test_whole_bytes_are_not_asked_for(store: Store) -> None:
    store.put(KEY, GOOD)
    store.put_back(KEY, checksums(GOOD), lambda: pytest.fail("was asked for bytes"))


def test_what_is_set_aside_never_overwrites_what_was_set_aside_before(store: Store) -> None:
    for content in (BAD, GOOD, GOOD[::-1]):
        write(store, KEY, content)
        kept_as = store.set_aside(KEY)
        assert store.read(kept_as) == content
        assert store.stat(KEY) is None
    assert [kept(store, number) for number in range(3)] == [BAD, GOOD, GOOD[::-1]]
    assert contents(store) == {}


@pytest.mark.parametrize("before", [None, BAD])
def test_many_at_once_end_with_one_good_file_and_the_damaged_one_kept_once(
    store: Store, before: bytes | None
) -> None:
    if before is not None:
        write(store, KEY, before)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(put_back, [store] * 8))
    assert contents(store) == {KEY: GOOD}
    assert set(found) <= {"whole", "missing" if before is None else "damaged"}
    assert (kept(store), kept(store, 1)) == (before, None)


def test_a_scan_is_of_all_scopes_or_of_one(store: Store) -> None:
    keys = {key_of(scope, f"{number}.fits") for scope in ("s", "s2", "user.ada") for number in range(3)}
    for key in keys:
        store.put(key, b"abc")
    store.set_aside(min(keys))
    keys.remove(min(keys))
    assert {found.path for found in store.scan()} == keys
    assert {found.path for found in store.scan("s")} == {key for key in keys if key.startswith("s/")}
    assert {found.path for found in store.scan("user/ada")} == {key for key in keys if "ada" in key}
    assert list(store.scan("absent")) == []


def test_a_store_travels_small_and_without_its_credentials(store: Store, objects: Objects) -> None:
    store.put(KEY, b"abc")
    sent = pickle.dumps(store) + pickle.dumps(Ref(store.url, KEY, "0" * 64))
    assert len(sent) < 1000
    assert objects.home.secret("s3").encode() not in sent
    assert pickle.loads(pickle.dumps(store)).read(KEY) == b"abc"


def test_a_store_shows_where_it_is(store: Store) -> None:
    shown = repr(store)
    assert shown.startswith(type(store).__name__)
    assert store.url.removeprefix("file://") in shown


def test_a_store_that_is_there_answers(store: Store) -> None:
    assert store.answers() is True


def test_what_is_removed_is_gone_and_may_be_gone_already(store: Store) -> None:
    store.put(KEY, b"abc")
    for _ in range(2):
        store.remove(KEY)
        assert store.stat(KEY) is None


def test_a_reference_is_one_word_and_a_plain_path_is_one_too(tmp_path: Path) -> None:
    ref = Ref("s3://b/?endpoint=http%3A%2F%2Fx", "s/ab/cd/ü #1.fits", "0" * 64)
    assert Ref.of_text(ref.text) == ref
    assert json.loads(json.dumps({"path": ref.text}))["path"] == ref.text
    plain = Ref.of_text(str(tmp_path / "a b%.fits"))
    assert plain == Ref.of_file(tmp_path / "a b%.fits")
    assert (plain.name, plain.sha256) == ("a b%.fits", "")


def test_bytes_that_vanish_can_be_put_again(store: Store) -> None:
    store.put(KEY, b"abc")
    remove(store, KEY)
    assert not store.put(KEY, b"abd").adopted
    assert store.read(KEY) == b"abd"
