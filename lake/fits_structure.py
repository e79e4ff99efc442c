"""The skeleton of a FITS file, walked before anything is decoded.

The walk compares what every header promises with the bytes that are there.
It allocates nothing, so an absurd NAXIS is found before memory is asked for,
and it tells a truncated file from a damaged one, which decoders do not.
Layout and checksum follow the FITS standard 4.0, sections 3, 4.4.1 and 4.4.2.7 (appendix J).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from lake.errors import BadInput, Reason

BLOCK = 2880
_CARD = 80
_END = b"END" + b" " * 77
_BITPIX = (8, 16, 32, 64, -32, -64)
_RELIED_ON = ("SIMPLE", "XTENSION", "GROUPS", "CHECKSUM", "DATASUM", "ZIMAGE", "ZCMPTYPE", "TFIELDS")
_MAX_HEADER = 64 * 1024 * 1024  # no real header is this long; a damaged one may have no END at all


@dataclass(frozen=True)
class HduSpan:
    """Where one HDU lies in the file.

    Parameters
    ----------
    index
        Number of the HDU, 0 is the primary.
    header
        Its header as stored (a compressed image shows its table header here).
    header_start, data_start
        Offsets in bytes.
    data_size
        Bytes of data without padding.
    """

    index: int
    header: fits.Header
    header_start: int
    data_start: int
    data_size: int

    @property
    def end(self) -> int:
        """Offset after the padding."""
        return self.data_start + math.ceil(self.data_size / BLOCK) * BLOCK


@dataclass(frozen=True)
class Skeleton:
    """All HDUs of a file and what is odd about it without being wrong."""

    spans: tuple[HduSpan, ...]
    caveats: tuple[str, ...]


def walk(data: bytes, file: str) -> Skeleton:
    """Find every HDU of a FITS file.

    Parameters
    ----------
    data
        The whole (uncompressed) file.
    file
        Its name, for messages.

    Returns
    -------
    Skeleton
        The HDUs in order, and caveats.

    Raises
    ------
    BadInput
        With code not-fits, truncated or corrupted-header.
    """
    if not data.startswith(b"SIMPLE  ="):
        raise _not_fits(data, file)
    spans: list[HduSpan] = []
    caveats: list[str] = []
    offset = 0
    while offset < len(data):
        # A file may end within the word itself; that is a cut, not an unknown HDU.
        if spans and not b"XTENSION".startswith(data[offset : offset + 8]):
            caveats += _after_last(data, offset, len(spans), file)
            break
        span = _read_span(data, offset, len(spans), file)
        if not spans and span.header.get("SIMPLE") is not True:
            raise _says_no(span.header.get("SIMPLE"), file)
        spans.append(span)
        if span.end > len(data):
            caveats.append(
                f"the last {span.end - len(data)} bytes of padding are missing; all data are present"
            )
        offset = span.end
    return Skeleton(tuple(spans), tuple(caveats))


def ones_complement_sum(data: bytes | memoryview) -> int:
    """The 32-bit ones' complement sum of FITS standard 4.0, appendix J; short data are padded with zeros."""
    view = memoryview(data).cast("B")
    whole = len(view) - len(view) % 4
    total = int(np.frombuffer(view[:whole], dtype=">u4").sum(dtype=np.uint64))
    if whole < len(view):
        total += int.from_bytes(bytes(view[whole:]).ljust(4, b"\0"), "big")
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def add_sums(first: int, second: int) -> int:
    """Ones' complement sum of two sums."""
    total = first + second
    return (total & 0xFFFFFFFF) + (total >> 32)


def check_sums(data: bytes, span: HduSpan) -> dict[str, str]:
    """State of CHECKSUM and DATASUM of one HDU: `absent`, `valid` or `wrong`.

    An absent sum is not a valid one: nothing was verified.
    """
    stored = memoryview(data)[span.data_start : min(span.end, len(data))]
    # ASCII tables are padded with blanks; where padding is missing it must count as if it were there.
    if span.header.get("XTENSION") == "TABLE" and len(stored) < span.end - span.data_start:
        data_sum = ones_complement_sum(bytes(stored).ljust(span.end - span.data_start, b" "))
    else:
        data_sum = ones_complement_sum(stored)
    states = {"DATASUM": "absent", "CHECKSUM": "absent"}
    claimed = str(span.header.get("DATASUM", "")).strip()
    if claimed:
        states["DATASUM"] = "valid" if claimed.isdigit() and int(claimed) == data_sum else "wrong"
    if str(span.header.get("CHECKSUM", "")).strip():
        head = ones_complement_sum(memoryview(data)[span.header_start : span.data_start])
        states["CHECKSUM"] = "valid" if add_sums(head, data_sum) in (0, 0xFFFFFFFF) else "wrong"
    return states


