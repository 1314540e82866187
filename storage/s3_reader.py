"""Bytes out of an S3-compatible store: one ranged GET, checked, and taken up again where it breaks off.

Servers differ: some answer a range with the whole object and 200, so the answer is believed only where its
own numbers fit what was asked.
"""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from storage.contract import ObjectReader
from storage.errors import ObjectDamaged, StoreUnavailable
from storage.s3_errors import BROKEN, status_of, translated
from storage.s3_get import S3Getter

_CHUNK = 2**20
_RESUMES = 2
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)\Z")
_PARTIAL, _UNSATISFIABLE = 206, 416


class S3Reader(ObjectReader):
    """An ObjectReader over `length` bytes of an object from `start`, or all to its end."""

    def __init__(
        self, client: Any, getter: S3Getter, place: dict[str, str], start: int, length: int | None
    ) -> None:
        """Ask for the bytes of the object at `place` (Bucket and Key)."""
        self._client = client
        self._getter = getter
        self._place = place
        self._position = start
        self._end = None if length is None else start + length
        self._resumes = _RESUMES
        self._body: Any = None
        self._connect()

    def read(self, size: int, /) -> bytes:
        """See ObjectReader.read."""
        while True:
            wanted = min(size, (self._end or 0) - self._position)
            if wanted <= 0:
                return b""
            try:
                data: bytes = self._body.read(wanted)
                if data:
                    self._position += len(data)
                    return data
                self._resume(None)
            except BROKEN as error:
                self._resume(error)

    def file_range(self) -> None:
        """See ObjectReader.file_range: there is no file."""
        return

    def close(self) -> None:
        """See ObjectReader.close. What was not read is left, with its connection."""
        if self._body is not None:
            self._body.close()
            self._body = None

    def _resume(self, error: Exception | None) -> None:
        """Ask for the rest after a break, a few times for one object."""
        self._spend(error)
        self._connect()

    def _spend(self, error: Exception | None) -> None:
        self.close()
        self._resumes -= 1
        if self._resumes < 0:
            raise StoreUnavailable(f"the answer broke off at byte {self._position}") from error

    def _connect(self) -> None:
        while True:
            try:
                self._ask()
            except ConnectionError as error:
                self._spend(error)
            else:
                return

    def _ask(self) -> None:
        if self._end == self._position:  # a range of no bytes cannot be asked for
            self._fit(object_size(self._client, self._place))
            return
        wanted = {} if self._whole() else {"Range": f"bytes={self._position}-{self._last()}"}
        with translated():
            try:
                answer = self._getter.get(self._place, wanted)
                if answer is None:
                    answer = self._client.get_object(**self._place, **wanted)
            except ClientError as error:
                if status_of(error.response) != _UNSATISFIABLE:
                    raise
                self._fit(object_size(self._client, self._place))
                if self._position != self._end:
                    raise ObjectDamaged("the store denies bytes that the object has") from error
                return
        self._body = answer["Body"]
        try:
            self._take(answer)
        except BaseException:
            self.close()
            raise

    def _take(self, answer: Any) -> None:
        """Hold the answer against what was asked, and go to the first byte that is wanted."""
        if "ContentLength" not in answer:
            raise ConnectionError("the head of the answer broke off")  # http.client takes that for its end
        if status_of(answer) != _PARTIAL:
            self._fit(answer["ContentLength"])
            self._skip(self._position)
            return
        range_ = _CONTENT_RANGE.match(answer.get("ContentRange", ""))
        if range_ is None:
            raise ConnectionError("the store sent a part and does not say which")
        first, last = int(range_[1]), int(range_[2])
        self._fit(last + 1 if range_[3] == "*" else int(range_[3]))
        if (first, last + 1) != (self._position, self._end) or answer["ContentLength"] != last + 1 - first:
            raise ObjectDamaged(f"the store sent bytes {first} to {last}, which were not asked for")

    def _fit(self, total: int) -> None:
        """Note the end of the object; raise ObjectDamaged where it comes before that of the range."""
        end = total if self._end is None else self._end
        if max(end, self._position) > total:
            raise ObjectDamaged(f"the object has {total} bytes, fewer than were asked for")
        self._end = end

    def _skip(self, count: int) -> None:
        try:
            while count:
                data = self._body.read(min(count, _CHUNK))
                if not data:
                    raise ConnectionError("the answer broke off")
                count -= len(data)
        except BROKEN as error:
            raise ConnectionError("the answer broke off") from error

    def _whole(self) -> bool:
        return self._position == 0 and self._end is None

    def _last(self) -> str:
        return "" if self._end is None else str(self._end - 1)


def object_size(client: Any, place: dict[str, str]) -> int:
    """Ask for the length of an object in bytes."""
    with translated():
        answer = client.head_object(**place)
    if "ContentLength" not in answer:
        raise StoreUnavailable("the head of the answer broke off")
    return int(answer["ContentLength"])
