"""One instance of many frames: a whole slide in tiles, in each of the ways that frames are found."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from itertools import accumulate, chain

import numpy as np
from PIL import Image

from bench.watched import Costs, Watched
from tests import builders

_TILE, _DIFFERENT = 16, 64
_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_STORED = {"Accept": 'multipart/related; type="image/jpeg"; transfer-syntax=*'}
_DICOM = {"Content-Type": "application/dicom"}
_JPEG = {"Accept": "image/jpeg"}
_PIECE = 2**20

SLIDES = ("basic offsets", "extended offsets", "a position for each frame")
"""The ways: a Basic Offset Table, an Extended one, and that one with a functional group for each frame."""


def slide(count: int, name: str) -> tuple[str, bytes]:
    """Return the path and the bytes of a slide of `count` tiles, deterministic."""
    tiles = [_tile(n) for n in range(min(count, _DIFFERENT))]
    fragments = [tiles[n % len(tiles)] for n in range(count)]
    starts = list(accumulate((8 + len(each) for each in fragments), initial=0))[:-1]
    uids = {
        "StudyInstanceUID": builders.uid("slide study", count, name),
        "SeriesInstanceUID": builders.uid("slide series", count, name),
        "SOPInstanceUID": builders.uid("slide", count, name),
    }
    ds = builders.dataset(PixelData=None, SOPClassUID=_SLIDE, Modality="SM", NumberOfFrames=count, **uids)
    ds.Rows = ds.Columns = _TILE
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "YBR_FULL_422", 0
    ds.DimensionOrganizationType = "TILED_FULL" if name != SLIDES[2] else "TILED_SPARSE"
    extended = name != SLIDES[0]
    body = builders.part10(ds, builders.JPEG_BASELINE)
    if name == SLIDES[2]:
        body += _positions(count)
    if extended:
        body += builders.element(0x7FE00001, "OV", struct.pack(f"<{count}Q", *starts))
        body += builders.element(0x7FE00002, "OV", struct.pack(f"<{count}Q", *map(len, fragments)))
    basic = b"" if extended else struct.pack(f"<{count}L", *starts)
    items = b"".join(chain((builders.item(basic),), (builders.item(each) for each in fragments)))
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    path = "/studies/{StudyInstanceUID}/series/{SeriesInstanceUID}/instances/{SOPInstanceUID}".format(**uids)
    return path, body + builders.element(0x7FE00010, "OB", items, length=builders.UNDEFINED) + end


def _tile(number: int) -> bytes:
    """Return a JPEG of some hundred bytes, of even length."""
    pixels = np.random.default_rng(number).integers(0, 255, (_TILE // 4, _TILE // 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((_TILE, _TILE)).save(file, "JPEG", quality=50, optimize=True)
    return file.getvalue() + bytes(len(file.getvalue()) % 2)


def _positions(count: int) -> bytes:
    """Return Per-Frame Functional Groups with the position of each tile (PS3.3 C.8.12.6.1)."""
    side = max(int(count**0.5), 1)

    def position(n: int) -> bytes:
        at = builders.element(0x0048021E, "SL", struct.pack("<l", n % side * _TILE + 1))
        at += builders.element(0x0048021F, "SL", struct.pack("<l", n // side * _TILE + 1))
        return builders.item(builders.element(0x0048021A, "SQ", builders.item(at)))

    return builders.element(0x52009230, "SQ", b"".join(position(n) for n in range(count)))


def slide_costs(watched: Watched, count: int, name: str) -> Costs:
    """Return what each transaction took of a slide of so many tiles; it is deleted at the end."""
    path, body = slide(count, name)
    costs: Costs = {"STOW": watched.send("POST", "/studies", _pieces(body), _DICOM)}
    costs["metadata, gzip"] = watched.get(f"{path}/metadata", {"Accept-Encoding": "gzip"}, best_of=2)
    costs["metadata, identity"] = watched.get(f"{path}/metadata", best_of=2)
    costs["found in a search"] = watched.get(f"{path[: path.index('/instances/')]}/instances", best_of=3)
    for what, number in (("first", 1), ("middle", count // 2), ("last", count)):
        costs[f"{what} frame"] = watched.get(f"{path}/frames/{number}", _STORED, best_of=5)
    listed = ",".join(str(1 + n * (count - 1) // 9) for n in range(10))
    costs["10 frames, far apart"] = watched.get(f"{path}/frames/{listed}", _STORED, best_of=3)
    costs["all frames"] = watched.get(f"{path}/pixeldata", _STORED)
    pictures = [watched.get(f"{path}/frames/{count - n}/rendered", _JPEG) for n in range(3)]  # each is kept
    costs["one of the last frames as a picture"] = min(pictures, key=lambda cost: cost.seconds)
    costs["retrieve"] = watched.get(path, {"Accept": "application/dicom; transfer-syntax=*"})
    costs["zip"] = watched.get(path, {"Accept": "application/zip"})
    costs["delete"] = watched.send("DELETE", path)
    return costs


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[at : at + _PIECE] for at in range(0, len(body), _PIECE))
