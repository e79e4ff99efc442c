"""Reading a FITS file once and fully: bytes, checksums, structure, and the data of every HDU.

A file that opens is not a file that reads: Rice streams break in the middle,
transfers stop, disks flip bits. Every byte is looked at once, through a window; what is
coded is decoded in parts. So memory is bounded by a few windows, whatever a file claims.
"""

from __future__ import annotations

import math
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from astropy.io import fits

from lake.checksums import Checksums, Summer
from lake.errors import BadInput, Reason
from lake.fits.header import clean
from lake.fits.pixels import BESIDE, Pixels
from lake.fits.structure import HduSpan, add_sums, bad_header, ones_complement_sum, sum_states, walk
from lake.fits.tables import check_heap, check_text
from lake.fits.tiles import check_claims, decoded, image_shape, is_compressed
from lake.fits.windows import AGAIN, GZIP, HELD, Content, Held, Lying, Unpacked, too_large, windows
from lake.quiet import without_warnings
from lake.text import listed

QUALITY_EXTNAME = "QUALITY"  # of the flags beside an image, in our products
UNCERTAINTY_EXTNAME = "UNCERT"  # of the standard deviations beside it; the name astropy.nddata looks for
_EVERYTHING: Final = sys.maxsize  # more bytes than any file has

#: What is said of a file whose bytes cannot be compared with anything: most archives' raw files.
UNVERIFIED: Final = (
    "the image carries no checksum of its producer's (DATASUM, CHECKSUM): whether these are the bytes that "
    "were made there cannot be told"
)


@dataclass(frozen=True)
class CheckedFits:
    """A FITS file that was read to the last byte.

    Parameters
    ----------
    path
        Where it was read.
    raw
        The bytes of the file as they lie on disk.
    checksums
        Of those bytes.
    content_sha256
        Of the bytes once they are unpacked: the same for a file and its gzipped form.
    image_hdu
        Number of the first HDU with a non-empty image of two or more axes that is not flags, errors or a
        thumbnail by its EXTNAME; where there is none, of the first
        with a row of numbers (a spectrum).
    shape
        Shape of that image, slowest axis first.
    header, primary_header
        Header of the image (decompressed form), and of the primary HDU.
    sums
        State of DATASUM and CHECKSUM per HDU: absent, valid (wrong ones raise).
    caveats
        Sentences about what is odd without being wrong.
    """

    path: str
    raw: Content
    checksums: Checksums
    content_sha256: str
    image_hdu: int
    shape: tuple[int, ...]
    header: fits.Header
    primary_header: fits.Header
    sums: tuple[dict[str, str], ...]
    caveats: tuple[str, ...]

    def windows(self) -> Iterator[memoryview]:
        """The bytes of the file, in parts."""
        return windows(self.raw, 0, self.checksums.size)

    def close(self) -> None:
        """Give back the bytes, or the open file."""
        self.raw.close()


@dataclass(frozen=True)
class Limits:
    """The largest file and image that are taken; more is refused before memory or disk is asked for it.

    Parameters
    ----------
    pixels
        Of an image.
    bytes
        Of a file once it is unpacked.
    """

    pixels: int = 1 << 28
    bytes: int = 4 << 30


#: What an image's header (and the file's primary one) say about how large it may be.
LimitsOf = Callable[[fits.Header, fits.Header], Limits]


def read_checked(
    path: str | Path, limits_of: LimitsOf = lambda *_: Limits(), folder: Path | None = None
) -> CheckedFits:
    """Look at every byte of a file, a window at a time, and make sure that every HDU of it can be read.

    Parameters
    ----------
    path
        A FITS file, or a gzipped one.
    limits_of
        The limits that hold for a header; called before data are looked for.
    folder
        For the unpacked bytes of a large gzipped file, while it is open.

    Returns
    -------
    CheckedFits
        Checksums, the image's HDU and header, caveats, and the bytes; to be closed.

    Raises
    ------
    BadInput
        With its own code for each cause: missing-file, unreadable, empty, too-large, not-fits, truncated,
        corrupted-header, corrupted-data, wrong-checksum, no-image.
    """
    path = Path(path)
    with in_sentences(path):
        raw, status = _open(path)
        try:
            with without_warnings():
                checked = _Check(raw, str(path), limits_of, folder).result()
            if _state(path.stat()) != status:
                raise changed(str(path))
        except BaseException:
            raw.close()
            raise
    return checked


