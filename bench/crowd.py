"""The studies of a hospital of any size: who the patients are, what was done, when and on which device.

The same study for the same number of an archive of the same size. Common names are common, most patients come
once and some all the time, most images are taken on weekdays, and UIDs begin with those of their device.
Instances are made of them in crowd_instances.py.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate, product

ROOT = "1.2.826.0.1.3680043.8.498."
"""What every UID begins with."""

_FAMILIES = """
    Smith Jones Müller Nguyen García Rossi Kowalski Andersson Demir Papadopoulos Novák Silva Dubois Ivanova
    Tanaka Kim Okafor Hamilton Miller Milani O'Connor Van_den_Berg Schmidt Fernández Nowak Jansen Larsen
    """.split()  # noqa: SIM905 a list of them reads worse
_STEMS = """
    Ahl Bach Berg Brand Carl Dahl Eck Fried Grün Hag Hansen Hart Holm Hoff Hjort Jung Kauf Kell Klein Kraus
    Lang Lind Löf Lund Mark Mart Mey Mitter Nord Ober Ost Peters Quist Rein Rich Ros Sand Schön Sten Stein
    Strand Ström Thor Ul Val Vester Vik Wald Wester Winter Wolf Zell
    """.split()  # noqa: SIM905 as above
_ENDINGS = """
    a ander ans auer bach baum berg berger blad borg burg dahl eld en er erin feld gaard gren hagen haus heim
    hof holm in ing kamp land lander ler lund man mann mark ner nes qvist rud sen shaw son stad stedt stein
    ström thal tveit vall
    """.split()  # noqa: SIM905 as above
_GIVEN = """
    Anna John María Hans Yuki Ngozi Emil Milena Olga Pierre Giulia Lars Elif Tomáš Inês Chloé Ivan Min Sofia
    Peter Maria Karl Eva Thomas Julia Paul Laura Martin Sara Erik Nina Jan Lena Max Clara Ali Leila Omar
    Fatima Wei Jing Haruto Aoi Raj Priya José Carmen Luca Elena David Ruth Samuel Miriam Kofi Ama Björn Astrid
    """.split()  # noqa: SIM905 as above
_FAMILY_NAMES = _FAMILIES + [stem + end for stem, end in product(_STEMS, _ENDINGS)]


def _by_rank(number: int, flat: float) -> list[float]:
    """Return running sums of weights that fall with the rank, as those of names do (Zipf)."""
    return list(accumulate(1 / (rank + flat) for rank in range(number)))


_FAMILY_WEIGHTS, _GIVEN_WEIGHTS = _by_rank(len(_FAMILY_NAMES), 12), _by_rank(len(_GIVEN), 8)
_DOCTORS = 400
_DEVICES = 60
_FIRST = datetime(2016, 1, 4, 7, tzinfo=UTC)
_DAYS = 3_640  # ten years, so far


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of examination: its weight among all, and the images of each series before they are scaled."""

    modality: str
    description: str
    body_part: str
    weight: int
    series: tuple[int, ...]


KINDS = (
    Kind("DX", "Chest PA and lateral", "CHEST", 25, (2,)),
    Kind("DX", "Hand right 2 views", "HAND", 8, (2,)),
    Kind("CT", "CT Head without contrast", "HEAD", 14, (2, 40, 60)),
    Kind("CT", "CT Abdomen/Pelvis with IV contrast", "ABDOMEN", 10, (2, 120, 90)),
    Kind("CT", "CT Chest low dose", "CHEST", 8, (2, 100)),
    Kind("MR", "MRI Brain with and without contrast", "BRAIN", 10, (3, 25, 25, 30, 160)),
    Kind("MR", "MRI Knee left", "KNEE", 5, (3, 25, 25, 30)),
    Kind("US", "US Abdomen complete", "ABDOMEN", 10, (25,)),
    Kind("MG", "Screening mammography bilateral", "BREAST", 6, (4,)),
    Kind("NM", "Bone scan whole body", "SKELETON", 3, (2, 8)),
    Kind("XA", "Coronary angiography", "HEART", 1, (12,)),
)
_KIND_WEIGHTS = list(accumulate(kind.weight for kind in KINDS))


@dataclass(frozen=True)
class Study:
    """One study: the number `n` of an archive of `of` studies, in the order in which they were made."""

    n: int
    of: int

    @cached_property
    def patient(self) -> Patient:
        """Whose study it is."""
        most = max(self.of // 3, 1)
        return Patient(int(most * self.chance(_PATIENT) ** 1.3))

    @cached_property
    def when(self) -> datetime:
        """When it was begun."""
        day = int(_DAYS * self.n / self.of)
        if day % 7 > 4 and self.chance(_WEEKEND) < 0.75:
            day -= day % 7 - 4
        minutes = int(600 * self.chance(_MINUTES))
        return _FIRST + timedelta(days=day, minutes=minutes, seconds=self.n % 60)

    @cached_property
    def kind(self) -> Kind:
        """What was done."""
        return KINDS[_pick(_KIND_WEIGHTS, self.chance(_KIND))]

    @cached_property
    def uid_tail(self) -> str:
        """What follows ROOT in the Study Instance UID: the device, the moment, a number."""
        device = int(_DEVICES * self.chance(_DEVICE))
        return f"{1000 + device}.{self.when:%Y%m%d%H%M%S}.{self.n}"

    @property
    def uid(self) -> str:
        """The Study Instance UID."""
        return ROOT + self.uid_tail

    @property
    def accession_number(self) -> str:
        """The number of the order; one in ten has none."""
        return f"RIS{self.n:08}" if self.n % 10 else ""

    @cached_property
    def referring_physician(self) -> str:
        """One of some hundred doctors."""
        return Patient(-1 - int(_DOCTORS * self.chance(_DOCTOR))).name

    @cached_property
    def has_report(self) -> bool:
        """Whether a structured report is among the series."""
        return self.chance(_REPORT) < 0.3

    def chance(self, question: int) -> float:
        """Return a number from 0 to 1 that belongs to a question, in whatever order they are asked."""
        return _fraction((self.n * 64 + question) * _PRIME + self.of)


_PATIENT, _WEEKEND, _MINUTES, _KIND, _DEVICE, _DOCTOR, _REPORT = range(7)
_PRIME = 1_000_003


@dataclass(frozen=True)
class Patient:
    """One person: always the same for the same number."""

    number: int

    @cached_property
    def name(self) -> str:
        """The name as it is sent."""
        family = _FAMILY_NAMES[_pick(_FAMILY_WEIGHTS, self._chance(0))]
        given = _GIVEN[_pick(_GIVEN_WEIGHTS, self._chance(1))]
        return f"{family}^{given}^{chr(65 + int(26 * self._chance(2)))}"

    @property
    def id(self) -> str:
        """The number that the hospital gave."""
        return f"{1_000_000 + self.number * 7}"

    @property
    def birth_date(self) -> str:
        """A day, YYYYMMDD."""
        year, month, day = 1930 + int(90 * self._chance(3)), 1 + int(12 * self._chance(4)), self._chance(5)
        return f"{year}{month:02}{1 + int(28 * day):02}"

    @property
    def sex(self) -> str:
        """F or M."""
        return "FM"[self._chance(6) < 0.48]

    def _chance(self, question: int) -> float:
        return _fraction(self.number * 64 + question)


def _fraction(seed: int) -> float:
    """Return a number from 0 to 1 for a whole number: neighbours are far apart (SplitMix64)."""
    x = (seed + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return (x ^ (x >> 31)) / 2**64


def _pick(weights: list[float] | list[int], chance: float) -> int:
    return bisect(weights, chance * weights[-1])
