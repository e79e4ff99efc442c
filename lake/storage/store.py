"""What every storage of the lake can do, and what is said about bytes in one: the words of this room.

A file of the lake has a *key*: the path that Rucio's `hash` algorithm makes of its DID. A *store* keeps bytes
under keys, whole or not at all; nobody outside this room knows where. A `Ref` names bytes in some store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, Protocol

from lake.checksums import Checksums
from lake.errors import BadInput, Reason, Retriable
from lake.names import check_name, check_scope

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW: Final = 1 << 22
"""Bytes read at once."""
LOST_AND_FOUND: Final = ".lost+found"
"""Where a repair puts bytes that nothing knows, and damaged ones it replaced: keys that begin with it."""
VOLATILE: Final = ".volatile"
"""Where runs keep what they need while they last; see `lake.storage.volatile`."""
PREVIEWS: Final = ".previews"
"""Where pictures of files lie; see `lake.storage.previews`."""
BESIDE: Final = (LOST_AND_FOUND, VOLATILE, PREVIEWS)
"""What lies beside the files of a store, and is listed where it is asked for only."""

Data = bytes | memoryview


class Ref(NamedTuple):
    """Bytes in a store: all that anybody needs to read them. Picklable, plain text, without credentials.

    Attributes
    ----------
    store
        URL of the store.
    key
        The bytes' key in it.
    sha256
        What they have to be; '' where nobody knows.
    """

    store: str
    key: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.key.rpartition("/")[2]

    @property
    def text(self) -> str:
        """The same as one word, for who knows nothing of stores."""
        return _REF + json.dumps(self)

    @classmethod
    def of_text(cls, text: str) -> Ref:
        """The inverse of `text`; anything else is taken for the path of a file."""
        return cls(*json.loads(text.removeprefix(_REF))) if text.startswith(_REF) else cls.of_file(text)

    @classmethod
    def of_file(cls, path: Path | str, sha256: str = "") -> Ref:
        """A file that lies in no store of the lake."""
        whole = Path(path).absolute()
        return cls(whole.parent.as_uri(), whole.name, sha256)


_REF: Final = "ref:"


class Stored(NamedTuple):
    """A file that lies in a store.

    Attributes
    ----------
    key
        Under which.
    checksums
        Of its bytes.
    adopted
        True where the same bytes were already there and nothing was written.
    """

    key: str
    checksums: Checksums
    adopted: bool


class PutBack(NamedTuple):
    """What became of a file whose registered bytes were at hand.

    Attributes
    ----------
    found
        What the storage held before: ``whole``, ``missing`` or ``damaged``.
    kept
        Key of the damaged bytes now, '' where there were none.
    """

    found: str
    kept: str = ""


class Found(NamedTuple):
    """Something in a store.

    Attributes
    ----------
    path
        Its key.
    size
        In bytes.
    modified
        Seconds since 1970.
    writer
        Pid of the process that wrote a leftover (`.part`), None for a file.
    """

    path: str
    size: int
    modified: float
    writer: int | None = None


class Unreadable(Retriable):
    """The bytes are there and cannot be read: a damaged disk, not a failing way to it."""


class Store(Protocol):
    """Bytes under keys. Picklable; holds no credentials when pickled, and opens nothing before it is used.

    Every method raises `Retriable` where the storage fails in a way that may pass, and `Fatal` where it is
    full, refuses, or is not there. A key that would lead out of the store is a `BadInput`.
    """

    @property
    def url(self) -> str:
        """What `lake.storage.opening.open_store` makes the same store of."""

    @property
    def scratch(self) -> Path | None:
        """A folder with room for nameless files, None for the system's own."""

    def answers(self) -> bool:
        """Whether this process sees the storage at all."""

    def place(self, key: str) -> str:
        """Where the bytes lie, as people know it: a path or an address."""

    def put(self, key: str, data: Data, sums: Checksums | None = None) -> Stored:
        """Publish bytes under their final key, unless it is taken; the same bytes are adopted.

        Parameters
        ----------
        key
            Where to.
        data
            The whole content; checksums are taken from here, nothing is read back.
        sums
            Its checksums, where somebody took them from the same bytes already.

        Raises
        ------
        BadInput
            With code name-conflict when the key holds other bytes.
        """

    def put_windows(self, key: str, parts: Iterable[Data], sums: Checksums) -> Stored:
        """As `put`, of bytes too many to be held.

        Parameters
        ----------
        key
            Where to.
        parts
            The content, in order.
        sums
            Its checksums when it was read before.

        Raises
        ------
        BadInput
            Also with code unreadable, when the content is not what it was before.
        """

    def put_back(self, key: str, expected: Checksums, blocks: Callable[[], Iterable[Data]]) -> PutBack:
        """Give a registered file its bytes again; what lies there instead is kept in the lost and found.

        The key always stands for something whole or for what was there before, so a crash at any point is
        cured by doing it again, and two that do it at once end with one good file.

        Parameters
        ----------
        key
            The file's.
        expected
            Its registered checksums.
        blocks
            Gives the bytes, block by block; asked only where they are needed.

        Raises
        ------
        BadInput
            When the bytes given are not the registered ones; nothing is changed then.
        """

    def stat(self, key: str) -> Found | None:
        """Size and time of what lies under a key, None where nothing does."""

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """Some of the bytes, fewer where they end; all from `start` where no size is given.

        Raises
        ------
        BadInput
            With code missing-file when there is nothing.
        """

    def blocks(self, key: str) -> Iterator[bytes]:
        """All bytes, a window at a time; raises as `read`, and `Unreadable` where a disk is damaged."""

    @property
    def gap(self) -> int:
        """Bytes between two stretches up to which it is quicker to read them too."""

    def stretches(self, key: str, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """Parts of the bytes, each from a start, so many (fewer where they end), a few of them on their way;
        raises as `read`."""

    def open(self, key: str) -> BinaryIO:
        """The bytes as a file to be read, of which no more is fetched than is asked for; raises as `read`."""

    def signed(self, key: str, seconds: int, name: str, endpoint: str) -> str | None:
        """An address at which whoever knows it reads the bytes for so many seconds; None where there is none.

        Parameters
        ----------
        key
            Whose.
        seconds
            How long.
        name
            What a browser is to call the file.
        endpoint
            Address of the service for those who are to read it, '' where it is the one used here.
        """

    def local(self, ref: Ref) -> AbstractContextManager[Path]:
        """A file of this machine with the bytes, verified where their sha256 is known.

        It stays while the context lasts, may be shared with others and must not be changed.

        Raises
        ------
        BadInput
            With code missing-file when there is nothing, wrong-checksum when there are other bytes.
        """

    def scan(self, below: str = "") -> Iterator[Found]:
        """Every file of the store, or those whose keys begin with a folder of theirs; leftovers with their
        writer's pid. What lies beside them (`BESIDE`) is listed where it is asked for only."""

    def set_aside(self, key: str) -> str:
        """Move a file to the lost and found, beside whatever came there before; its key there."""

    def remove(self, key: str) -> None:
        """Remove what nobody has registered: what a dead writer left, a run kept for itself, or pictures.
        Nothing where it is gone."""


def key_of(scope: str, name: str) -> str:
    """Key of a file, as Rucio's lfn2pfn algorithm `hash` makes it.

    Source: `rucio/rse/translation.py`, `RSEDeterministicTranslation.__hash` (41.5.1).
    """
    check_scope(scope)
    check_name(name)
    digest = hashlib.md5(f"{scope}:{name}".encode(), usedforsecurity=False).hexdigest()
    return f"{scope_key(scope)}/{digest[:2]}/{digest[2:4]}/{name}"


def scope_key(scope: str) -> str:
    """What the keys of all files of a scope begin with, before a slash."""
    check_scope(scope)
    return scope.replace(".", "/") if scope.startswith(("user", "group")) else scope


def did_of(key: str) -> str:
    """The DID a key stands for, for messages; a key of another form is left as it is."""
    *scope, _first, _second, name = ["", "", *key.split("/")]
    return f"{'.'.join(part for part in scope if part)}:{name}" if any(scope) else key


def check_key(key: str) -> str:
    """Refuse a key that is no plain path below its store.

    Raises
    ------
    BadInput
        With code bad-name.
    """
    if not key.isprintable() or any(part in ("", ".", "..") for part in key.split("/")):
        raise BadInput(
            "this is no name of bytes in a storage",
            file=ascii(key),
            advice="name a file below the storage",
            code=Reason.BAD_NAME,
        )
    return key


def conflict(key: str, here: Checksums, there: Checksums) -> BadInput:
    """The refusal of other bytes under a name that is taken."""
    return BadInput(
        f"{did_of(key)} is already in the lake with other bytes",
        file=key.rpartition("/")[2],
        keyword="sha256",
        found=f"{here.sha256[:16]}… here, {there.sha256[:16]}… in the lake",
        advice="a name stands for the same bytes for ever: give the changed file a new name or version",
        code=Reason.NAME_CONFLICT,
    )


def not_those(key: str) -> BadInput:
    """The refusal to put back bytes that are not those registered."""
    return BadInput(
        f"the bytes given are not those registered as {did_of(key)}",
        file=key.rpartition("/")[2],
        keyword="sha256",
        advice="nothing was changed; give a file with the registered bytes",
        code=Reason.WRONG_CHECKSUM,
    )


def changed_meanwhile(key: str) -> BadInput:
    """The refusal of content that is not what it was when it was summed."""
    return BadInput(
        "the file changed while it was read",
        file=did_of(key),
        found="other bytes than a moment before",
        advice="take it in again once it is complete",
        code=Reason.UNREADABLE,
    )


def gone(place: str) -> BadInput:
    """What a reader is told where there is nothing."""
    return BadInput(
        "there is no such file", file=place, advice="run `heliolake fsck`", code=Reason.MISSING_FILE
    )


def other_bytes(ref: Ref, sha256: str) -> BadInput:
    """What a reader is told where the stored bytes are not those registered."""
    return BadInput(
        "the stored file holds other bytes than were registered",
        file=ref.name,
        keyword="sha256",
        found=f"{sha256[:16]}…, registered {ref.sha256[:16]}…",
        advice="`heliolake fsck --deep` names the command that restores it",
        code=Reason.WRONG_CHECKSUM,
    )