def _read_span(data: bytes, start: int, index: int, file: str) -> HduSpan:
    data_start = _end_of_header(data, start, index, file)
    raw = data[start:data_start].decode("ascii", errors="replace")
    try:
        header = fits.Header.fromstring(raw)
        size = _data_size(header)
        for keyword in _RELIED_ON:
            header.get(keyword)  # a card that cannot be parsed says so only when it is asked for
    except Exception as error:
        raise _bad_header(index, file, str(error)) from error
    here = len(data) - data_start
    if size > here:
        raise BadInput(
            f"HDU {index} is truncated: its header promises {size} bytes of data, {max(here, 0)} are there",
            file=file,
            keyword="NAXIS",
            found=" x ".join(str(header[f"NAXIS{n + 1}"]) for n in range(header["NAXIS"])),
            advice="fetch the file again from its source; the transfer was probably cut off",
            code=Reason.TRUNCATED,
        )
    return HduSpan(index, header, start, data_start, size)


def _end_of_header(data: bytes, start: int, index: int, file: str) -> int:
    """Offset of the data after the header that begins at `start`."""
    limit = min(len(data), start + _MAX_HEADER)
    for block in range(start, limit, BLOCK):
        end = data.find(b"END     ", block, block + BLOCK)
        while end >= 0:
            if (end - start) % _CARD == 0:
                if block + BLOCK > len(data) and len(data) - block < end + _CARD - block:
                    break
                return block + BLOCK
            end = data.find(b"END     ", end + 1, block + BLOCK)
        if not _is_text(data[block : block + BLOCK]):
            raise _bad_header(index, file, "bytes that are no text before the END card")
    raise BadInput(
        f"the header of HDU {index} has no END card: the file ends inside it",
        file=file,
        found=f"{len(data) - start} bytes",
        advice="fetch the file again from its source; the transfer was probably cut off",
        code=Reason.TRUNCATED,
    )


def _is_text(block: bytes) -> bool:
    """True where a block could be header text (a stray control or accented character is tolerated)."""
    odd = sum(1 for byte in block if byte < 32 or byte > 126)
    return odd <= len(block) // 100


def _data_size(header: fits.Header) -> int:
    """Bytes of data a header promises; Python integers, so absurd values do not overflow."""
    if int(header["BITPIX"]) not in _BITPIX:
        raise ValueError(f"BITPIX is {header['BITPIX']!r}")
    naxis = header["NAXIS"]
    if not isinstance(naxis, int) or not 0 <= naxis <= 999:
        raise ValueError(f"NAXIS is {naxis!r}")
    axes = [header[f"NAXIS{n + 1}"] for n in range(naxis)]
    groups, params = header.get("GCOUNT", 1), header.get("PCOUNT", 0)
    for value in (*axes, groups, params):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"an axis or count is {value!r}")
    if naxis == 0:
        return 0
    if header.get("GROUPS") is True and axes[0] == 0:
        axes = axes[1:]
    return int(abs(int(header["BITPIX"])) // 8 * groups * (params + math.prod(axes)))


def _after_last(data: bytes, offset: int, count: int, file: str) -> list[str]:
    rest = data[offset:]
    if not rest.strip(b"\0 "):
        return [f"{len(rest)} blank bytes follow the last HDU and are ignored"]
    if len(rest) < BLOCK:  # too few for any HDU: nothing that could be read is lost
        return [f"{len(rest)} bytes that are no HDU follow the last one and are ignored"]
    raise BadInput(
        f"{len(rest)} bytes after HDU {count - 1} are no HDU: its header is damaged",
        file=file,
        found=repr(bytes(rest[:16])),
        advice="fetch the file again; if the source has the same bytes, cut them off and tell its owner",
        code=Reason.CORRUPTED_HEADER,
    )


def _bad_header(index: int, file: str, found: str) -> BadInput:
    return BadInput(
        f"the header of HDU {index} is damaged",
        file=file,
        found=found[:200],
        advice="fetch the file again from its source, or have its header repaired there",
        code=Reason.CORRUPTED_HEADER,
    )


def _says_no(simple: object, file: str) -> BadInput:
    return BadInput(
        "the file says itself that it does not follow the FITS standard",
        file=file,
        keyword="SIMPLE",
        found="F" if simple is False else simple,
        advice="ask its source for a standard file, or for what differs",
        code=Reason.NOT_FITS,
    )


def _not_fits(data: bytes, file: str) -> BadInput:
    advice = "remove it, or give the FITS file it stands for"
    for magic, kind in (
        (b"\x1f\x9d", "a compress (.Z) file"),
        (b"BZh", "a bzip2 file"),
        (b"\xfd7zXZ", "an xz file"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x89HDF", "an HDF5 file"),
        (b"\x00\x00\x00\x0cjP", "a JPEG 2000 image"),
        (b"<", "a web page or XML"),
    ):
        if data.startswith(magic):
            return BadInput(
                f"not a FITS file but {kind}",
                file=file,
                found=repr(bytes(data[:16])),
                advice="unpack or convert it first, then ingest the FITS file"
                if magic != b"<"
                else "the download gave an error page; fetch the file again",
                code=Reason.NOT_FITS,
            )
    kind = "text" if _is_text(data[:BLOCK].replace(b"\n", b" ").replace(b"\r", b" ")) else "bytes"
    if data.startswith(b"SIMPLE"):
        advice = "its first card is damaged; fetch the file again"
    return BadInput(
        f"not a FITS file: it begins with other {kind} than SIMPLE",
        file=file,
        found=repr(bytes(data[:16])),
        advice=advice,
        code=Reason.NOT_FITS,
    )
