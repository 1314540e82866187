"""Instances on their way out: as stored, or converted, in order, the next few being fetched already."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from archive.errors import NotDecodable
from archive.index.engine import Database
from archive.index.retrieve import fetch_instances, instance_ids, one_instance, revision
from archive.model.instance import StoredInstance
from archive.model.level import Level, Place
from archive.model.principal import Principal
from archive.services.blocks import Blocks
from archive.services.conversion import Conversion
from storage.contract import ObjectStore

_AHEAD = 4  # objects being fetched while one is sent
_SMALL = 2**22  # bytes; a longer object is passed on in blocks as it comes


@dataclass(frozen=True, slots=True)
class Body:
    """An instance as it is sent. `length` is None where it is known only at the end; `chunks` go once."""

    instance: StoredInstance
    transfer_syntax_uid: str
    length: int | None
    chunks: Iterable[bytes]


class RetrieveService:
    """Finds instances and gives their bytes."""

    def __init__(
        self, database: Database, objects: ObjectStore, executor: Executor, conversion: Conversion
    ) -> None:
        self.database = database
        self.objects = objects
        self.executor = executor
        self.conversion = conversion

    def instances(self, principal: Principal, place: Place) -> Iterator[StoredInstance]:
        """Go through the instances at a place, in order of their numbers. Raise NotFound or Gone."""
        if place.level is Level.INSTANCE:
            return iter((one_instance(self.database, principal, place),))
        return fetch_instances(self.database, instance_ids(self.database, principal, place))

    def revision(self, principal: Principal, place: Place) -> str:
        """Return a text that changes with the study or the series at a place."""
        return revision(self.database, principal, place)

    def stored(self, instance: StoredInstance, start: int = 0, length: int | None = None) -> Blocks:
        """Give the bytes of an instance as they were stored, or a range of them."""
        size = instance.size - start if length is None else length
        return Blocks(self.objects, instance.object_key, start, size)

    def body(self, instance: StoredInstance, syntax: str, *, stored_if_broken: bool) -> Body:
        """Give one instance in a transfer syntax, as `bodies` does."""
        return self._body(instance, syntax, None, stored_if_broken)

    def bodies(
        self,
        instances: Iterable[StoredInstance],
        syntax_of: Callable[[StoredInstance], str],
        *,
        stored_if_broken: bool,
    ) -> Iterator[Body]:
        """Give instances in the transfer syntax that `syntax_of` chooses for each.

        The stored one means byte for byte; others are Explicit VR Little Endian and those of ENCODERS
        (archive/imaging/encode.py). An instance whose first frame cannot be made goes as stored where that is
        allowed, else raises NotDecodable.
        """
        ahead: deque[tuple[StoredInstance, str, Future[bytes] | None]] = deque()
        try:
            for instance in instances:
                ahead.append(self._begin(instance, syntax_of(instance)))
                if len(ahead) > _AHEAD:
                    yield self._body(*ahead.popleft(), stored_if_broken)
            while ahead:
                yield self._body(*ahead.popleft(), stored_if_broken)
        finally:
            for *_, future in ahead:
                if future is not None:
                    future.cancel()

    def _begin(
        self, instance: StoredInstance, syntax: str
    ) -> tuple[StoredInstance, str, Future[bytes] | None]:
        if syntax != instance.transfer_syntax_uid or instance.size > _SMALL or self.objects.in_files:
            return instance, syntax, None
        future = self.executor.submit(self.objects.read, instance.object_key, 0, instance.size)
        return instance, syntax, future

    def _body(
        self, instance: StoredInstance, syntax: str, future: Future[bytes] | None, stored_if_broken: bool
    ) -> Body:
        if future is not None:
            return Body(instance, syntax, instance.size, (future.result(),))
        if syntax != instance.transfer_syntax_uid:
            try:
                return Body(instance, syntax, None, self.conversion.converted(instance, syntax))
            except NotDecodable:
                if not stored_if_broken:
                    raise
        return Body(instance, instance.transfer_syntax_uid, instance.size, self.stored(instance))
