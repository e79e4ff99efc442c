"""What things are called: observations, products, releases and files, and how their names are read back."""

from __future__ import annotations

import hashlib
import os
import re
from typing import NamedTuple

from lake.errors import BadInput, Reason

MAX_SCOPE = 25  # Rucio's schema
MAX_NAME = 250  # Rucio's schema
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,24}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,249}")  # a name is one path segment: never "/", never ".."
# No suffix begins with "p", which stands for the point in names. "Q1" is a quick look on the way to "1".
_LEVEL = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?(?!p)[A-Za-z]{0,4}|Q[0-9](\.[0-9]{1,2})?")
_SHORT_LEVEL = r"l(?:[0-9]{1,2}p?[0-9]{0,2}[A-Za-z]{0,4}|Q[0-9]{1,3})"
_PRODUCT = re.compile(
    rf"(?:(?P<scope>[^:@/]+):)?(?P<observation>[^:@/]+)\.(?P<token>{_SHORT_LEVEL})"
    r"(?:(?:@|\.)v(?P<version>[0-9]{1,9}))?"
)
_PRODUCT_FILE = re.compile(rf"\.{_SHORT_LEVEL}\.v(?P<version>[0-9]{{4,9}})\.fits$")
_PACKED = ("", ".gz", ".fz")
# What archives write and Rucio refuses stands in names as ".-" and two hexadecimal digits for each byte.
_ESCAPED = re.compile(rb"[^A-Za-z0-9_.-]|\.(?=-)")
_ESCAPE = re.compile(rb"\.-([0-9A-F]{2})")
_NO_FIRST = b"x.-_"  # before a name that would begin with another character than a letter or digit
_SHORTENED = ".--"  # between the beginning of a name that is too long and the hash of all of it
_LONGEST_STEM = MAX_NAME - len(".l12p34ABCD.v000000001.fits")
_FITS_SUFFIX = re.compile(r"\.(fits|fit|fts)_?(\.gz|\.fz)?$", re.IGNORECASE)


class ProductKey(NamedTuple):
    """Identity of a product: an observation at a level. It never changes.

    Parameters
    ----------
    scope
        Rucio scope, the instrument's name.
    observation
        Name of the observation (a Rucio container).
    level
        The level as the instrument writes it: "0", "1", "1.5", "Q1".
    """

    scope: str
    observation: str
    level: str

    @property
    def name(self) -> str:
        """The name people use: `<scope>:<observation>.l15`."""
        return f"{self.scope}:{self.observation}.{level_token(self.level)}"

    def __str__(self) -> str:
        return self.name


class ProductRequest(NamedTuple):
    """What a person wrote: PRODUCT[@vNNNN]; scope and version may be absent."""

    scope: str | None
    observation: str
    token: str
    version: int | None


def level_token(level: str) -> str:
    """Short form of a level for names: "1.5" becomes "l15", "0" becomes "l0".

    A level of 10 or more keeps its point as `p` so that 1.5 and 15 never share a name ("15" becomes
    "l15p", "12.5" becomes "l12p5"). A quick look keeps its letter in front: "Q1.5" becomes "lQ15".
    """
    if not _LEVEL.fullmatch(level):
        raise BadInput(
            f"{level!r} is not a level",
            keyword="level",
            found=level,
            advice='write levels like "0", "0.5", "1", "1.5" or "Q1"',
            code=Reason.BAD_NAME,
        )
    digits = re.match(r"[0-9]+", level)
    whole = digits.group() if digits else ""
    if len(whole) < 2:  # of a quick look none, for its letter comes first
        return "l" + level.replace(".", "")
    return "l" + (level.replace(".", "p") if "." in level else whole + "p" + level[len(whole) :])


def version_token(version: int) -> str:
    """`v0001` and so on; more digits are used when four do not suffice."""
    if version < 1:
        raise BadInput(f"a version counts from 1, not {version}", found=version, code=Reason.BAD_NAME)
    return f"v{version:04d}"


def release_name(observation: str, level: str, version: int) -> str:
    """Name of a release's dataset: `<observation>.l<level>.v<NNNN>`."""
    return check_name(f"{observation}.{level_token(level)}.{version_token(version)}")


def product_file(stem: str, level: str, version: int) -> str:
    """Name of an output file: `<stem>.l<level>.v<NNNN>.fits`."""
    return check_name(f"{stem}.{level_token(level)}.{version_token(version)}.fits")


def version_of(name: str) -> int | None:
    """The version in the name of one of our products' files; None in other names."""
    match = _PRODUCT_FILE.search(name)
    return None if match is None else int(match["version"])


def trial_file(stem: str, level: str) -> str:
    """Name of an output file that is in no release: `<stem>.l<level>.trial.fits`."""
    return check_name(f"{stem}.{level_token(level)}.trial.fits")


