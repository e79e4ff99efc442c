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
    for tile in range(len(places)):
        start = places[tile]
        part = pixels[firsts[tile] : firsts[tile + 1]]
        if not _tile(heap[start : start + sizes[tile]], part, bits, most, block):
            return False
    return True


@njit(cache=True, nogil=True)
def _tile(code: NDArray[np.uint8], pixels: NDArray[Any], bits: int, most: int, block: int) -> bool:
    """Decode a tile; whether it used up its bytes."""
    width = 1 << bits
    mask = uint64((1 << width) - 1)
    place = width // _BYTE
    if len(code) < place:
        return False
    last = uint64(0)
    for number in range(place):
        last = (last << uint64(_BYTE)) | uint64(code[number])
    # The bits to be read next stand at the buffer's upper end; behind the last byte zeros are read.
    buffer, held = uint64(0), 0
    for first in range(0, len(pixels), block):
        part = pixels[first : first + block]
        if held <= _HALF:
            buffer, held, place = buffer | _more(code, place, held), held + _HALF, place + _WORD
        kind = int(buffer >> uint64(64 - bits)) - 1
        buffer, held = buffer << uint64(bits), held - bits
        if kind < 0:
            part[:] = last
        elif kind < most:
            buffer, held, place, last = _coded(code, part, kind, mask, buffer, held, place, last)
        elif kind == most:
            for pixel in range(len(part)):
                if held <= _HALF:
                    buffer, held, place = buffer | _more(code, place, held), held + _HALF, place + _WORD
                last = (last + _signed(buffer >> uint64(64 - width))) & mask
                buffer, held = buffer << uint64(width), held - width
                part[pixel] = last
        if kind > most or place < 0:
            return False
    return -(-(place * _BYTE - held) // _BYTE) == len(code)


@njit(cache=True, nogil=True)
def _coded(
    code: NDArray[np.uint8],
    pixels: NDArray[Any],
    kind: int,
    mask: Any,
    buffer: Any,
    held: int,
    place: int,
    last: Any,
) -> tuple[Any, int, int, Any]:
    """Decode a block whose differences have `kind` bits behind those that are counted.

    The place is negative behind one that no encoder writes.
    """
    for pixel in range(len(pixels)):
        if held <= _HALF:
            buffer, held, place = buffer | _more(code, place, held), held + _HALF, place + _WORD
        zeros = uint64(0)
        while buffer < _FIRST_BYTE:
            zeros += uint64(_BYTE)
            if zeros > mask >> uint64(kind):
                return buffer, held, -1, last
            buffer, held = buffer << uint64(_BYTE), held - _BYTE
            if held <= _HALF:
                buffer, held, place = buffer | _more(code, place, held), held + _HALF, place + _WORD
        some = uint64(_ZEROS[buffer >> uint64(64 - _BYTE)])
        # Two shifts, for one by all 64 bits has no meaning.
        buffer, held = buffer << some << uint64(1), held - int(some) - 1
        if held < kind:
            buffer, held, place = buffer | _more(code, place, held), held + _HALF, place + _WORD
        difference = ((zeros + some) << uint64(kind)) | (buffer >> uint64(1)) >> uint64(63 - kind)
        buffer, held = buffer << uint64(kind), held - kind
        last = (last + _signed(difference)) & mask
        pixels[pixel] = last
    return buffer, held, place, last


@njit(cache=True, nogil=True)
def _signed(coded: Any) -> Any:
    """A difference, whose sign lies in its lowest bit."""
    return (coded >> uint64(1)) ^ (uint64(0) - (coded & uint64(1)))


@njit(cache=True, nogil=True)
def _more(code: NDArray[np.uint8], place: int, held: int) -> Any:
    """The next 32 bits where they belong in the buffer."""
    word = uint64(0)
    if place + _WORD <= len(code):
        word = (
            uint64(code[place]) << uint64(24)
            | uint64(code[place + 1]) << uint64(16)
            | uint64(code[place + 2]) << uint64(8)
            | uint64(code[place + 3])
        )
    else:
        for number in range(place, len(code)):
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
        if number == block and _all_are(words[first // 4 : (first + block) // 4], last):
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
            place, buffer, held = _put(out, place, buffer, held, 1, zeros + 1)
            place, buffer, held = _put(out, place, buffer, held, value & ((1 << kind) - 1), kind)
    if held:
        place, buffer, held = _put(out, place, buffer, held, 0, _BYTE - held)
    return int(place)


@njit(cache=True, nogil=True)
def _all_are(words: NDArray[np.uint64], value: int) -> bool:
    """Whether all numbers of 16 bits in words of four have one value."""
    wanted = uint64(value & 0xFFFF) * uint64(0x0001000100010001)
    other = uint64(0)
    for word in words:
        other |= word ^ wanted
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
