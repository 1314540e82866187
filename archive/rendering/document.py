"""Instances without pixels as documents that a person can use: the one way in for all their kinds.

Owns which module makes which media type of a SOP class. What is offered stands in document_types.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from archive.dicomweb.rendered_types import JPEG, PNG
from archive.errors import NotAcceptable
from archive.rendering.attributes_page import attributes_page
from archive.rendering.audio import audio_document
from archive.rendering.cda import cda_document, cda_page
from archive.rendering.document_types import (
    HTML,
    MTL,
    OBJ,
    PDF,
    STL,
    SVG,
    TEXT,
    WAV,
    XML,
    Family,
    document_media_types,
    family_of,
)
from archive.rendering.drawing import pixels, svg
from archive.rendering.encapsulated_documents import encapsulated_document, pdf_document
from archive.rendering.sr import sr_page, sr_text
from archive.rendering.values import text
from archive.rendering.waveform import waveform_groups
from archive.rendering.waveform_page import waveform_page
from archive.rendering.waveform_picture import waveform_drawing
from archive.rendering.wording import class_words


@dataclass(frozen=True, slots=True)
class _Wish:
    """How a document is wanted, beside its media type."""

    base: str
    annotations: tuple[str, ...]
    fit: tuple[int, int] | None
    sound: bool


def render_document(
    ds: Dataset,
    media_type: str,
    *,
    base: str = "",
    annotations: Sequence[str] = (),
    fit: tuple[int, int] | None = None,
) -> bytes:
    """Make the document of a data set that archive/rendering/data_set.py read.

    Text is UTF-8, except that XML names its own encoding. `base` is the address of the DICOMweb root, for
    links to what a document refers to; without it there are none. Waveforms as pictures fit into `fit` pixels
    (width, height), and show who they are of where `annotations` has "patient". Raise NotAcceptable with what
    is offered, NotDecodable naming the attribute where the data set does not hold what it should.
    """
    kind = text(ds, "SOPClassUID")
    offered = document_media_types(kind)
    if media_type not in offered:
        name = class_words(kind) if kind else "an instance"
        raise NotAcceptable(f"{name} can be rendered as {', '.join(offered)}", offered=offered)
    wish = _Wish(base, tuple(annotations), fit, WAV in offered)
    return _MAKERS[family_of(kind)][media_type](ds, wish)


_Maker = Callable[[Dataset, _Wish], bytes]


def _sr_page(ds: Dataset, wish: _Wish) -> bytes:
    return sr_page(ds, wish.base)


def _waveform_page(ds: Dataset, wish: _Wish) -> bytes:
    return waveform_page(ds, wish.base, sound=wish.sound)


def _waveform_svg(ds: Dataset, wish: _Wish) -> bytes:
    return svg(waveform_drawing(ds, waveform_groups(ds), wish.annotations)).encode()


def _waveform_pixels(media_type: str) -> _Maker:
    def make(ds: Dataset, wish: _Wish) -> bytes:
        return pixels(waveform_drawing(ds, waveform_groups(ds), wish.annotations), media_type, wish.fit)

    return make


def _plain(maker: Callable[[Dataset], bytes]) -> _Maker:
    return lambda ds, _wish: maker(ds)


_ATTRIBUTES: dict[str, _Maker] = {HTML: lambda ds, wish: attributes_page(ds, wish.base)}
_WAVEFORM: dict[str, _Maker] = {
    SVG: _waveform_svg,
    PNG: _waveform_pixels(PNG),
    JPEG: _waveform_pixels(JPEG),
    HTML: _waveform_page,
    WAV: _plain(audio_document),
}
_MAKERS: dict[Family, dict[str, _Maker]] = {
    Family.REPORT: {HTML: _sr_page, TEXT: _plain(sr_text)},
    Family.PDF: {PDF: _plain(pdf_document)},
    Family.CDA: {HTML: _plain(cda_page), XML: _plain(cda_document)},
    Family.MODEL: dict.fromkeys((STL, OBJ, MTL), _plain(encapsulated_document)),
    Family.SOUND: _WAVEFORM,
    Family.WAVEFORM: _WAVEFORM,
    Family.OTHER: _ATTRIBUTES,
}