def check_bytes(data: bytes, file: str) -> CheckedFits:
    """Check a FITS file that is already in memory; see `read_checked`."""
    with without_warnings():
        return _Check(Held(data), file, lambda *_: Limits(), None).result()


def changed(file: str) -> BadInput:
    """The refusal of a file that somebody writes to while it is read."""
    return BadInput(
        "the file changed while it was read",
        file=file,
        found="another size or time than before",
        advice="take it in again once it is complete",
        code=Reason.UNREADABLE,
    )


def read_bytes(path: Path) -> bytes:
    """The whole of a regular file, with a plain sentence where that fails; see `read_checked`."""
    with in_sentences(path), closing(_open(path)[0]) as raw:
        size = raw.reach(_EVERYTHING)
        if size > Limits().bytes:
            raise too_large(str(path), f"{size} bytes", f"{Limits().bytes} bytes")
        return raw.data if isinstance(raw, Held) else b"".join(windows(raw, 0, size))


@contextmanager
def opened(path: Path) -> Iterator[Content]:
    """The bytes of a regular file as they lie, unchecked; with a plain sentence where they cannot be read."""
    with in_sentences(path):
        raw, _ = _open(path)
        try:
            yield raw
        finally:
            raw.close()


@contextmanager
def in_sentences(path: Path) -> Iterator[None]:
    """What the system says of a file it will not give, as `BadInput`."""
    try:
        yield
    except FileNotFoundError as error:
        raise BadInput(
            "there is no such file", file=str(path), advice="check the path", code=Reason.MISSING_FILE
        ) from error
    except OSError as error:
        raise BadInput(
            "the file cannot be read",
            file=str(path),
            found=error.strerror or str(error),
            advice="check its permissions and the disk it lies on",
            code=Reason.UNREADABLE,
        ) from error


