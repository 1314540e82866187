"""The sentences of a store answer: what became of an instance and why, without any patient's data."""

from __future__ import annotations

from archive.index.store import Verdict, Written
from archive.model.instance import Identity
from archive.model.store import Failed, FailureReason, Outcome, Stored, WarningReason
from storage.errors import StorageError, StoreFull, StoreUnavailable


def same_place(one: Identity, other: Identity) -> bool:
    """Tell whether two instances are of the same series of the same study."""
    return (one.study_uid, one.series_uid) == (other.study_uid, other.series_uid)


def stored(
    identity: Identity, notes: tuple[str, ...], *, already: bool = False, conflict: bool = False
) -> Stored:
    """The instance is durable. `conflict`: it names another patient than its study (B007)."""
    if conflict:
        notes = (*notes, "PatientID or IssuerOfPatientID differs from that of the study (0010,0020)")
    return Stored(
        identity.study_uid,
        identity.series_uid,
        identity.sop_uid,
        identity.sop_class_uid,
        warning=WarningReason.DOES_NOT_MATCH if conflict else None,
        notes=notes,
        already=already,
    )


def duplicate(identity: Identity) -> Failed:
    """Other content is stored under the UID, and FILMROOM_ON_DUPLICATE is reject."""
    return _failed(
        identity,
        FailureReason.DUPLICATE_SOP_INSTANCE,
        "the SOP Instance UID is stored already, with different content, which was kept "
        "(FILMROOM_ON_DUPLICATE=reject)",
    )


def elsewhere(identity: Identity) -> Failed:
    """The UID is stored in another study or series, which no policy overwrites."""
    return _failed(
        identity,
        FailureReason.DUPLICATE_SOP_INSTANCE,
        "the SOP Instance UID is stored already, in another study or series",
    )


def twice(identity: Identity) -> Failed:
    """The UID stood twice in one request."""
    return _failed(
        identity,
        FailureReason.DUPLICATE_SOP_INSTANCE,
        "the SOP Instance UID stands twice in this request with different content; the first was taken",
    )


def not_written(identity: Identity, error: StorageError) -> Failed:
    """The object store refused the bytes."""
    return _failed(identity, *reason_of(error))


def reason_of(error: StorageError) -> tuple[FailureReason, str]:
    """Return the failure reason and the sentence for an error of the object store."""
    if isinstance(error, StoreFull):
        return FailureReason.OUT_OF_RESOURCES, "the object store is full"
    if isinstance(error, StoreUnavailable):
        return FailureReason.OUT_OF_RESOURCES, "the object store does not answer; send the instance again"
    return FailureReason.PROCESSING_FAILURE, "the object store failed; send the instance again"


def written(identity: Identity, notes: tuple[str, ...], result: Written) -> Outcome:
    """Turn the verdict of the index into an outcome."""
    if result.verdict is Verdict.DUPLICATE:
        return duplicate(identity)
    if result.verdict is Verdict.ELSEWHERE:
        return elsewhere(identity)
    return stored(
        identity, notes, already=result.verdict is Verdict.ALREADY, conflict=result.patient_conflict
    )


def repeated(first: Outcome | None) -> Outcome | None:
    """The same instance stood in the request before: it shares that one's fate."""
    if isinstance(first, Stored):
        return Stored(
            first.study_uid, first.series_uid, first.sop_uid, first.sop_class_uid, first.warning, already=True
        )
    return first


def report(outcomes: list[Outcome]) -> list[dict[str, str | int]]:
    """Return one row for each thing to be told, in the order of the request.

    A row has the part (from 1), a sentence, the UID where it is known, and for a failure its reason (PS3.18
    Table I.2-2), so that a client knows what it may send again.
    """
    rows: list[dict[str, str | int]] = []
    for part, outcome in enumerate(outcomes, 1):
        sentences = (outcome.message,) if isinstance(outcome, Failed) else outcome.notes
        kind = "failure" if isinstance(outcome, Failed) else "warning"
        reason = {"reason": int(outcome.reason)} if isinstance(outcome, Failed) else {}
        rows += [
            {
                "part": part,
                "kind": kind,
                **reason,
                "sop_instance_uid": outcome.sop_uid or "",
                "message": sentence,
            }
            for sentence in sentences
        ]
    return rows


def _failed(identity: Identity, reason: FailureReason, message: str) -> Failed:
    return Failed(reason, message, identity.sop_uid, identity.sop_class_uid)
