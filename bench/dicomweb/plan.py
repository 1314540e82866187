"""What a run stores and asks for: how many rounds and studies, and the salts that keep its objects apart.

Read cases find two series of 300 slices and one native multi-frame for each round (what is asked for "first"
must be new), one multi-frame of every other coding, and the population of the searches. Store cases make
their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.dicomweb import checks
from bench.dicomweb.client import Request
from bench.dicomweb.identity import Kind, salted, uid
from bench.dicomweb.objects import SERIES_LENGTH, MultiFrame, ct_slice, multi_frame
from bench.dicomweb.people import Person, population
from bench.dicomweb.pixels import Coding

JSON = "application/dicom+json"
INSTANCES_A_PERSON = 2
_BOUNDARY = b"bench-boundary-7f3a91"
_A_RUN = 1000  # salts of one run
_WARM = 100  # the salt of what a server is warmed with
_STORES = 200  # the first salt of the store cases


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `number` makes the same objects other studies: a server measured again needs another one."""

    number: int = 0
    rounds: int = 3
    population: int = 500
    slices: int = SERIES_LENGTH
    native_frames: int = 200
    compressed_frames: int = 50

    @property
    def people(self) -> list[Person]:
        """The population of the searches."""
        return population(self.population)

    def series_salt(self, number: int) -> int:
        """Return the salt of the series that is number `number` of those that read cases use."""
        return self.number * _A_RUN + number

    @property
    def warm_salt(self) -> int:
        """The salt of a few slices that no case asks for."""
        return self.number * _A_RUN + _WARM

    def store_salt(self, case: int, number: int) -> int:
        """Return the salt of what store case `case` stores in a round."""
        return self.number * _A_RUN + _STORES + case * 30 + number

    def multi_frame(self, coding: Coding) -> MultiFrame:
        """Return the multi-frame of a coding."""
        return multi_frame(coding, self.native_frames if coding.native else self.compressed_frames)

    def series(self, salt: int) -> list[bytes]:
        """Return the slices of a series."""
        return [salted(ct_slice(number), salt) for number in range(1, self.slices + 1)]

    def series_uids(self, salt: int) -> list[str]:
        """Return the SOP Instance UIDs of a series."""
        return [uid(Kind.SLICE, 1, 1, number, salt=salt) for number in range(1, self.slices + 1)]


def store_request(files: list[bytes]) -> Request:
    """Return a STOW request of files."""
    head = b"--" + _BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
    pieces = [piece for file in files for piece in (head, file, b"\r\n")]
    kind = f'multipart/related; type="application/dicom"; boundary={_BOUNDARY.decode()}'
    return Request(
        "/studies",
        checks.stored(len(files)),
        "POST",
        {"Accept": JSON, "Content-Type": kind},
        b"".join([*pieces, b"--", _BOUNDARY, b"--\r\n"]),
    )
