"""The skeleton of a FITS file, walked before anything is decoded.

The walk compares what every header promises with what may be and with the bytes that are there.
It holds no data, so an absurd NAXIS is found before memory or disk is asked for,
and it tells a truncated file from a damaged one, which decoders do not.
Layout and checksum follow the FITS standard 4.0, sections 3, 4.4.1 and 4.4.2.7 (appendix J).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from lake.errors import BadInput, Reason
from lake.fits.windows import WINDOW, Content, too_large

BLOCK = 2880
_PRINTABLE = bytes(range(32, 127))
_SUM_DIGITS = 10  # of a number of 32 bits
_CARD = 80
_END = b"END" + b" " * 77
_BITPIX = (8, 16, 32, 64, -32, -64)
_RELIED_ON = ("SIMPLE", "XTENSION", "GROUPS", "CHECKSUM", "DATASUM", "ZIMAGE", "ZCMPTYPE", "TFIELDS")
# Headers are held, all of them: real ones have a few thousand cards, and files a few hundred HDUs at most.
_MAX_HEADER = 4 << 20
_MAX_HEADERS = 16 << 20
_MAX_HDUS = 4096


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


def walk(content: Content, file: str, admit: Callable[[HduSpan], None] = lambda _: None) -> Skeleton:
    """Find every HDU of a FITS file.

    Parameters
    ----------
    content
        The whole file, unpacked as far as the walk gets.
    file
        Its name, for messages.
    admit
        Called with each HDU before its data are looked for; refuses it by raising `BadInput`.

    Returns
    -------
    Skeleton
        The HDUs in order, and caveats.

    Raises
    ------
    BadInput
        With code not-fits, truncated, corrupted-header or too-large, and those of `admit`.
    """
    if bytes(content.read(0, 9)) != b"SIMPLE  =":
        raise _not_fits(bytes(content.read(0, BLOCK)), file)
    spans: list[HduSpan] = []
    caveats: list[str] = []
    offset = held = 0
    while content.reach(offset + 1) > offset:
        # A file may end within the word itself; that is a cut, not an unknown HDU.
        if spans and not b"XTENSION".startswith(content.read(offset, 8)):
            caveats += _after_last(content, offset, len(spans), file)
            break
        span = _read_header(content, offset, len(spans), file)
        if not spans and span.header.get("SIMPLE") is not True:
            raise _says_no(span.header.get("SIMPLE"), file)
        held += span.data_start - span.header_start
        if len(spans) == _MAX_HDUS or held > _MAX_HEADERS:
            allowed = f"{_MAX_HDUS} HDUs with {_MAX_HEADERS >> 20} MiB of headers"
            raise too_large(file, f"HDU {len(spans)} with {held} bytes of headers so far", allowed)
        admit(span)
        _require_data(content, span, file)
        spans.append(span)
        if (missing := span.end - content.reach(span.end)) > 0:
            caveats.append(f"the last {missing} bytes of padding are missing; all data are present")
        offset = span.end
    return Skeleton(tuple(spans), tuple(caveats))


def ones_complement_sum(data: bytes | memoryview) -> int:
    """The 32-bit ones' complement sum of FITS standard 4.0, appendix J; short data are padded with zeros."""
    view = memoryview(data).cast("B")
    whole = len(view) - len(view) % 4
    total = int(np.frombuffer(view[:whole], dtype=">u4").sum(dtype=np.uint64))
    if whole < len(view):
        total += int.from_bytes(bytes(view[whole:]).ljust(4, b"\0"), "big")
    return folded(total)


def folded(total: int) -> int:
    """A sum of numbers of 32 bits as a ones' complement sum: what is carried over is added below."""
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def add_sums(first: int, second: int) -> int:
    """Ones' complement sum of two sums."""
    total = first + second
    return (total & 0xFFFFFFFF) + (total >> 32)


def sum_states(span: HduSpan, head_sum: int, data_sum: int) -> dict[str, str]:
    """State of CHECKSUM and DATASUM of one HDU: `absent`, `valid` or `wrong`.

    An absent sum is not a valid one: nothing was verified.

    Parameters
    ----------
    span
        The HDU.
    head_sum, data_sum
        Ones' complement sums of its header and its padded data.
    """
    states = {"DATASUM": "absent", "CHECKSUM": "absent"}
    claimed = str(span.header.get("DATASUM", "")).strip()
    if claimed:
        right = claimed.isascii() and claimed.isdigit() and len(claimed) <= _SUM_DIGITS
        states["DATASUM"] = "valid" if right and int(claimed) == data_sum else "wrong"
    if str(span.header.get("CHECKSUM", "")).strip():
        states["CHECKSUM"] = "valid" if add_sums(head_sum, data_sum) in (0, 0xFFFFFFFF) else "wrong"
    return states


