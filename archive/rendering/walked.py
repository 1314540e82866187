"""The walk over a data set (archive/dicom/walk.py) as rendering needs it: from bytes, however deep it nests.

What is made of the walk's elements is left to header.py and data_set.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from archive.dicom.source import BytesSource
from archive.dicom.walk import Limits, Unreadable, Walk
from archive.errors import NotDecodable, NotDicom

T = TypeVar("T")

_IMPLICIT, _BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
_LIMITS = Limits(depth=100_000)  # a page is bounded by what it shows, not by how deep that lies
_MOST_OPAQUE = 16  # each of them means another pass, as in archive/dicom/read.py


def walked(data: bytes, transfer_syntax_uid: str, build: Callable[[Walk], T]) -> T:
    """Return what `build` makes of a data set, which begins with its first element and is inflated.

    A sequence that cannot be read is stepped over as one value, in another walk. Raise NotDecodable, naming
    the attribute, where that does not help.
    """
    opaque: frozenset[int] = frozenset()
    while True:
        walk = Walk(
            BytesSource(data),
            0,
            implicit=transfer_syntax_uid == _IMPLICIT,
            big_endian=transfer_syntax_uid == _BIG_ENDIAN,
            opaque=opaque,
            limits=_LIMITS,
        )
        try:
            return build(walk)
        except Unreadable as error:
            if error.sequence is None or error.sequence in opaque or len(opaque) >= _MOST_OPAQUE:
                raise NotDecodable(f"the instance cannot be read: {error}") from error
            opaque |= {error.sequence}
        except NotDicom as error:
            raise NotDecodable(f"the instance cannot be read: {error}") from error
