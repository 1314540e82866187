"""A part of a file that whoever sends it may hand to the operating system, instead of reading it."""

from __future__ import annotations

from dataclasses import dataclass

SENDS_FILES = "filmroom.sends_files"
"""The key of a WSGI environment whose server takes a FileRange for bytes of the body."""


@dataclass(frozen=True, slots=True)
class FileRange:
    """`length` bytes from `offset` of an open file, whose descriptor stays its owner's to close."""

    descriptor: int
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length