def _read_header(content: Content, start: int, index: int, file: str) -> HduSpan:
    raw = _header_bytes(content, start, index, file)
    try:
        # As astropy reads it: what is not ASCII becomes a question mark.
        header = fits.Header.fromstring(raw.decode("ascii", errors="replace").replace("\ufffd", "?"))
        size = _data_size(header)
        for keyword in _RELIED_ON:
            header.get(keyword)  # a card that cannot be parsed says so only when it is asked for
    except Exception as error:
        raise bad_header(index, file, str(error)) from error
    return HduSpan(index, header, start, start + len(raw), size)


def _require_data(content: Content, span: HduSpan, file: str) -> None:
    end = span.data_start + span.data_size
    if (here := content.reach(end)) < end:
        raise BadInput(
            f"HDU {span.index} is truncated: its header promises {span.data_size} bytes of data, "
            f"{max(here - span.data_start, 0)} are there",
            file=file,
            keyword="NAXIS",
            found=" x ".join(str(span.header[f"NAXIS{n + 1}"]) for n in range(span.header["NAXIS"])),
            advice="fetch the file again from its source; the transfer was probably cut off",
            code=Reason.TRUNCATED,
        )


def _header_bytes(content: Content, start: int, index: int, file: str) -> bytes:
    """The header that begins at `start`, to the end of its last block."""
    found = bytearray()
    for offset in range(start, start + _MAX_HEADER, BLOCK):
        block = bytes(content.read(offset, BLOCK))
        found += block
        end = block.find(b"END     ")
        while end >= 0:
            # Blocks hold whole cards. One that is cut off must hold all of its END card at least.
            if end % _CARD == 0 and end + _CARD <= len(block):
                return bytes(found.ljust(offset + BLOCK - start, b" "))
            end = block.find(b"END     ", end + 1)
        if len(block) < BLOCK:
            raise BadInput(
                f"the header of HDU {index} has no END card: the file ends inside it",
                file=file,
                found=f"{len(found)} bytes",
                advice="fetch the file again from its source; the transfer was probably cut off",
                code=Reason.TRUNCATED,
            )
        if not _is_text(block):
            raise bad_header(index, file, "bytes that are no text before the END card")
    raise too_large(file, f"a header of more than {_MAX_HEADER} bytes", f"{_MAX_HEADER >> 20} MiB a header")


def _is_text(block: bytes) -> bool:
    """True where a block could be header text (a stray control or accented character is tolerated)."""
    return len(block.translate(None, _PRINTABLE)) <= len(block) // 100


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
    fields = header.get("TFIELDS", 0)
    if isinstance(fields, bool) or not isinstance(fields, int) or not 0 <= fields <= 999:
        raise ValueError(f"TFIELDS is {fields!r}")
    if naxis == 0:
        return 0
    if header.get("GROUPS") is True and axes[0] == 0:
        axes = axes[1:]
    return int(abs(int(header["BITPIX"])) // 8 * groups * (params + math.prod(axes)))


def _after_last(content: Content, offset: int, count: int, file: str) -> list[str]:
    size, blank = 0, True
    start = bytes(content.read(offset, 16))
    while block := content.read(offset + size, WINDOW):
        size += len(block)
        blank = blank and not bytes(block).strip(b"\0 ")
        if not blank and size >= BLOCK:
            break
    if blank:
        return [f"{size} blank bytes follow the last HDU and are ignored"]
    if size < BLOCK:  # too few for any HDU: nothing that could be read is lost
        return [f"{size} bytes that are no HDU follow the last one and are ignored"]
    raise BadInput(
        f"what follows HDU {count - 1} is no HDU: its header is damaged",
        file=file,
        found=repr(start),
        advice="fetch the file again; if the source has the same bytes, cut them off and tell its owner",
        code=Reason.CORRUPTED_HEADER,
    )


def bad_header(index: int, file: str, found: str) -> BadInput:
    """The refusal of a header that cannot be believed."""
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
        (b"\x89PNG", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"II*\0", "a TIFF picture"),
        (b"MM\0*", "a TIFF picture"),
        (b"#ASDF", "an ASDF file"),
        (b"\xcd\xf3\0\x01", "a CDF file"),
        (b"\xcd\xf2\x60\x02", "a CDF file"),
        (b"CDF\x01", "a NetCDF file"),
        (b"CDF\x02", "a NetCDF file"),
        (b"SR\0\x04", "an IDL save file"),
        (b"SR\0\x06", "an IDL save file"),
        (b"%PDF", "a PDF document"),
        (b"<", "a web page or XML"),
        (b"ustar", "a tar archive"),
    ):
        if data.startswith(magic) or (magic == b"ustar" and data[257:262] == magic):
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