def stem_of(name: str) -> str:
    """Name of a file without its FITS suffix and without a level and version of ours."""
    bare = _FITS_SUFFIX.sub("", name)
    return re.sub(rf"\.{_SHORT_LEVEL}\.v[0-9]{{4,}}$", "", bare)


def namesakes(name: str) -> list[str]:
    """Other names an archive gives the same file: its products would bear the same names."""
    endings = [
        f".{kind}{mark}{pack}" for kind in ("fits", "fit", "fts") for mark in ("", "_") for pack in _PACKED
    ]
    stem = stem_of(name)
    return sorted({stem + form for ending in endings for form in (ending, ending.upper())} - {name})


def check_scope(scope: str) -> str:
    """The scope itself when Rucio takes it and it is one safe path segment, else BadInput."""
    if not _SCOPE.fullmatch(scope) or ".." in scope:
        raise BadInput(
            f"{scope!r} cannot be a scope",
            found=scope,
            advice=f"use 1 to {MAX_SCOPE} letters, digits, dots, dashes and underscores",
            code=Reason.BAD_NAME,
        )
    return scope


def check_name(name: str) -> str:
    """The name itself when Rucio takes it and it is one safe path segment, else BadInput."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot be a name in the lake",
            file=name,
            found=name,
            advice=f"rename it: 1 to {MAX_NAME} letters, digits, dots, dashes and underscores, "
            "beginning with a letter or digit",
            code=Reason.BAD_NAME,
        )
    return name


def lake_name(original: str) -> str:
    """The name under which the lake keeps a file that an archive calls `original`.

    A name that Rucio takes stays as it is. In others each byte (of UTF-8) that Rucio refuses
    becomes ``.-`` and two hexadecimal digits, as does the point of a ``.-`` that stands there
    already, so that two names never become one: ``lasco_c2_+60.fts`` is kept as
    ``lasco_c2_.-2B60.fts``. Before a first character that is no letter or digit stands ``x.-_``.
    A name too long for those of its products is cut, and ends with the hash of all of it.

    Parameters
    ----------
    original
        Name of a file without its folder, as `os` functions give it.

    Returns
    -------
    str
        A name that `check_name` takes; those of its products fit as well.

    Raises
    ------
    BadInput
        When the text names no file: it is empty, ``.`` or ``..``, or holds a slash.
    """
    try:
        raw = os.fsencode(original)
    except UnicodeEncodeError:
        raw = b""
    if raw in (b"", b".", b"..") or {0, ord("/")} & set(raw):
        raise BadInput(
            f"{original!r} is no name of a file",
            file=original,
            advice="give the name without its folder",
            code=Reason.BAD_NAME,
        )
    escaped = _ESCAPED.sub(lambda found: b".-%02X" % ord(found[0]), raw)
    if not escaped[:1].isalnum():
        escaped = _NO_FIRST + escaped
    name = escaped.decode("ascii")
    if len(name) > MAX_NAME or len(stem_of(name)) > _LONGEST_STEM:
        bare = _FITS_SUFFIX.sub("", name)
        # Of all but the suffix, so that x.fits and x.fits.gz stay namesakes.
        mark = _SHORTENED + hashlib.sha256(bare.encode()).hexdigest()[:32]
        name = bare[: _LONGEST_STEM - len(mark)] + mark + name[len(bare) :]
    return check_name(name)


def original_name(name: str) -> str | None:
    """The inverse of `lake_name`; None for a name that was cut: the catalogue has the whole of it."""
    if _SHORTENED in name:
        return None
    raw = name.encode("ascii").removeprefix(_NO_FIRST)
    return os.fsdecode(_ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode("ascii")), raw))


def split_did(did: str) -> tuple[str, str]:
    """`scope:name` as two checked parts."""
    scope, colon, name = did.partition(":")
    if not colon:
        raise BadInput(
            f"{did!r} is not scope:name", found=did, advice="write SCOPE:NAME", code=Reason.BAD_NAME
        )
    return check_scope(scope), check_name(name)


def parse_product(text: str) -> ProductRequest:
    """Read `[scope:]observation.l<level>[@vNNNN]` (`.vNNNN`, as releases are named, is read too).

    Raises
    ------
    BadInput
        When the text has another form.
    """
    match = _PRODUCT.fullmatch(text.strip())
    if match is None or not text.isprintable():
        raise BadInput(
            f"{text[:MAX_NAME]!r} is not a product",
            advice="write PRODUCT or PRODUCT@v0001, for instance stereo_hi:hi2a_20110910.l1@v0002",
            code=Reason.BAD_NAME,
        )
    version = match["version"]
    return ProductRequest(
        match["scope"], match["observation"], match["token"], None if version is None else int(version)
    )