def _open(path: Path) -> tuple[Content, tuple[int, int]]:
    """A regular file's bytes, and its size and time."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(
            "not a regular file",
            file=str(path),
            advice="give files, folders of files, or patterns",
            code=Reason.UNREADABLE,
        )
    with ExitStack() as until_read:
        file = until_read.enter_context(path.open("rb", buffering=0))
        if status.st_size > HELD:
            until_read.pop_all()  # it stays open
            return Lying(file, status.st_size), _state(status)
        data = b""
        while len(data) <= HELD and (more := file.read(HELD)):
            data += more
    if len(data) > HELD:
        raise changed(str(path))
    if not data:
        raise BadInput("the file is empty", file=str(path), found="0 bytes", advice=AGAIN, code=Reason.EMPTY)
    return Held(data), _state(status)


def _state(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


class _Check:
    """All that is done with one file: skeleton, one pass over its bytes, what is in its HDUs."""

    def __init__(self, raw: Content, file: str, limits_of: LimitsOf, folder: Path | None) -> None:
        self.raw = raw
        self.file = file
        self.limits_of = limits_of
        self.limits = Limits()
        self.content: Content = raw
        self.primary = fits.Header()
        if bytes(raw.read(0, len(GZIP))) == GZIP:
            self.content = Unpacked(raw, file, self.limits.bytes, folder)

    def result(self) -> CheckedFits:
        try:
            return self._result()
        finally:
            if self.content is not self.raw:
                self.content.close()

    def _result(self) -> CheckedFits:
        content, file = self.content, self.file
        skeleton = walk(content, file, self._admit)
        for span in skeleton.spans:
            self._require_size(span)  # now that the image is known
            check_claims(content, span, file)
            check_scaling(span, file)
        sums, pixels, states = self._pass(skeleton.spans)
        # Data before checksums: a stream that does not decode is named as such even where its sum is wrong.
        found = self._read_hdus(skeleton.spans, pixels)
        _refuse_wrong_sums(states, file)
        caveats = list(skeleton.caveats)
        if found.others:
            others = ", ".join(found.others)
            caveats.append(f"the image of HDU {found.hdu} was taken; the file holds more images: {others}")
        if set(states[found.hdu].values()) == {"absent"}:
            caveats.append(UNVERIFIED)
        caveats += pixels[found.hdu].caveats()
        header, odd = found.header, clean(found.header)  # nobody else has it
        if odd:
            caveats.append(f"header cards whose value is not FITS count as undefined: {', '.join(odd)}")
        if found.hdu:
            clean(found.primary)
        return CheckedFits(
            path=file,
            raw=self.raw,
            checksums=sums,
            content_sha256=content.sha256 if isinstance(content, Unpacked) else sums.sha256,
            image_hdu=found.hdu,
            shape=found.shape,
            header=header,
            primary_header=header if found.hdu == 0 else found.primary,
            sums=states,
            caveats=tuple(caveats),
        )

    def _admit(self, span: HduSpan) -> None:
        """Refuse an HDU that is too large, by the rules of the instrument once a header names it."""
        self._shape_of(span)
        if span.index == 0:
            self.primary = span.header
        if span.index == 0 or _is_image(span):
            self.limits = self.limits_of(span.header, self.primary)
            if isinstance(self.content, Unpacked):
                self.content.limit = self.limits.bytes
            if (size := self.raw.reach(_EVERYTHING)) > self.limits.bytes:
                raise too_large(self.file, f"{size} bytes", f"{self.limits.bytes} bytes")
        self._require_size(span)

    def _require_size(self, span: HduSpan) -> None:
        if span.end > self.limits.bytes:
            raise too_large(self.file, f"{span.end} bytes", f"{self.limits.bytes} bytes")
        shape = self._shape_of(span)
        if math.prod(shape) > self.limits.pixels:
            found = f"{' x '.join(map(str, shape[::-1]))} pixels"
            raise too_large(self.file, found, f"{self.limits.pixels} pixels")

    def _shape_of(self, span: HduSpan) -> tuple[int, ...]:
        try:
            return image_shape(span.header)
        except (TypeError, ValueError, fits.VerifyError) as error:
            raise bad_header(span.index, self.file, str(error)) from error

    def _pass(self, spans: Sequence[HduSpan]) -> tuple[Checksums, list[Pixels], tuple[dict[str, str], ...]]:
        """Checksums of the file, what its images' pixels are, and the state of each HDU's own sums."""
        content = self.content
        summer = Summer()
        pixels, states = [], []

        def parts(start: int, end: int) -> Iterator[memoryview]:
            for part in windows(content, start, end):
                if content is self.raw:
                    summer.add(part)
                yield part

        for span in spans:
            head = data = got = 0
            # Text tables are padded with blanks; where padding is missing it must count as if it were there.
            blank = span.header.get("XTENSION") == "TABLE"
            missing = span.end - content.reach(span.end) if blank else 0
            for part in parts(span.header_start, span.data_start):
                head = add_sums(head, ones_complement_sum(part))
            seen = Pixels(span.header if _is_image(span) else None)
            for part in parts(span.data_start, span.end):
                seen.add(part[: max(0, span.data_size - got)])
                got += len(part)
                whole = missing and got + missing == span.end - span.data_start
                data = add_sums(data, ones_complement_sum(bytes(part) + b" " * missing if whole else part))
            pixels.append(seen)
            states.append(sum_states(span, head, data))
        for _ in parts(spans[-1].end, _EVERYTHING):
            pass
        if content is not self.raw:
            for part in windows(self.raw, 0, _EVERYTHING):
                summer.add(part)
        return summer.result(), pixels, tuple(states)

    def _read_hdus(self, spans: Sequence[HduSpan], pixels: list[Pixels]) -> _Found:
        """Decode what is coded, in parts; numbers as they are were seen already."""
        if len(spans) == 1 and _is_image(spans[0]) and not is_compressed(spans[0].header):
            (span,) = (
                spans  # nothing to be decoded, nothing to be chosen: astropy would read the header again
            )
            return _Found(0, image_shape(span.header), span.header, span.header, [])
        found: _Found | None = None
        line: _Found | None = None
        beside: list[_Found] = []
        with reading(0, self.file):
            hdus = fits.open(
                self.content.opened(), memmap=False, do_not_scale_image_data=True, lazy_load_hdus=False
            )
        with hdus:
            for span, hdu in zip(spans, hdus, strict=False):
                with reading(span.index, self.file):
                    shape = self._read(span, hdu, pixels[span.index])
                if math.prod(shape) == 0 or not shape:
                    continue
                if len(shape) == 1:
                    line = line or _Found(span.index, shape, hdu.header, hdus[0].header, [])
                elif BESIDE.fullmatch(hdu.name.upper()):
                    beside.append(_Found(span.index, shape, hdu.header, hdus[0].header, []))
                elif found is None:
                    found = _Found(span.index, shape, hdu.header, hdus[0].header, [])
                else:
                    found.others.append(f"HDU {span.index} ({' x '.join(map(str, shape[::-1]))})")
            if len(hdus) != len(spans):
                raise bad_header(
                    len(hdus), self.file, f"{len(spans)} HDUs, of which {len(hdus)} can be opened"
                )
        # Flags alone are an image too; beside one they are never taken for it.
        found = found or (beside[0] if beside else line)
        if found is None:
            raise _no_image(spans, self.file)
        return found

    def _read(self, span: HduSpan, hdu: Any, pixels: Pixels) -> tuple[int, ...]:
        """Look at what has to be decoded first; the shape of an image, () for what is none."""
        if isinstance(hdu, fits.CompImageHDU):
            for part in decoded(hdu, self.content, span):
                pixels.look(part)
        elif isinstance(hdu, fits.BinTableHDU):
            _ = hdu.columns
            check_heap(self.content, span)
        elif isinstance(hdu, fits.TableHDU):
            check_text(self.content, span)
        elif not isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU)):
            return ()  # random groups and kinds of later standards: bytes, which are there
        return tuple(int(axis) for axis in hdu.shape) if hdu.is_image else ()


def _is_image(span: HduSpan) -> bool:
    """Whether an HDU holds an image, a spectrum or a cube, compressed or not."""
    shape = image_shape(span.header)
    return len(shape) > 0 and math.prod(shape) > 0


def check_scaling(span: HduSpan, file: str) -> None:
    """Refuse BSCALE and BZERO that make no numbers of the stored ones; decoders give NaN or zeros."""
    for keyword in ("BSCALE", "BZERO"):
        if keyword not in span.header:
            continue
        try:
            value = span.header[keyword]
            number = float(value)
        except (fits.VerifyError, TypeError, ValueError):
            value, number = "no number", math.nan
        if not math.isfinite(number) or (keyword == "BSCALE" and number == 0):
            raise BadInput(
                f"{keyword} of HDU {span.index} is no number to scale by",
                file=file,
                keyword=keyword,
                found=value,
                advice=f"{AGAIN}, or have {keyword} corrected there: without it the values are not known",
                code=Reason.BAD_KEYWORD,
            )


@contextmanager
def reading(index: int, file: str) -> Iterator[None]:
    """Name the HDU whatever way decoding fails; the exception types differ between astropy versions."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        # The skeleton showed that every promised byte is there: what cannot be decoded was changed.
        raise BadInput(
            f"the data of HDU {index} are damaged: they cannot be decoded",
            file=file,
            found=f"{type(error).__name__}: {error}"[:200],
            advice=AGAIN,
            code=Reason.CORRUPTED_DATA,
        ) from error


