"""What Filmroom wants to be: so many times as fast as the best other server in the same run, row by row."""

from __future__ import annotations

LARGE = 10_000  # studies from which the goals of a large archive hold
MIB = 2**20
PEAK = 300 * MIB  # of all processes, over the whole run
RISE = 16 * MIB  # above idle, while the multi-frame of 105 MB is stored
RISE_ROW = ("store a multi-frame of 105 MB", 1)

_ANY = {
    ("store 1 a request", 1): 1.5,
    ("store 1 a request", 4): 2.0,
    ("store 10 a request", 4): 2.0,
    ("store 100 a request", 4): 2.5,
    RISE_ROW: 2.0,
    ("metadata of 300, again, gzip", 1): 4.0,
    ("metadata of 300, again, identity", 1): 1.5,
    ("retrieve an instance of 0.53 MB", 1): 2.0,
    ("retrieve an instance of 0.53 MB", 4): 1.6,
    ("retrieve a series of 300, 159 MB", 1): 1.5,
    ("retrieve a series of 300, 159 MB", 2): 1.5,
    ("one frame of 200, 105 MB, first", 1): 50.0,
    ("one frame of 200, 105 MB, again", 1): 1.5,
    ("10 frames of 200, native", 1): 40.0,
    ("rendered slice", 1): 2.0,
    ("rendered frame of 200, 105 MB", 1): 40.0,
    ("instances of a series of 300", 1): 50.0,
}
_SMALL = {
    ("metadata of 300, first, gzip", 1): 50.0,
    ("metadata of one instance", 1): 3.0,
    ("search by PatientID", 1): 2.0,
    ("search by StudyInstanceUID", 1): 2.0,
    ("search by AccessionNumber", 1): 2.0,
}
_OF_MANY = {
    ("metadata of 300, first, gzip", 1): 1000.0,
    ("metadata of one instance", 1): 100.0,
    **{
        (f"search by {what}", clients): times
        for what in ("PatientID", "StudyInstanceUID", "AccessionNumber")
        for clients, times in ((1, 15.0), (8, 20.0))
    },
    ("search by the begin of a name", 1): 20.0,
    ("search by the middle of a name", 1): 20.0,
    ("search by a week", 1): 20.0,
    ("first page of 50", 1): 40.0,
    ("page of 50 near the end", 1): 40.0,
    ("list of 101 with counts", 1): 30.0,
}


def times(key: tuple[str, int], population: int) -> float | None:
    """Return the goal of a row, or None where it has none."""
    return _ANY.get(key) or (_OF_MANY if population >= LARGE else _SMALL).get(key)
