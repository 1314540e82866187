"""Pictures compared with those of DCMTK's dcm2pnm: `python -m tests.rendering.compare` prints a table.

Both sides get the same VOI transformation: the first stored one where DCMTK reads it too, else the numbers of
the one that Filmroom chose. Compared are levels of 0 … 255 in the size of the image, with overlays; neither
side scales. What DCMTK cannot decode is given to it decompressed, one frame of it.
"""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian

from archive.dicom.frame_index import is_video
from archive.errors import FilmroomError
from archive.model.rendering import Rendering, Window
from archive.rendering.attributes import integer, item
from archive.rendering.frame import draw
from archive.rendering.functional_groups import Frame
from archive.rendering.grey import make_recipe
from archive.rendering.header import Head
from archive.rendering.modality import Rescale, read_rescale
from archive.rendering.palette import is_supplemental
from archive.rendering.segmentation import is_segmentation
from archive.rendering.stored import FLOAT_TAGS, bits_of, cells_of
from archive.rendering.voi import VoiLut
from tests.rendering.frames import Instance, load
from tests.samples import SAMPLES, pydicom_files

Levels = NDArray[np.uint8]

NOTES = {
    "rtdose_expb.dcm": "DCMTK swaps the two 16-bit words of 32-bit big-endian values; here as rtdose.dcm",
    "gdcm-US-ALOKA-16.dcm": "DCMTK knows no segmented palettes",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One picture: mean and largest absolute difference of 8-bit levels, or why there is none."""

    path: str
    kind: str
    options: str
    mean: float | None
    largest: int | None
    note: str = ""


def files() -> Iterator[tuple[str, Path]]:
    """Yield every sample, and what pydicom ships where there are no samples."""
    if SAMPLES is None:
        yield from ((path.name, path) for path in pydicom_files())
        return
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file() and path.suffix not in (".json", ".md", ".py", ".txt"):
            yield path.relative_to(SAMPLES).as_posix(), path


def compare(name: str, path: Path, folder: Path) -> Compared | None:
    """Compare the first frame of a file; None for a file without pixels, or that cannot be stored."""
    try:
        instance = load(path)
    except FilmroomError:
        return None
    if instance is None:
        return None
    kind = f"{instance.pixels.photometric_interpretation} {instance.pixels.bits_stored}"
    other = _not_comparable(instance)
    if other:
        return Compared(name, kind, "", None, None, other)
    try:
        ours, refused, options = _ours(instance), "", _options(instance)
    except FilmroomError as error:
        ours, refused, options = None, str(error), []
    theirs, source = _theirs(instance, path, folder, options)
    shown = " ".join([*options, source]).strip()
    if ours is None or theirs is None:
        note = "DCMTK refuses it" if ours is not None else f"not here: {refused}{_also(theirs)}"
        return Compared(name, kind, shown, None, None, note)
    if theirs.shape != ours.shape:
        return Compared(name, kind, shown, None, None, f"{ours.shape} here, {theirs.shape} in DCMTK")
    apart = np.abs(ours.astype(int) - theirs)
    return Compared(name, kind, shown, float(apart.mean()), int(apart.max()))


def _not_comparable(instance: Instance) -> str:
    if is_segmentation(instance.shown):
        return "segments: in colour here, 0 and 1 in DCMTK"
    if is_supplemental(instance.shown):
        return "supplemental palette: in colour here, grey in DCMTK"
    drawn = instance.pixels.tag not in FLOAT_TAGS and not is_video(instance.syntax)
    return "" if drawn else "DCMTK draws no floats and no video"


def _also(theirs: Levels | None) -> str:
    return ", nor in DCMTK" if theirs is None else ", but in DCMTK"


def _ours(instance: Instance) -> Levels:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return draw(Frame(instance.shown, 1), instance.native(), Rendering()).levels


def _options(instance: Instance) -> list[str]:
    """Return the options that give DCMTK the same VOI transformation."""
    pixels, ds = instance.pixels, instance.shown
    if pixels.samples_per_pixel > 1 or "PALETTE" in instance.photometric:
        return []
    frame = Frame(ds, 1)
    bits = bits_of(pixels, integer(ds, "HighBit", -1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recipe = make_recipe(cells_of(instance.native_frame(), pixels), frame, pixels, bits)
    if isinstance(recipe.voi, VoiLut):
        return ["+Wl", "1"]
    grouped = frame.group("FrameVOILUTSequence") is not None
    if (
        "WindowCenter" in ds
        and not grouped
        and recipe.voi.function != "linear-exact"
        and recipe.voi.width >= 1
    ):
        return ["+Wi", "1"]
    return _explicit(recipe.voi, frame)


def _explicit(window: Window, frame: Frame) -> list[str]:
    """Return a window as DCMTK takes it: LINEAR, and for stored values where it does not see the rescale.

    It sees one among the shared functional groups, none among those of a frame.
    """
    centre, width = window.centre, window.width
    group = frame.group("PixelValueTransformationSequence")
    shared = item(frame.ds, "SharedFunctionalGroupsSequence") or Head()
    if group is not None and "PixelValueTransformationSequence" not in shared:
        rescale: Rescale = read_rescale(group)
        centre, width = (centre - rescale.intercept) / rescale.slope, width / rescale.slope
    if window.function == "linear-exact":
        centre, width = centre + 0.5, width + 1
    return ["+Ww", f"{centre:.9g}", f"{width:.9g}", "+Wfs" if window.function == "sigmoid" else "+Wfl"]


def _theirs(instance: Instance, path: Path, folder: Path, options: list[str]) -> tuple[Levels | None, str]:
    """Return DCMTK's picture, of the file or else of its decompressed first frame, and which it was."""
    levels = _dcm2pnm(path, folder, options)
    if levels is not None:
        return levels, ""
    try:
        native = _decompressed(instance, folder)
    except (FilmroomError, ValueError, TypeError, AttributeError):
        return None, ""
    return _dcm2pnm(native, folder, options), "decompressed"


def _dcm2pnm(path: Path, folder: Path, options: list[str]) -> Levels | None:
    picture = folder / "picture.pnm"
    picture.unlink(missing_ok=True)
    command = ["dcm2pnm", "-q", "+op", "-S", *options, str(path), str(picture)]
    try:
        subprocess.run(command, capture_output=True, check=False, timeout=10)
    except subprocess.TimeoutExpired:
        return None
    if not picture.is_file() or not picture.stat().st_size:
        return None
    return np.asarray(Image.open(BytesIO(picture.read_bytes())))


def _decompressed(instance: Instance, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = copy.deepcopy(instance.ds)
        ds.PixelData = instance.native_frame()
        ds["PixelData"].VR = "OW"
        ds.NumberOfFrames = 1
        ds.PhotometricInterpretation = instance.photometric
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / "native.dcm"
        pydicom.dcmwrite(path, ds, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return path


def table(rows: list[Compared]) -> str:
    """Return the rows as Markdown, the largest differences first."""
    rows = sorted(rows, key=lambda row: (-(row.mean if row.mean is not None else -1), row.path))
    lines = ["| file | pixels | options | mean | max | note |", "|---|---|---|---|---|---|"]
    for row in rows:
        mean, largest = ("", "") if row.mean is None else (f"{row.mean:.3f}", str(row.largest))
        note = next((known for name, known in NOTES.items() if row.path.endswith(name)), row.note)
        lines.append(f"| {row.path} | {row.kind} | {row.options} | {mean} | {largest} | {note} |")
    return "\n".join(lines)


def compare_all(chosen: list[str]) -> list[Compared]:
    """Compare all files, or those whose names have one of `chosen` in them."""
    with tempfile.TemporaryDirectory(prefix="filmroom-compare-") as folder:
        found = [
            compare(name, path, Path(folder))
            for name, path in files()
            if not chosen or any(part in name for part in chosen)
        ]
    return [row for row in found if row is not None]


if __name__ == "__main__":
    print(table(compare_all(sys.argv[1:])))  # noqa: T201
