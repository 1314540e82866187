"""What a store request will write to the index, held until its one transaction: in memory, then on disk."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from typing import IO

from archive.index.store_rows import NewInstance
from archive.model.instance import Identity

_MEMORY = 2**23
_RECORD = 2**15
"""Bytes that a record takes beside its packed metadata and ranges, generously: its attributes are objects."""

Uids = tuple[str, str, str]


class PendingRecords:
    """Records of a request of any length, given back in order of their UIDs."""

    def __init__(self) -> None:
        self._held: dict[Uids, NewInstance] = {}
        self._memory = 0
        self._offsets: dict[Uids, int] = {}
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self._held) + len(self._offsets)

    def add(self, record: NewInstance) -> None:
        """Keep a record."""
        self._held[_uids(record.reading.identity)] = record
        self._memory += _size(record)
        if self._memory > _MEMORY:
            self._spill()

    def find(self, identity: Identity) -> NewInstance | None:
        """Return the record of an instance, where there is one."""
        return self._load(_uids(identity))

    def __iter__(self) -> Iterator[NewInstance]:
        for uids in sorted({*self._offsets, *self._held}):
            record = self._load(uids)
            if record is not None:
                yield record

    def close(self) -> None:
        """Give back the memory and the file."""
        self._held.clear()
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        """Move what is held to the file."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="filmroom-")  # noqa: SIM115 closed by close()
        for uids, record in self._held.items():
            self._offsets[uids] = self._file.seek(0, 2)
            pickle.dump(record, self._file, pickle.HIGHEST_PROTOCOL)
        self._held.clear()
        self._memory = 0

    def _load(self, uids: Uids) -> NewInstance | None:
        offset = self._offsets.get(uids)
        if offset is None or self._file is None:
            return self._held.get(uids)
        self._file.seek(offset)
        record: NewInstance = pickle.load(self._file)  # noqa: S301 nobody else wrote this file
        return record


def _uids(identity: Identity) -> Uids:
    return identity.study_uid, identity.series_uid, identity.sop_uid


def _size(record: NewInstance) -> int:
    reading = record.reading
    ranges = 64 * len(reading.bulk_values) + sum(len(block.ranges) for block in reading.frame_blocks)
    return _RECORD + len(record.metadata) + ranges
