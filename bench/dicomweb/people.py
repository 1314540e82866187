"""The patients of the searches: made-up names of syllables, the same person for the same number.

Every field has one length, so that instances of a person are made of a template by a swap of bytes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

_SYLLABLES = """
    BA BE BI BO CA CE CO DA DE DI DO FA FE FI GA GI KA KE KI LA LE LI LO MA ME MI MO NA NE NO
    RA RE RI RO SA SE SI TA TE TI TO
    """.split()  # noqa: SIM905 a list of them reads worse
_FIRST, _DAYS = date(2015, 1, 1), 3650


@dataclass(frozen=True, slots=True)
class Person:
    """One patient with one study."""

    number: int
    patient_id: str
    name: str
    accession: str
    date: str


TOKENS = Person(0, "PIDTOKEN00", "NAMTOKEN^NTOK", "ACCTOKEN00", "19010203")


def person(number: int) -> Person:
    """Return patient `number`."""
    chance = random.Random(number)  # noqa: S311 the same people each time, no secret
    family = "".join(chance.choices(_SYLLABLES, k=4))
    given = "".join(chance.choices(_SYLLABLES, k=2))
    day = _FIRST + timedelta(days=chance.randrange(_DAYS))
    return Person(number, f"POP{number:07}", f"{family}^{given}", f"AC{number:08}", f"{day:%Y%m%d}")


def population(count: int) -> list[Person]:
    """Return so many patients."""
    return [person(number) for number in range(count)]
