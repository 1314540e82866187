"""One tree of errors, without HTTP in it; archive/web/errors.py maps it to statuses by one table.

FilmroomError
├── InvalidRequest        the request itself is wrong; names the parameter, header or attribute
├── NotAcceptable         nothing that the client accepts can be made; says what is offered
├── UnsupportedMedia      the body's media type is not taken; says what is
├── TooLarge              a limit on a body, a part or a number was passed
├── NotFound              no such resource, or none that the caller may see
├── Gone                  it was here and was deleted
├── Conflict              the state of the resource does not allow it
├── RangeNotSatisfiable   no byte of the asked range exists
├── NotDicom              bytes cannot be understood as a DICOM instance; carries a failure reason
├── NotDecodable          stored pixels cannot be turned into what was asked
│   └── Overtime          not in the time that is allowed
└── Unavailable           the index or the store cannot be asked now; try again
    └── CommitUnknown     the connection broke while committing: stored or not, try again

The store of bytes has its own tree in storage/errors.py.
"""

from __future__ import annotations


class FilmroomError(Exception):
    """Base of every error that Filmroom expects."""


class InvalidRequest(FilmroomError):
    """The request is wrong; `where` names the parameter, header or attribute."""

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.where = where


class NotAcceptable(FilmroomError):
    """Nothing acceptable can be made; `offered` are the media types that can."""

    def __init__(self, message: str, *, offered: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.offered = offered


class UnsupportedMedia(FilmroomError):
    """The media type of the body is not taken; `offered` are those that are."""

    def __init__(self, message: str, *, offered: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.offered = offered


class TooLarge(FilmroomError):
    """A documented limit was passed."""


class NotFound(FilmroomError):
    """No such resource, or none that the caller may see: the two look the same."""


class Gone(FilmroomError):
    """The resource was stored here and was deleted."""


class Conflict(FilmroomError):
    """The state of the resource does not allow what was asked."""


class RangeNotSatisfiable(FilmroomError):
    """No byte of the asked range exists; `size` is the length in bytes of the whole."""

    def __init__(self, message: str, *, size: int) -> None:
        super().__init__(message)
        self.size = size


class NotDicom(FilmroomError):
    """Bytes that cannot be stored as a DICOM instance.

    `reason` is a failure reason of PS3.18 Table I.2-2 (archive/model/store.py); `attribute` is the tag at
    fault as 8 hex digits, where one is; the UIDs are those that could be read all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: int = 0xC000,
        attribute: str | None = None,
        sop_class_uid: str | None = None,
        sop_instance_uid: str | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.attribute = attribute
        self.sop_class_uid = sop_class_uid
        self.sop_instance_uid = sop_instance_uid


class NotDecodable(FilmroomError):
    """Stored pixels cannot be turned into what was asked."""


class Overtime(NotDecodable):
    """It took longer than is allowed; where the machine has less to do the same may succeed."""


class Unavailable(FilmroomError):
    """The index or the store cannot be asked now; the same request may succeed later."""


class CommitUnknown(Unavailable):
    """The connection broke while committing, so nobody knows yet whether the rows are there."""
