"""Ranges that lie near each other in an object, joined into one read.

Owns only the arithmetic: frames and bulk values give ranges, whoever reads decides how large a read may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Range = tuple[int, int]
"""Offset and length in bytes."""


@dataclass(frozen=True, slots=True)
class Run:
    """One read that covers consecutive ranges of the request."""

    offset: int
    length: int
    members: tuple[Range, ...]  # in the order asked for

    def cut(self, data: bytes, member: Range) -> bytes:
        """Return the bytes of a member from the bytes of the run; too few where the object ended early."""
        start = member[0] - self.offset
        return data[start : start + member[1]]


def join_ranges(ranges: Sequence[Range], *, gap: int, limit: int) -> list[Run]:
    """Join neighbours in the order given, so that answers can be sent as they are read.

    A range joins the run before it when at most `gap` bytes are read in vain between the two and the run
    stays within `limit` bytes. A single range may be larger than `limit`.
    """
    runs: list[Run] = []
    members: list[Range] = []
    begin = stop = 0
    for range_ in ranges:
        at, end = range_[0], range_[0] + range_[1]
        if members:
            first, last = min(begin, at), max(stop, end)
            if max(at - stop, begin - end) <= gap and last - first <= limit:
                begin, stop = first, last
                members.append(range_)
                continue
            runs.append(Run(begin, stop - begin, tuple(members)))
        members, begin, stop = [range_], at, end
    if members:
        runs.append(Run(begin, stop - begin, tuple(members)))
    return runs
