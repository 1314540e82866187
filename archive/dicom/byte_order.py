"""Words of Big Endian values and how they are swapped (PS3.5 7.3 and 8.1).

Owns which VR has words of which size. Leaves to others where a value lies and how much of it is read: whoever
swaps a part of a value cuts it at whole words.
"""

from __future__ import annotations

from array import array

_CODES = {array(code).itemsize: code for code in "HILQ"}
_WORDS = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


def word_size(vr: str) -> int:
    """Return the bytes of one word of a VR; 1 for text, bytes and unknown."""
    return _WORDS.get(vr, 1)


def pixel_word_size(vr: str, bits_allocated: int) -> int:
    """Return the bytes of one word of native pixel data.

    Pixel cells wider than the 16 bits of OW are swapped as a whole: that is how Big Endian images of 32 bits
    are written and read in the field.
    """
    words = word_size(vr)
    if vr == "OW" and bits_allocated in (32, 64):
        return bits_allocated // 8
    return words


def swap_words(value: bytes, size: int) -> bytes:
    """Reverse the bytes of each word; bytes after the last whole word stay as they are."""
    if size == 1:
        return value
    whole = len(value) - len(value) % size
    words = array(_CODES[size])
    words.frombytes(memoryview(value)[:whole])
    words.byteswap()
    return words.tobytes() + value[whole:]