class _Found(NamedTuple):
    """The image of a file, and the other ones it holds."""

    hdu: int
    shape: tuple[int, ...]
    header: fits.Header
    primary: fits.Header
    others: list[str]


def _no_image(spans: Sequence[HduSpan], file: str) -> BadInput:
    holds = [span for span in spans if span.data_size]
    if not holds:
        return BadInput(
            "the file holds a header and no data",
            file=file,
            keyword="NAXIS",
            found=_axes(spans[0]),
            advice="fetch the whole file from its source: this is a header only, or an image without pixels",
            code=Reason.NO_IMAGE,
        )
    return BadInput(
        "no HDU of the file holds an image, a spectrum or a cube",
        file=file,
        keyword="NAXIS",
        found=listed((f"HDU {span.index}: {_axes(span)}" for span in holds), most=5),
        advice="only these can be processed; leave tables out",
        code=Reason.NO_IMAGE,
    )


def _axes(span: HduSpan) -> str:
    kind = str(span.header.get("XTENSION", "primary")).strip().lower()
    axes = " x ".join(str(span.header[f"NAXIS{n + 1}"]) for n in range(span.header["NAXIS"]))
    return f"{kind} of {axes}" if axes else f"{kind} without axes"


def _refuse_wrong_sums(states: tuple[dict[str, str], ...], file: str) -> None:
    for index, state in enumerate(states):
        wrong = [keyword for keyword, value in state.items() if value == "wrong"]
        if wrong:
            raise BadInput(
                f"HDU {index} does not agree with its own checksum",
                file=file,
                keyword=" and ".join(wrong),
                found="another sum than the header states",
                advice=f"{AGAIN}; if the source has the same bytes, its owner must correct the sums",
                code=Reason.WRONG_CHECKSUM,
            )
