"""Text burned into pictures: who and how (PS3.18 8.3.5.1.1).

Owns what "patient" and "technique" show, and that it can be read: white letters with a black rim, of a size
that goes with the picture, cut to its width. Letters are those of the font that Pillow carries, which knows
ASCII; a text with others is set in a font of the system where there is one that has them, else without
accents. How names and dates read is left to wording.py.
"""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from archive.rendering.attributes import number, text
from archive.rendering.functional_groups import Frame
from archive.rendering.header import Head
from archive.rendering.segmentation import is_segmentation, segment_label, segment_of
from archive.rendering.wording import date_words, person_words, sex_words, time_words

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "arial.ttf",
)
_LEAST_SIZE, _LETTERS = 10, 32  # pixels of the smallest letters; lines of text that a picture is high
_SHORT = "…"
_LONGEST = 4096  # letters of a line that are looked at: a picture has room for fewer


def annotate(image: Image.Image, frame: Frame, annotations: Iterable[str]) -> Image.Image:
    """Return the picture with the asked annotations: the patient upper left, the technique lower left."""
    asked = tuple(annotations)
    if not asked:
        return image
    size = max(_LEAST_SIZE, round(min(image.size) / _LETTERS))
    if "patient" in asked:
        _write(image, patient_lines(frame.ds), size, at_bottom=False)
    if "technique" in asked:
        _write(image, technique_lines(frame), size, at_bottom=True)
    return image


def patient_lines(ds: Head) -> list[str]:
    """Return name, ID, birth date and sex, as far as they are known."""
    born, sex = text(ds, "PatientBirthDate"), text(ds, "PatientSex")
    lines = [
        person_words(text(ds, "PatientName")),
        text(ds, "PatientID"),
        ", ".join(part for part in (born and f"born {date_words(born)}", sex_words(sex)) if part),
    ]
    return [line for line in lines if line]


def technique_lines(frame: Frame) -> list[str]:
    """Return what was examined, when, and how, as far as it is told."""
    ds = frame.ds
    moment = [date_words(_first(ds, "ContentDate", "AcquisitionDate", "StudyDate"))]
    moment.append(time_words(_first(ds, "ContentTime", "AcquisitionTime", "StudyTime")))
    series = number(ds, "SeriesNumber"), number(ds, "InstanceNumber")
    lines = [
        _joined(text(ds, "Modality"), text(ds, "StudyDescription"), text(ds, "SeriesDescription")),
        _joined(*moment),
        _joined(*_exposure(frame)),
        _joined(
            "" if series[0] is None else f"series {series[0]:.0f}",
            "" if series[1] is None else f"image {series[1]:.0f}",
            f"frame {frame.number}" if (number(ds, "NumberOfFrames") or 1) > 1 else "",
        ),
    ]
    if is_segmentation(ds):
        lines.append(segment_label(ds, segment_of(frame)))
    return [line for line in lines if line]


_EXPOSURE = (
    ("PixelMeasuresSequence", "SliceThickness", "slice {:g} mm"),
    ("CTXRayDetailsSequence", "KVP", "{:g} kV"),
    ("CTExposureSequence", "XRayTubeCurrentInmA", "{:g} mA"),
    ("", "XRayTubeCurrent", "{:g} mA"),
    ("", "Exposure", "{:g} mAs"),
    ("MRTimingAndRelatedParametersSequence", "RepetitionTime", "TR {:g} ms"),
    ("MREchoSequence", "EffectiveEchoTime", "TE {:g} ms"),
    ("", "EchoTime", "TE {:g} ms"),
)


def _exposure(frame: Frame) -> list[str]:
    found = []
    for group, keyword, form in _EXPOSURE:
        value = number(frame.macro(group) if group else frame.ds, keyword)
        if value is not None:
            found.append(form.format(value))
    return found


def _first(ds: Head, *keywords: str) -> str:
    return next((found for keyword in keywords if (found := text(ds, keyword))), "")


def _joined(*parts: str) -> str:
    return "  ".join(part for part in parts if part)


def _write(image: Image.Image, lines: list[str], size: int, *, at_bottom: bool) -> None:
    """Draw lines at the left, from the top down or so that the last one stands at the bottom."""
    draw = ImageDraw.Draw(image)
    gap, step = max(2, size // 3), round(size * 1.3)
    y = image.height - gap - step * len(lines) if at_bottom else gap
    white, black = ((255, 255, 255), (0, 0, 0)) if image.mode == "RGB" else (255, 0)
    for line in lines:
        font, shown = fitting_font(line, size)
        shown = cut(shown, font, image.width - 2 * gap)
        draw.text((gap, y), shown, fill=white, font=font, stroke_width=max(1, size // 8), stroke_fill=black)
        y += step


def cut(line: str, font: _Font, width: int) -> str:
    """Return a line that is no wider than `width` pixels."""
    if font.getlength(line) <= width:
        return line
    end = _SHORT if _knows(font, _SHORT) else "..."
    fits = bisect_right(range(1, len(line)), width, key=lambda n: math.ceil(font.getlength(line[:n] + end)))
    return line[:fits] + end if fits else ""


def fitting_font(line: str, size: int) -> tuple[_Font, str]:
    """Return a font that has all letters of a line, and the line; what no font has loses its accents.

    Of a line that is longer than any picture is wide there is the beginning.
    """
    line = line[:_LONGEST]
    line = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in line)  # no controls
    for font in _fonts(size):
        if _knows(font, line):
            return font, line
    plain = "".join(one for one in unicodedata.normalize("NFKD", line) if not unicodedata.combining(one))
    font = _fonts(size)[0]
    return font, "".join(one if _knows(font, one) else "?" for one in plain)


@lru_cache(maxsize=32)
def _fonts(size: int) -> tuple[_Font, ...]:
    found: list[_Font] = [ImageFont.load_default(size)]
    for name in _SYSTEM_FONTS:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            continue  # this system has no such font
    return tuple(found)


def _knows(font: _Font, line: str) -> bool:
    """Tell whether a font has a letter for each character: what it lacks is drawn as its empty box."""
    return all(_has(font, one) for one in set(line) - {" "})


@lru_cache(maxsize=4096)
def _has(font: _Font, letter: str) -> bool:
    return bytes(font.getmask(letter)) != bytes(font.getmask("\U0010fffe")) or font.getbbox(
        letter
    ) != font.getbbox("\U0010fffe")
