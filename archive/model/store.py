"""Outcomes of a store request (PS3.18 10.5.3 and Annex I)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class FailureReason(IntEnum):
    """Failure Reason (0008,1197), PS3.18 Table I.2-2 and PS3.3 C.14.1.1."""

    PROCESSING_FAILURE = 0x0110
    DUPLICATE_SOP_INSTANCE = 0x0111
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NOT_AUTHORIZED = 0x0124
    OUT_OF_RESOURCES = 0xA700
    DOES_NOT_MATCH_SOP_CLASS = 0xA900
    CANNOT_UNDERSTAND = 0xC000


class WarningReason(IntEnum):
    """Warning Reason (0008,1196), PS3.18 Table I.2-1."""

    COERCED = 0xB000
    ELEMENTS_DISCARDED = 0xB006
    DOES_NOT_MATCH = 0xB007


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance that is durable and indexed. `notes` are sentences for the Warning header."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    warning: WarningReason | None = None
    notes: tuple[str, ...] = ()
    already: bool = False  # the same bytes were here before; nothing was written


@dataclass(frozen=True, slots=True)
class Failed:
    """An instance that was not stored. UIDs are None where they could not be read."""

    reason: int
    message: str
    sop_uid: str | None = None
    sop_class_uid: str | None = None
    attribute: str | None = None  # tag at fault, 8 hex digits


Outcome = Stored | Failed
