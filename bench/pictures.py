"""What a picture, or a frame in another transfer syntax, costs: through HTTP, nothing kept, for each core.

Counted is the CPU time of every process of the server, the children that decode and render as well, not the
time that passed: so many a second can a core make when it does nothing else.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Sequence

import imagecodecs
import numpy as np

from bench.server import Server
from bench.table import Row
from tests import builders

_SIDE, _SLICES = 512, 16
_ROUNDS = 3
_SECONDS = 2.0  # of CPU in each round: processes count theirs in hundredths
_JPEG_LS = "1.2.840.10008.1.2.4.80"

_STUDY = f"/dicom-web/studies/{builders.uid('pictures')}"
_NATIVE, _COMPRESSED = (
    [
        f"{_STUDY}/series/{builders.uid('pictures', kind)}/instances/{builders.uid('pictures', kind, number)}"
        for number in range(_SLICES)
    ]
    for kind in ("native", "compressed")
)

ASKED = (
    ("rendered JPEG of a 512 x 512 slice of 16 bits", _NATIVE, "/rendered", "image/jpeg"),
    ("thumbnail of it", _NATIVE, "/thumbnail", "image/jpeg"),
    ("its frame transcoded to JPEG-LS", _NATIVE, "/frames/1", f"image/jls; transfer-syntax={_JPEG_LS}"),
    ("to HTJ2K", _NATIVE, "/frames/1", "image/jphc; transfer-syntax=1.2.840.10008.1.2.4.201"),
    ("to RLE", _NATIVE, "/frames/1", "image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.5"),
    (
        "from JPEG-LS to native",
        _COMPRESSED,
        "/frames/1",
        "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1",
    ),
    ("rendered JPEG of the slice stored as JPEG-LS", _COMPRESSED, "/rendered", "image/jpeg"),
)


def rows() -> Iterator[Row]:
    """Give how many of each a core makes in a second: the best of rounds."""
    with Server(render_cache=0) as server:
        for file in _files():
            server.filmroom.store(file)
        for what, places, tail, accept in ASKED:
            yield _row(server, what, [place + tail for place in places], accept)


def _files() -> Iterator[bytes]:
    for number in range(_SLICES):
        pixels = _slice(number)
        yield builders.instance(PixelData=pixels.tobytes(), **_values("native", number))
        yield builders.encapsulated(
            [bytes(imagecodecs.jpegls_encode(pixels))], **_values("compressed", number)
        )


def _slice(number: int) -> np.ndarray:
    """Draw what compresses as a CT does: discs of several densities in air, and noise of the detector."""
    generator = np.random.default_rng(number)
    y, x = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j]
    image = np.zeros((_SIDE, _SIDE))
    for _ in range(12):
        left, top = generator.uniform(-0.5, 0.5, 2)
        wide, high = generator.uniform(0.05, 0.5, 2)
        image[((x - left) / wide) ** 2 + ((y - top) / high) ** 2 < 1] += generator.uniform(50, 400)
    return (1024 + image + generator.normal(0, 8, image.shape)).clip(0, 4095).astype("<u2")


def _values(kind: str, number: int) -> dict[str, object]:
    return {
        "StudyInstanceUID": builders.uid("pictures"),
        "SeriesInstanceUID": builders.uid("pictures", kind),
        "SOPInstanceUID": builders.uid("pictures", kind, number),
        "Rows": _SIDE,
        "Columns": _SIDE,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "WindowCenter": "1200",
        "WindowWidth": "800",
        "RescaleSlope": "1",
        "RescaleIntercept": "-1024",
    }


def _row(server: Server, what: str, paths: Sequence[str], accept: str) -> Row:
    client = http.client.HTTPConnection("127.0.0.1", server.filmroom.port, timeout=60)
    try:
        _take(client, paths, accept)  # processes are started, codecs loaded
        best, seconds, length = 1e9, 0.0, 0
        for _ in range(_ROUNDS):
            begin, began, count = _cpu(server), time.perf_counter(), 0
            while _cpu(server) - begin < _SECONDS:
                length = _take(client, paths, accept)
                count += len(paths)
            cost = (_cpu(server) - begin) / count
            if cost < best:
                best, seconds = cost, (time.perf_counter() - began) / count
    finally:
        client.close()
    return Row(
        what,
        f"{1 / best:.0f} a second and core: {best * 1e3:.1f} ms CPU, {seconds * 1e3:.1f} ms, {length} bytes",
    )


def _take(client: http.client.HTTPConnection, paths: Sequence[str], accept: str) -> int:
    """Ask for each in turn on one connection; return the bytes of the last."""
    body = b""
    for path in paths:
        client.request("GET", path, headers={"Accept": accept})
        answer = client.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body[:500])
        assert answer.headers["Content-Type"].startswith(accept.partition(";")[0])
    return len(body)


def _cpu(server: Server) -> float:
    """Return the seconds of CPU that all processes of the server have had."""
    times = [each.cpu_times() for each in server.filmroom.processes()]
    return sum(each.user + each.system for each in times)
