"""Bring a server to where the cases find it: what they ask for is stored, and nothing starts any more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor

from bench.dicomweb import checks
from bench.dicomweb.client import Answer, Client, Request
from bench.dicomweb.identity import Kind, instance_path, salted, uid
from bench.dicomweb.objects import ct_slice, tiny
from bench.dicomweb.pixels import CODINGS, NATIVE
from bench.dicomweb.plan import INSTANCES_A_PERSON, JSON, Plan, store_request
from bench.dicomweb.runner import Server

_BATCH = 50
# Which transactions have cases that ask for what.
_READ = frozenset(("metadata", "retrieve", "search", "rendered", "frames"))
_SERIES_A_ROUND = frozenset(("metadata", "rendered"))
_MULTI_FRAMES = frozenset(("metadata", "rendered", "frames"))
_WARM_SLICES = 16
_WARM_ASKED = (("/rendered", "image/jpeg"), ("/metadata", JSON), ("/frames/1", "*/*"), ("", "*/*"))


class NotEmpty(RuntimeError):
    """The server holds objects of this salt already, so that stores would not be stores."""


class NotLoaded(RuntimeError):
    """The server did not take what the read cases ask for."""


def load(plan: Plan, server: Server, words: Collection[str] = ()) -> None:
    """Store what the read cases of these transactions (none: of all) ask for; raise NotEmpty or NotLoaded."""
    client = Client(server.address)
    try:
        if not _nothing_of(client, server, {"StudyInstanceUID": uid(Kind.SLICE, 1, salt=plan.warm_salt)}):
            raise NotEmpty(
                f"{server.name} has the studies of this run; give another --number, or an empty server"
            )
        for files in _batches(_slices_and_frames(plan, set(words) or _READ)):
            _store(client, server, files)
        people = plan.people
        if _nothing_of(client, server, {"PatientID": people[-1].patient_id}):
            tinies = (tiny(person, n + 1) for person in people for n in range(INSTANCES_A_PERSON))
            for files in _batches(tinies):
                _store(client, server, files)
    finally:
        client.close()


def warm(plan: Plan, server: Server) -> None:
    """Ask for one of each from several connections: processes and codecs are there before a clock runs."""
    clients = [Client(server.address) for _ in range(_WARM_SLICES // 2)]
    with ThreadPoolExecutor(len(clients)) as pool:
        for place, client in enumerate(clients):
            pool.submit(_warm, plan, client, range(1 + place, _WARM_SLICES + 1, len(clients)))


def _warm(plan: Plan, client: Client, numbers: Iterable[int]) -> None:
    for number in numbers:
        path = instance_path(Kind.SLICE, 1, 1, number, salt=plan.warm_salt)
        for tail, accept in _WARM_ASKED:
            client.send(Request(path + tail, _unchecked, headers={"Accept": accept}))
    client.close()


def _unchecked(_answer: Answer) -> str:
    return ""


def _slices_and_frames(plan: Plan, words: Set[str]) -> Iterator[bytes]:
    for number in range(1, _WARM_SLICES + 1):
        yield salted(ct_slice(number), plan.warm_salt)
    series = 2 * plan.rounds if words & _SERIES_A_ROUND else 1
    for number in range(series if words & _READ else 0):
        yield from plan.series(plan.series_salt(number))
    for coding in CODINGS if words & _MULTI_FRAMES else ():
        for number in range(plan.rounds if coding is NATIVE else 1):
            yield salted(plan.multi_frame(coding).file, plan.series_salt(number))


def _batches(files: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for file in files:
        batch.append(file)
        if len(batch) == _BATCH or len(file) > 2**20:
            yield batch
            batch = []
    if batch:
        yield batch


def _store(client: Client, server: Server, files: list[bytes]) -> None:
    request = store_request(files)
    if wrong := request.wrong(client.send(request)):
        raise NotLoaded(f"{server.name}: {wrong}")


def _nothing_of(client: Client, server: Server, match: dict[str, str]) -> bool:
    query = "&".join(f"{name}={value}" for name, value in match.items())
    request = Request(f"/studies?{query}", _unchecked, headers={"Accept": JSON})
    answer = client.send(request)
    if wrong := request.wrong(answer):
        raise NotLoaded(f"{server.name}: {wrong}")
    return not checks.page(0)(answer)
