"""Under a final name there are all the bytes or none, and never other ones than before."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.checksums import checksums
from lake.errors import BadInput, Fatal, Reason, Retriable
from lake.governance.policy import CUSTODY
from lake.lake import Lake
from lake.storage import files, volatile
from lake.storage.files import storage_error
from lake.storage.posix import PosixStore
from lake.storage.store import LOST_AND_FOUND, VOLATILE, Found, Ref, key_of
from lake.storage.verify import is_whole
from tests.lake.storage.folder import Put, copy_verified, put_bytes, scan


def test_bytes_lie_under_the_name_that_rucio_computes_itself(lake: Lake, scope: str) -> None:
    lake.rucio.ensure_scope(scope)
    client = lake.rucio._client()  # the real server's answer, not a copy of its algorithm
    names = ["a.fits", "20110910_114721_s7h2A.fts", "b-c_d.l1.v0001.fits"]
    answers = client.lfns2pfns(lake.rucio.rse, [f"{scope}:{name}" for name in names])
    for name in names:
        assert answers[f"{scope}:{name}"].endswith(lake.place_of(CUSTODY, scope, name))


def test_putting_bytes_gives_their_sums_and_leaves_no_leftover(tmp_path: Path) -> None:
    stored = put_bytes(tmp_path, "s", "a.fits", b"abc")
    assert stored.path.read_bytes() == b"abc"
    assert (stored.checksums, stored.adopted) == (checksums(b"abc"), False)
    assert [found.path for found in scan(tmp_path)] == [key_of("s", "a.fits")]


def test_the_same_bytes_twice_are_adopted(tmp_path: Path) -> None:
    put_bytes(tmp_path, "s", "a.fits", b"abc")
    assert put_bytes(tmp_path, "s", "a.fits", b"abc").adopted


def test_other_bytes_under_a_taken_name_are_refused_and_change_nothing(tmp_path: Path) -> None:
    path = put_bytes(tmp_path, "s", "a.fits", b"abc").path
    with pytest.raises(BadInput) as refusal:
        put_bytes(tmp_path, "s", "a.fits", b"abd")
    assert refusal.value.code is Reason.NAME_CONFLICT
    assert path.read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("scope", "name"), [("..", "a"), ("s", "../a"), ("s", "a/b"), ("/s", "a"), ("s", ".part")]
)
def test_no_name_leaves_the_storage(tmp_path: Path, scope: str, name: str) -> None:
    with pytest.raises(BadInput):
        put_bytes(tmp_path / "rse", scope, name, b"x")
    assert not list(tmp_path.rglob("*.fits"))


def rse(folder: Path) -> Path:
    """A folder for a storage element."""
    (folder / "rse").mkdir()
    return folder / "rse"


def race(root: Path, contents: list[bytes]) -> list[object]:
    """Writers that start together on one name; what each of them got."""
    results: list[object] = []
    start = threading.Barrier(len(contents))

    def write(content: bytes) -> None:
        start.wait()
        try:
            results.append(put_bytes(root, "s", "a.fits", content))
        except BadInput as error:
            results.append(error.code)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_writers_of_the_same_bytes_one_writes_and_all_succeed(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    results = race(tmp_path, [content] * 6)
    assert [isinstance(result, Put) and result.adopted for result in results].count(False) == 1
    assert [found.size for found in scan(tmp_path)] == [len(content)]


def test_of_writers_of_different_bytes_one_wins_and_the_others_are_told(tmp_path: Path) -> None:
    contents = [bytes([number]) * 100_000 for number in range(5)]
    results = race(tmp_path, contents)
    winners = [result for result in results if isinstance(result, Put)]
    assert len(winners) == 1
    assert results.count(Reason.NAME_CONFLICT) == 4
    assert winners[0].path.read_bytes() in contents


WRITER = """
import sys
from pathlib import Path
from lake.storage.posix import PosixStore
from lake.storage.store import key_of
print("ready", flush=True)
for number in range(10**6):
    PosixStore(Path(sys.argv[1])).put(key_of("s", f"f{number}.fits"), bytes([number % 256]) * 400_000)
