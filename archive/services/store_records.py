"""What a store request will write to the index, held until its one transaction: in memory, then on disk."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator

from archive.index.store import NewInstance

_MEMORY = 2**23


class PendingRecords:
    """Records of a request of any length, given back in order of their UIDs."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_MEMORY, prefix="filmroom-")  # noqa: SIM115
        self._entries: list[tuple[tuple[str, str, str], int]] = []  # UIDs, offset

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, record: NewInstance) -> None:
        """Keep a record."""
        identity = record.reading.identity
        self._file.seek(0, 2)
        uids = (identity.study_uid, identity.series_uid, identity.sop_uid)
        self._entries.append((uids, self._file.tell()))
        pickle.dump(record, self._file, pickle.HIGHEST_PROTOCOL)

    def __iter__(self) -> Iterator[NewInstance]:
        for _uids, offset in sorted(self._entries):
            self._file.seek(offset)
            yield pickle.load(self._file)  # noqa: S301 nobody else wrote this file

    def close(self) -> None:
        """Give back the memory or the file."""
        self._file.close()
