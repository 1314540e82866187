"""Instances that come as metadata and bulk data apart (PS3.18 10.5.2), put together as Part 10 files.

Metadata are small and are held; each bulk data part is staged under its Content-Location. When the request's
body has ended, every instance is built and given to the session like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urljoin

from archive.dicom.build import BulkPart, build_instance
from archive.errors import NotDicom, TooLarge
from archive.model.store import Failed
from archive.services.staging import Staged, StagedReader
from archive.services.store_session import StoreSession

MAX_METADATA = 2**26
"""Bytes of all metadata of a request."""


class SeparateParts:
    """The parts of one request. Use as a context manager: leaving it gives the staged bulk data back."""

    def __init__(self, session: StoreSession, base: str) -> None:
        """Build for `session`; `base` is the address that relative locations are relative to."""
        self._session = session
        self._base = base
        self._bulk: dict[str, list[tuple[Staged, str, str | None]]] = {}
        self._metadata = 0

    def __enter__(self) -> SeparateParts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for parts in self._bulk.values():
            for staged, *_ in parts:
                staged.close()

    def count_metadata(self, size: int) -> None:
        """Take note of bytes of metadata; raise TooLarge when there are too many."""
        self._metadata += size
        if self._metadata > MAX_METADATA:
            raise TooLarge(f"the metadata of a request are longer than {MAX_METADATA} bytes")

    def stage(self, location: str, media_type: str, transfer_syntax_uid: str | None) -> Staged:
        """Return an empty place for a bulk data part; parts of one location are frames, in their order."""
        staged = self._session.stage()
        place = urljoin(self._base, location)
        self._bulk.setdefault(place, []).append((staged, media_type, transfer_syntax_uid))
        return staged

    def build(self, dataset: Mapping[str, Any]) -> None:
        """Put one instance together and add it to the session; what is wrong with it fails alone."""
        try:
            built = build_instance(dataset, self._resolve)
        except NotDicom as error:
            self._session.refuse(
                Failed(error.reason, str(error), error.sop_instance_uid, error.sop_class_uid, error.attribute)
            )
            return
        staged = self._session.stage()
        try:
            for chunk in built.chunks():
                staged.write(chunk)
        except BaseException:
            staged.close()
            raise
        self._session.add(staged)

    def _resolve(self, uri: str) -> Sequence[BulkPart]:
        parts = self._bulk.get(urljoin(self._base, uri), ())
        return [_bulk_part(*part) for part in parts]


def _bulk_part(staged: Staged, media_type: str, transfer_syntax_uid: str | None) -> BulkPart:
    return BulkPart(lambda: StagedReader(staged), staged.size, media_type, transfer_syntax_uid)
