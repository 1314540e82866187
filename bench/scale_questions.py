"""What a full index is asked by eight clients at once: the searches of the goal, and pages far down the list.

Requests go to studies drawn from all over the archive, other ones in every round. Checks hold each answer to
what the crowd is known to hold, so a fast wrong answer counts as bad.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlsplit

import orjson

from bench.crowd import Study
from bench.crowd_instances import LONG_SERIES, with_long_series
from bench.dicomweb import checks
from bench.dicomweb.client import Address, Answer, Check, Client, Request
from bench.dicomweb.runner import Case

CLIENTS = 8
PAGE = 50
FAR = 10_000  # pages
_DRAWN = 400  # requests of a round, which then go round
_VIEWER = 101


class Questions:
    """The cases for an archive of `studies` studies."""

    def __init__(self, studies: int, address: Address) -> None:
        self._studies = studies
        self._address = address

    def cases(self) -> Iterator[Case]:
        """Give the cases in the order of the report."""
        yield self._case("StudyInstanceUID, exact", self._by_uid)
        yield self._case("PatientID, exact", self._by_patient)
        yield self._case("AccessionNumber, exact", self._by_accession)
        yield self._case("name, first three letters and *", lambda study: self._by_name(study, "{0:.3}*"))
        yield self._case("name, three letters in the middle", lambda study: self._by_name(study, "*{1:.3}*"))
        yield self._case("name, four letters in the middle", lambda study: self._by_name(study, "*{1:.4}*"))
        yield self._case("StudyDate, a week", self._by_week)
        yield self._case(f"page 1 of {PAGE}", lambda _: _get(f"/studies?limit={PAGE}", checks.page(PAGE)))
        number, size = self._far()
        yield self._page(f"page {number:,}, by cursor", number, size)
        yield self._case(f"viewer's list of {_VIEWER} with counts", self._viewer)
        yield self._case("series of a study", self._series)
        yield self._case(f"instances of a series of {LONG_SERIES}", self._instances)
        yield self._case("any attribute (KVP), of an accession number", self._any_attribute_of_study)
        yield self._case("any attribute (KVP), of a patient", self._any_attribute_of_patient)
        yield self._case(f"metadata of a series of {LONG_SERIES}, gzip", self._metadata)

    def _case(self, name: str, make: Callable[[Study], Request]) -> Case:
        def requests(number: int) -> list[Request]:
            return [make(self._drawn(number * _DRAWN + i)) for i in range(_DRAWN)]

        return Case(name, requests, CLIENTS)

    def _drawn(self, number: int) -> Study:
        return Study(number * 7_368_787 % self._studies, self._studies)

    def _by_uid(self, study: Study) -> Request:
        return _get(f"/studies?StudyInstanceUID={study.uid}", checks.studies([study.uid], 1))

    def _by_patient(self, study: Study) -> Request:
        return _get(f"/studies?PatientID={study.patient.id}", _all("00100020", study.patient.id))

    def _by_accession(self, study: Study) -> Request:
        number = study.accession_number or "RIS00000001"
        return _get(f"/studies?AccessionNumber={number}", _all("00080050", number))

    def _by_name(self, study: Study, pattern: str) -> Request:
        family = study.patient.name.partition("^")[0].casefold()
        wanted = pattern.format(family, family[1:])
        return _get(f"/studies?PatientName={quote(wanted)}&limit={PAGE}", _named(wanted.strip("*")))

    def _by_week(self, study: Study) -> Request:
        end = study.when + timedelta(days=6)
        return _get(f"/studies?StudyDate={study.when:%Y%m%d}-{end:%Y%m%d}&limit={PAGE}", _some)

    def _viewer(self, _: Study) -> Request:
        wanted = "00081030,00080060,00201206,00201208"
        query = f"limit={_VIEWER}&offset=0&fuzzymatching=false&includefield={wanted}"
        return _get(f"/studies?{query}", checks.page(_VIEWER))

    def _series(self, study: Study) -> Request:
        return _get(f"/studies/{study.uid}/series", _all("0020000D", study.uid))

    def _instances(self, study: Study) -> Request:
        place = _long(study)
        return _get(f"{place}/instances?limit={LONG_SERIES}", _number(LONG_SERIES))

    def _metadata(self, study: Study) -> Request:
        return Request(f"{_long(study)}/metadata", _number(LONG_SERIES), headers={"Accept-Encoding": "gzip"})

    def _any_attribute_of_study(self, study: Study) -> Request:
        number = study.accession_number or "RIS00000001"
        query = f"AccessionNumber={number}&KVP=120&limit={PAGE}"
        return _get(f"/instances?{query}", _nothing_but("00080050", number))

    def _any_attribute_of_patient(self, study: Study) -> Request:
        query = f"PatientID={study.patient.id}&KVP=120&limit={PAGE}"
        return _get(f"/instances?{query}", _nothing_but("00100020", study.patient.id))

    def _far(self) -> tuple[int, int]:
        """Return the number and the size of the page far down: the 10,000th, of fewer where there are few."""
        size = min(PAGE, max(self._studies // FAR, 1))
        return min(FAR, self._studies // size), size

    def _page(self, name: str, number: int, size: int) -> Case:
        """Return the case of one page; its cursor is that which the server gives after the page before."""
        client = Client(self._address)
        before = client.send(_get(f"/studies?limit={size}&offset={(number - 2) * size}", checks.page(size)))
        client.close()
        link = before.headers["Link"].partition(">")[0].removeprefix("<")
        (cursor,) = parse_qs(urlsplit(link).query)["cursor"]
        request = _get(f"/studies?limit={size}&cursor={cursor}", checks.page(size))
        return Case(name, lambda _: [request], CLIENTS)


def _long(study: Study) -> str:
    other = with_long_series(study)
    return f"/studies/{other.uid}/series/{other.uid}.{len(other.kind.series)}"


def _get(path: str, check: Check) -> Request:
    return Request(path, check)


def _found(answer: Answer) -> list[dict[str, dict[str, list[object]]]]:
    return list(orjson.loads(answer.body)) if answer.body else []


def _some(answer: Answer) -> str:
    return "" if _found(answer) else "nothing found"


def _all(tag: str, value: str) -> Check:
    """Check that something is found, and nothing that has another value."""
    other = _nothing_but(tag, value)
    return lambda answer: _some(answer) or other(answer)


def _nothing_but(tag: str, value: str) -> Check:
    def check(answer: Answer) -> str:
        return "" if all(each[tag]["Value"] == [value] for each in _found(answer)) else "other matches"

    return check


def _named(part: str) -> Check:
    def check(answer: Answer) -> str:
        names = [each["00100010"]["Value"][0]["Alphabetic"].casefold() for each in _found(answer)]  # type: ignore[index]
        return "" if names and all(part in name for name in names) else "other names"

    return check


def _number(count: int) -> Check:
    def check(answer: Answer) -> str:
        zipped = answer.headers.get("Content-Encoding") == "gzip"
        found = orjson.loads(gzip.decompress(answer.body) if zipped else answer.body)
        return "" if len(found) == count else f"{len(found)}, not {count}"

    return check
