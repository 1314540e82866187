"""What a store request will write to the index, held until its one transaction: in memory, then on disk."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator

from archive.index.store import NewInstance
from archive.model.instance import Identity

_MEMORY = 2**23


class PendingRecords:
    """Records of a request of any length, given back in order of their UIDs."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_MEMORY, prefix="filmroom-")  # noqa: SIM115
        self._entries: dict[tuple[str, str, str], int] = {}  # UIDs: offset

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, record: NewInstance) -> None:
        """Keep a record."""
        self._file.seek(0, 2)
        self._entries[_uids(record.reading.identity)] = self._file.tell()
        pickle.dump(record, self._file, pickle.HIGHEST_PROTOCOL)

    def find(self, identity: Identity) -> NewInstance | None:
        """Return the record of an instance, where there is one."""
        offset = self._entries.get(_uids(identity))
        return None if offset is None else self._load(offset)

    def __iter__(self) -> Iterator[NewInstance]:
        for _, offset in sorted(self._entries.items()):
            yield self._load(offset)

    def close(self) -> None:
        """Give back the memory or the file."""
        self._file.close()

    def _load(self, offset: int) -> NewInstance:
        self._file.seek(offset)
        record: NewInstance = pickle.load(self._file)  # noqa: S301 nobody else wrote this file
        return record


def _uids(identity: Identity) -> tuple[str, str, str]:
    return identity.study_uid, identity.series_uid, identity.sop_uid
