"""Rice's code, as FITS standard 4.0, section 10.4.1, has it; compiled, so loaded only where it is needed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

#: Zero bits at the start of a byte.
_ZEROS: Final = np.array([8 - value.bit_length() for value in range(256)], np.uint8)
_BYTE: Final = 8
_FIRST_BYTE: Final = uint64(1 << 56)
#: Bits that are added to the buffer at once, and the most that it may hold for that; as many bytes.
_HALF: Final = 32
_WORD: Final = 4
#: Bits that are looked at at once, codes of so many that a full buffer holds, and the kinds of blocks (bits
#: that are not counted) that may have such codes.
_SHORT: Final = 11
_TOGETHER: Final = 4
_KINDS: Final = 10


@njit(cache=True, nogil=True)
def decode(
    heap: NDArray[np.uint8],
    places: NDArray[np.int64],
    sizes: NDArray[np.int64],
    firsts: NDArray[np.int64],
    pixels: NDArray[Any],
    bits: int,
    most: int,
    block: int,
) -> bool:
    """Decode all tiles.

    Parameters
    ----------
    heap
        Their bytes, each from its place on, as many as its size.
    places, sizes
        Of the tiles, within the heap.
    firsts
        The first pixel of each tile, and the number of all.
    pixels
        Where the numbers go: without a sign, of 16 or 32 bits.
    bits, most
        Length of the code of a block, and the code of one whose differences are stored as they are.
    block
        Pixels of a block.

    Returns
    -------
    bool
        Whether every tile used up its bytes, no more and no fewer.
    """
    short = _short_codes()
    for tile in range(len(places)):
        start, first = places[tile], firsts[tile]
        stop = start + sizes[tile]
        if not _tile(heap, start, stop, pixels, first, firsts[tile + 1], bits, most, block, short):
            return False
    return True


@njit(cache=True, nogil=True)
def _short_codes() -> NDArray[np.uint32]:
    """For each kind of block and the bits a buffer starts with: the length and the number of the first code.

    The length stands in the lowest bits, which are zero where the code is longer than the bits looked at.
    """
    found = np.zeros((_KINDS, 1 << _SHORT), np.uint32)
    for kind in range(_KINDS):
        for start in range(1, 1 << _SHORT):
            zeros = 0
            while not start >> (_SHORT - 1 - zeros) & 1:
                zeros += 1
            length = zeros + 1 + kind
            if length <= _SHORT:
                low = (start >> (_SHORT - length)) & ((1 << kind) - 1)
                number = zeros << kind | low
                found[kind, start] = np.uint32(((number >> 1) ^ -(number & 1)) << _BYTE | length)
    return found


# Whole arrays and places in them are handed on, for a slice of an array costs as much as many pixels.
@njit(cache=True, nogil=True)
def _tile(
    code: NDArray[np.uint8],
    place: int,
    end: int,
    pixels: NDArray[Any],
    first: int,
    stop: int,
    bits: int,
    most: int,
    block: int,
    short: NDArray[np.uint32],
) -> bool:
    """Decode a tile, whose bytes end at `end`; whether it used them up."""
    width = 1 << bits
    mask = uint64((1 << width) - 1)
    if end - place < width // _BYTE:
        return False
    last = uint64(0)
    for _ in range(width // _BYTE):
        last = (last << uint64(_BYTE)) | uint64(code[place])
        place += 1
    # The bits to be read next stand at the buffer's upper end; behind the last byte zeros are read.
    buffer, held = uint64(0), 0
    for begin in range(first, stop, block):
        until = min(begin + block, stop)
        if held <= _HALF:
            buffer, held, place = buffer | _more(code, place, end, held), held + _HALF, place + _WORD
        kind = int(buffer >> uint64(64 - bits)) - 1
        buffer, held = buffer << uint64(bits), held - bits
        if kind < 0:
            for pixel in range(begin, until):
                pixels[pixel] = last
        elif kind < most:
            buffer, held, place, last = _coded(
                code, end, pixels, begin, until, kind, mask, short, buffer, held, place, last
            )
        elif kind == most:
            for pixel in range(begin, until):
                if held <= _HALF:
                    buffer, held, place = buffer | _more(code, place, end, held), held + _HALF, place + _WORD
                last = (last + _signed(buffer >> uint64(64 - width))) & mask
                buffer, held = buffer << uint64(width), held - width
                pixels[pixel] = last
        if kind > most or place < 0:
            return False
    return -(-(place * _BYTE - held) // _BYTE) == end


@njit(cache=True, nogil=True)
def _coded(
    code: NDArray[np.uint8],
    end: int,
    pixels: NDArray[Any],
    first: int,
    stop: int,
    kind: int,
    mask: Any,
    short: NDArray[np.uint32],
    buffer: Any,
    held: int,
    place: int,
    last: Any,
) -> tuple[Any, int, int, Any]:
    """Decode a block whose differences have `kind` bits behind those that are counted.

    The place is negative behind one that no encoder writes.
    """
    pixel = first
    while pixel < stop:
        # Four short codes fit what the buffer holds when it is full: nothing need be asked between them.
        if kind < _KINDS and pixel + _TOGETHER <= stop and place + _BYTE <= end:
            word = uint64(0)
            for number in range(_BYTE):
                word = word << uint64(_BYTE) | uint64(code[place + number])
            buffer |= word >> uint64(held)
            place, held = place + ((63 - held) >> 3), held | 56
            many = _TOGETHER
            for _ in range(_TOGETHER):
                entry = short[kind, buffer >> uint64(64 - _SHORT)]
                length = uint64(entry & np.uint32(0xFF))
                if length == 0:
                    break
                buffer, held = buffer << length, held - int(length)
                last += uint64(np.int64(np.int32(entry) >> np.int32(_BYTE)))
                pixels[pixel] = last
                pixel += 1
                many -= 1
            if many == 0:
                continue
        buffer, held, place, difference = _any_code(code, end, kind, mask, buffer, held, place)
        if place < 0:
            return buffer, held, place, last
        last = (last + _signed(difference)) & mask
        pixels[pixel] = last
        pixel += 1
    return buffer, held, place, last & mask


@njit(cache=True, nogil=True)
def _any_code(
    code: NDArray[np.uint8], end: int, kind: int, mask: Any, buffer: Any, held: int, place: int
) -> tuple[Any, int, int, Any]:
    """Decode one number however long it is."""
    if held <= _HALF:
        buffer, held, place = buffer | _more(code, place, end, held), held + _HALF, place + _WORD
    zeros = uint64(0)
    while buffer < _FIRST_BYTE:
        zeros += uint64(_BYTE)
        if zeros > mask >> uint64(kind):
            return buffer, held, -1, zeros
        buffer, held = buffer << uint64(_BYTE), held - _BYTE
        if held <= _HALF:
            buffer, held, place = buffer | _more(code, place, end, held), held + _HALF, place + _WORD
    some = uint64(_ZEROS[buffer >> uint64(64 - _BYTE)])
    # Two shifts, for one by all 64 bits has no meaning.
    buffer, held = buffer << some << uint64(1), held - int(some) - 1
    if held < kind:
        buffer, held, place = buffer | _more(code, place, end, held), held + _HALF, place + _WORD
    difference = ((zeros + some) << uint64(kind)) | (buffer >> uint64(1)) >> uint64(63 - kind)
    return buffer << uint64(kind), held - kind, place, difference


@njit(cache=True, nogil=True)
def _signed(coded: Any) -> Any:
    """A difference, whose sign lies in its lowest bit."""
    return (coded >> uint64(1)) ^ (uint64(0) - (coded & uint64(1)))


@njit(cache=True, nogil=True)
def _more(code: NDArray[np.uint8], place: int, end: int, held: int) -> Any:
    """The next 32 bits where they belong in the buffer."""
    word = uint64(0)
    if place + _WORD <= end:
        word = (
            uint64(code[place]) << uint64(24)
            | uint64(code[place + 1]) << uint64(16)
            | uint64(code[place + 2]) << uint64(8)
            | uint64(code[place + 3])
        )
    else:
        for number in range(place, end):
            word |= uint64(code[number]) << uint64(24 - _BYTE * (number - place))
    return word << uint64(_HALF - held)


@njit(cache=True, nogil=True)
def encode(pixels: NDArray[np.int16], turned: int, block: int, out: NDArray[np.uint8]) -> int:
    """Code a tile of 16 bits, bit by bit as cfitsio does.

    Parameters
    ----------
    pixels
        Of the tile, one after another.
    turned
        Bits to be turned in each: turning the highest changes no difference, so it costs nothing here.
    block
        Pixels of a block; a multiple of four.
    out
        Where the bytes go: room for two of each pixel, and two for each block and the start.

    Returns
    -------
    int
        How many bytes they are.
    """
    four = len(pixels) // 4
    words = pixels[: 4 * four].view(np.uint64)
    differences = np.empty(block, np.int64)
    last = np.int64(pixels[0])
    place, buffer, held = _put(out, 0, uint64(0), 0, (last ^ turned) & 0xFFFF, 16)
    for first in range(0, len(pixels), block):
        number = min(block, len(pixels) - first)
        if number == block and _alike(words, first // 4, (first + block) // 4, last):
            place, buffer, held = _put(out, place, buffer, held, 0, 4)
            continue
        total = 0.0
        for pixel in range(number):
            step = np.int64(np.int16(pixels[first + pixel] - last))
            differences[pixel] = ~(step << 1) if step < 0 else step << 1
            total += differences[pixel]
            last = np.int64(pixels[first + pixel])
        if total == 0:
            place, buffer, held = _put(out, place, buffer, held, 0, 4)
            continue
        kind = _bits_of(total, number)
        place, buffer, held = _put(out, place, buffer, held, min(kind + 1, 15), 4)
        for pixel in range(number):
            value = differences[pixel]
            if kind >= 14:
                place, buffer, held = _put(out, place, buffer, held, value, 16)
                continue
            zeros = value >> kind
            while zeros >= 16:
                place, buffer, held = _put(out, place, buffer, held, 0, 16)
                zeros -= 16
            rest = (1 << kind) | (value & ((1 << kind) - 1))
            place, buffer, held = _put(out, place, buffer, held, rest, zeros + 1 + kind)
    if held:
        place, buffer, held = _put(out, place, buffer, held, 0, _BYTE - held)
    return int(place)


@njit(cache=True, nogil=True)
def _alike(words: NDArray[np.uint64], start: int, stop: int, value: int) -> bool:
    """Whether all numbers of 16 bits in some words of four have one value."""
    wanted = uint64(value & 0xFFFF) * uint64(0x0001000100010001)
    other = uint64(0)
    for place in range(start, stop):
        other |= words[place] ^ wanted
    return bool(other == uint64(0))


@njit(cache=True, nogil=True)
def _bits_of(total: float, number: int) -> int:
    """How many bits of each difference of a block are not to be counted."""
    rest = np.int64(max(0.0, (total - number // 2 - 1) / number)) >> 1
    bits: int = 0
    while rest > 0:
        bits += 1
        rest >>= 1
    return bits


@njit(cache=True, nogil=True)
def _put(
    out: NDArray[np.uint8], place: int, buffer: Any, held: int, value: int, width: int
) -> tuple[int, Any, int]:
    """Append some bits; whole bytes leave the buffer, at whose lower end the others stand."""
    buffer, held = (buffer << uint64(width)) | uint64(value), held + width
    while held >= _BYTE:
        held -= _BYTE
        out[place] = np.uint8((buffer >> uint64(held)) & uint64(255))
        place += 1
    return place, buffer & ((uint64(1) << uint64(held)) - uint64(1)), held
