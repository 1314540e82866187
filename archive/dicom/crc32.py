"""The CRC-32 of texts put together, from that of each: nothing is read again.

Putting `length` bytes after a text multiplies its CRC by x ** (8 * length) modulo the polynomial, bits
reversed as CRC-32 has them. Multiplying by one power is linear, so that a table of the products of each byte
does it with four look-ups. There is a table for each byte of a length, made when it is first needed.
"""

from __future__ import annotations

from array import array
from functools import lru_cache

_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31


def combine(crc: int, next_crc: int, length: int) -> int:
    """Return the CRC-32 of two texts from that of each and the length of the second."""
    place = 0
    while length:
        if length & 0xFF:
            first, second, third, fourth = _tables(place, length & 0xFF)
            crc = first[crc & 255] ^ second[crc >> 8 & 255] ^ third[crc >> 16 & 255] ^ fourth[crc >> 24]
        length >>= 8
        place += 1
    return crc ^ next_crc


@lru_cache(maxsize=2048)
def _tables(place: int, byte: int) -> tuple[array[int], ...]:
    """Return the products of x ** (8 * byte * 256 ** place) and each byte, at each of its four places."""
    bits = [0] * 32
    product = _power(place, byte)
    for bit in range(31, -1, -1):  # the bit of the lowest power of x is the highest
        bits[bit] = product
        product = product >> 1 ^ _POLYNOMIAL if product & 1 else product >> 1
    tables = []
    for low in range(0, 32, 8):
        products = [0]
        for bit in bits[low : low + 8]:
            products += [each ^ bit for each in products]
        tables.append(array("I", products))
    return tuple(tables)


@lru_cache(maxsize=2048)
def _power(place: int, byte: int) -> int:
    """Return x ** (8 * byte * 256 ** place)."""
    if byte > 1:
        return _times(_power(place, byte // 2), _power(place, byte - byte // 2))
    return _ONE >> 8 if not place else _times(_power(place - 1, 128), _power(place - 1, 128))


def _times(a: int, b: int) -> int:
    """Multiply two polynomials modulo that of CRC-32."""
    product = 0
    while b:
        if b & _ONE:
            product ^= a
        b = b << 1 & 0xFFFFFFFF
        a = a >> 1 ^ _POLYNOMIAL if a & 1 else a >> 1
    return product