"""


@pytest.mark.parametrize("delay", [0.02, 0.11, 0.23])
def test_a_writer_killed_at_any_moment_leaves_whole_files_and_named_leftovers(
    tmp_path: Path, delay: float
) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    time.sleep(delay)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    for found in scan(tmp_path):
        if found.writer is None:
            content = (tmp_path / found.path).read_bytes()
            assert content == content[:1] * 400_000
        else:
            assert found.writer == writer.pid


def test_a_copy_for_a_user_is_compared_on_the_way(tmp_path: Path) -> None:
    stored = put_bytes(rse(tmp_path), "s", "a.fits", b"abc" * 10)
    copy_verified(stored.path, tmp_path / "a.fits", stored.checksums, "s:a.fits")
    assert (tmp_path / "a.fits").read_bytes() == b"abc" * 10


def test_a_damaged_stored_file_is_never_given_out(tmp_path: Path) -> None:
    stored = put_bytes(rse(tmp_path), "s", "a.fits", b"abc" * 10)
    stored.path.write_bytes(b"abd" * 10)
    with pytest.raises(BadInput, match="damaged"):
        copy_verified(stored.path, tmp_path / "a.fits", stored.checksums, "s:a.fits")
    assert [path.name for path in tmp_path.iterdir()] == ["rse"]


def test_a_stored_file_that_is_gone_is_told_from_a_failing_disk(tmp_path: Path) -> None:
    sums = checksums(b"abc")
    with pytest.raises(BadInput, match="no bytes"):
        copy_verified(tmp_path / "absent", tmp_path / "copy", sums, "s:absent")
    assert isinstance(storage_error(OSError(5, "Input/output error"), tmp_path), Retriable)
    assert isinstance(storage_error(OSError(28, "No space left on device"), tmp_path), Fatal)


def test_the_place_of_a_key_is_a_path(tmp_path: Path) -> None:
    assert PosixStore(tmp_path).place(key_of("s", "a")) == str(tmp_path / key_of("s", "a"))


def test_what_waits_to_be_stored_waits_where_there_is_room_for_it(tmp_path: Path) -> None:
    assert PosixStore(tmp_path).scratch == tmp_path


def test_a_storage_that_is_not_mounted_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="Mount it"):
        put_bytes(tmp_path / "absent", "s", "a.fits", b"abc")
    assert not list(tmp_path.iterdir())


def test_a_storage_that_cannot_be_written_is_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a file where a folder should be")
    with pytest.raises(Fatal, match="owner and permissions"):
        put_bytes(tmp_path, "s", "a.fits", b"abc")


def test_a_file_is_handed_on_only_where_it_holds_what_is_registered(tmp_path: Path) -> None:
    store = PosixStore(tmp_path)
    key = store.put(key_of("s", "a.fits"), b"abc").key
    with store.local(Ref(store.url, key, checksums(b"abc").sha256)) as path:
        assert path.read_bytes() == b"abc"
    with (
        pytest.raises(BadInput, match="other bytes"),
        store.local(Ref(store.url, key, checksums(b"abd").sha256)),
    ):
        pass


def test_what_is_gone_or_other_is_not_whole(tmp_path: Path) -> None:
    store = PosixStore(tmp_path)
    key = store.put(key_of("s", "b.fits"), b"abc").key
    assert is_whole(store, key, checksums(b"abc"))
    assert not is_whole(store, key, checksums(b"abd"))
    assert not is_whole(store, key_of("s", "c.fits"), checksums(b"abc"))
    store.path(key).unlink()
    store.path(key).mkdir()  # something there that cannot be read as a file
    assert not is_whole(store, key, checksums(b"abc"))


def test_what_vanishes_while_it_is_looked_at_is_not_whole(tmp_path: Path) -> None:
    class Vanishing(PosixStore):
        def stat(self, key: str) -> Found | None:
            found = super().stat(key)
            self.path(key).unlink()
            return found

    key = PosixStore(tmp_path).put(key_of("s", "a"), b"abc").key
    assert not is_whole(Vanishing(tmp_path), key, checksums(b"abc"))


def test_what_a_damaged_disk_does_not_give_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = PosixStore(tmp_path).put(key_of("s", "a"), b"abc").key

    def damaged(_: Path) -> Iterator[bytes]:
        yield b"a"
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("lake.storage.posix.blocks_of", damaged)
    assert not is_whole(PosixStore(tmp_path), key, checksums(b"abc"))


def test_the_folder_of_a_run_goes_with_what_it_kept_and_that_of_stored_data_stays(tmp_path: Path) -> None:
    """Another may be about to store something there."""
    store = PosixStore(tmp_path)
    key = store.put(key_of("s", "a"), b"abc").key
    volatile.begin(store, "run")
    volatile.keep(store, "run", "partial", 1)
    volatile.drop_all(store, "run")
    store.remove(key)
    assert store.path(key).parent.is_dir()
    assert list((tmp_path / VOLATILE).iterdir()) == []


def test_a_file_on_its_way_is_named_as_what_its_writer_left(tmp_path: Path) -> None:
    store = PosixStore(tmp_path)
    on_its_way: list[Found] = []

    def parts() -> Iterator[bytes]:
        yield b"a"
        on_its_way.extend(store.scan())
        yield b"bc"

    store.put_windows(key_of("s", "a.fits"), parts(), checksums(b"abc"))
    (found,) = on_its_way
    assert (found.size, found.writer) == (1, os.getpid())
    assert "a.fits" in found.path


def test_it_is_told_why_a_file_cannot_be_begun() -> None:
    """Not that what was never begun could not be cleared away."""
    with pytest.raises(Fatal, match="storage refuses") as refusal:
        PosixStore(Path("/sys")).put("a", b"abc")  # nobody makes files there
    assert "No such file" not in str(refusal.value)


def test_a_file_that_is_exchanged_while_it_is_set_aside_is_kept_as_it_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PosixStore(tmp_path)
    key = store.put(key_of("s", "a"), b"abc").key
    seen: list[Path] = []

    def identity(path: Path) -> tuple[int, int] | None:
        seen.append(path)
        return (0, 0) if len(seen) == 1 else files.identity(path)

    monkeypatch.setattr("lake.storage.posix.identity", identity)
    assert store.set_aside(key) == f"{LOST_AND_FOUND}/{key}"
    assert [one.name for one in (tmp_path / LOST_AND_FOUND).rglob("*") if one.is_file()] == ["a"]


def test_a_file_that_another_sets_aside_too_is_set_aside(tmp_path: Path) -> None:
    class Overtaken(PosixStore):
        def _keep(self, path: Path, known: tuple[int, int]) -> str | None:
            kept = super()._keep(path, known)
            path.unlink()
            return kept

    key = PosixStore(tmp_path).put(key_of("s", "a"), b"abc").key
    assert Overtaken(tmp_path).set_aside(key) == f"{LOST_AND_FOUND}/{key}"
