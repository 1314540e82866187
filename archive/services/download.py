"""Names of files in a download: folders that a person recognises, safe on every file system."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable

from archive.index.engine import Database
from archive.index.retrieve import SeriesLabel, series_labels
from archive.model.instance import StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal

_UNSAFE = re.compile(r"[^\w.+-]+")
_LONGEST = 60


class DownloadService:
    """Lays out a study as folders."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def names(self, principal: Principal, place: Place) -> Callable[[StoredInstance], str]:
        """Return a function that names each instance of a place, called in the order of sending.

        <PatientID> <StudyDate> <StudyDescription>/<SeriesNumber> <Modality> <SeriesDescription>/<00001>.dcm
        """
        labels = series_labels(self.database, principal, place)
        folders: dict[str, str] = {}
        taken: set[str] = set()
        counts: dict[str, int] = defaultdict(int)

        def name(instance: StoredInstance) -> str:
            uid = instance.identity.series_uid
            if uid not in folders:
                folder = _folder(labels[uid]) if uid in labels else _safe(uid)
                plain = _plain(folder)
                folders[uid] = f"{folder} {len(folders) + 1}" if plain in taken else folder
                taken.add(plain)
            counts[uid] += 1
            return f"{folders[uid]}/{counts[uid]:05d}.dcm"

        return name


def _folder(label: SeriesLabel) -> str:
    study = _safe(label.patient_id, label.study_date, label.study_description) or "study"
    number = "" if label.series_number is None else f"{label.series_number:03d}"
    return f"{study}/{_safe(number, label.modality, label.series_description) or 'series'}"


def _plain(name: str) -> str:
    """Return what names have in common that some file system takes for the same."""
    return unicodedata.normalize("NFKC", name).casefold()


def _safe(*words: str) -> str:
    """Join words to one name: letters, digits and a few signs, no blanks at the ends, not too long."""
    joined = "_".join(_UNSAFE.sub("-", word).strip("-.") for word in words if word)
    return joined[:_LONGEST].strip("_")
