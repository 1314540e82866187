"""A zip file that is sent while it is made: stored, not deflated, with sizes after the data."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator

_DATE = (1980, 1, 1, 0, 0, 0)  # the same bytes for the same study, whenever it is asked for


class _Sink:
    """Where zipfile writes: what it wrote is taken away piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere."""

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def zip_chunks(files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """Give the bytes of a zip of (name, chunks); only the list of names grows with the number of files."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload] # write is enough
        for name, chunks in files:
            with archive.open(zipfile.ZipInfo(name, _DATE), "w", force_zip64=True) as member:
                for chunk in chunks:
                    member.write(chunk)
                    yield sink.take()
    yield sink.take()
