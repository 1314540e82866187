"""The query of WADO-URI (PS3.18 clause 9): which instance, and as what.

Owns the names of its parameters, which differ from those of rendered resources, and which of them exclude
each other. What they mean is the same, so it ends in a `Rendering` too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from archive.dicomweb.headers import ANYTHING, MediaRange, parse_accept
from archive.dicomweb.media_types import DICOM
from archive.dicomweb.negotiation import AS_STORED, UNNAMED
from archive.dicomweb.rendered import (
    Parameters,
    checked_window,
    parse_annotations,
    parse_number,
    parse_quality,
    parse_side,
    single,
)
from archive.errors import InvalidRequest
from archive.model.level import Place
from archive.model.rendering import MAX_SIDE, Region, Rendering, Viewport, Window
from archive.model.uid import is_uid

_WINDOW = ("windowCenter", "windowWidth")
_OF_STATES = ("presentationSeriesUID", "presentationUID")


@dataclass(frozen=True, slots=True)
class WadoUri:
    """What is asked for. `accept` is None where the client names no media type.

    `transfer_syntax` is that of application/dicom: a UID, AS_STORED, or UNNAMED for the default. `state` is a
    presentation state in the same study to be applied to the image.
    """

    place: Place
    accept: tuple[MediaRange, ...] | None
    transfer_syntax: str
    frame: int | None
    rendering: Rendering
    state: Place | None
    anonymize: bool

    @property
    def is_for_dicom(self) -> bool:
        """Tell whether the client names application/dicom."""
        return self.accept is not None and any(each.media.name == DICOM for each in self.accept)


def parse_wado_uri(parameters: Parameters, accept: tuple[MediaRange, ...] = (ANYTHING,)) -> WadoUri:
    """Read decoded (name, value) pairs; `accept` is what the Accept header says.

    Raise InvalidRequest whose `where` is the parameter at fault. Unknown parameters are ignored.
    """
    if single(parameters, "requestType") != "WADO":
        raise InvalidRequest("requestType is WADO", where="requestType")
    study, series, sop = (_uid(parameters, name) for name in ("studyUID", "seriesUID", "objectUID"))
    asked = WadoUri(
        place=Place(study, series, sop),
        accept=_accept(parameters, accept),
        transfer_syntax=_transfer_syntax(parameters),
        frame=_frame(parameters),
        rendering=_rendering(parameters),
        state=_state(parameters, study),
        anonymize=_anonymize(parameters),
    )
    _check_together(asked, parameters)
    return asked


def _uid(parameters: Parameters, name: str) -> str:
    text = single(parameters, name)
    if not text:
        raise InvalidRequest(f"{name} is missing", where=name)
    if not is_uid(text):
        raise InvalidRequest(
            f"{name} is not a UID: digits and single dots, 64 characters at most", where=name
        )
    return text


def _accept(parameters: Parameters, header: tuple[MediaRange, ...]) -> tuple[MediaRange, ...] | None:
    """Return what contentType names, else what Accept does (9.1.2.2.1); transfer syntaxes stand elsewhere."""
    names = [value for key, value in parameters if key == "contentType" and value.strip()]
    if not names:
        return None if all(each.media.name == "*/*" for each in header) else header
    try:
        found = parse_accept((), names)
    except InvalidRequest:
        raise InvalidRequest("contentType is a list of media types", where="contentType") from None
    for each in found:
        if each.media.get("transfer-syntax") is not None or each.media.get("charset") is not None:
            raise InvalidRequest(
                "contentType takes no transfer-syntax and no charset; there are parameters for them",
                where="contentType",
            )
    return None if all(each.media.name == "*/*" for each in found) else found


def _transfer_syntax(parameters: Parameters) -> str:
    text = single(parameters, "transferSyntax")
    if text is None:
        return UNNAMED
    if text != AS_STORED and not is_uid(text):
        raise InvalidRequest("transferSyntax is the UID of one, or *", where="transferSyntax")
    return text


def _frame(parameters: Parameters) -> int | None:
    text = single(parameters, "frameNumber")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise InvalidRequest("frameNumber is a whole number from 1", where="frameNumber")
    return int(text)


def _rendering(parameters: Parameters) -> Rendering:
    annotations = (
        *parse_annotations(parameters, "annotation"),
        *parse_annotations(parameters, "imageAnnotation"),  # the name in Table 9.5.1-1
    )
    rendering = Rendering(
        viewport=_viewport(parameters),
        region=_region(single(parameters, "region")),
        window=_window(parameters),
        annotations=tuple(dict.fromkeys(annotations)),
    )
    quality = parse_quality(parameters, "imageQuality")
    return rendering if quality is None else replace(rendering, quality=quality)


def _viewport(parameters: Parameters) -> Viewport | None:
    """Read rows and columns, each a maximum; one of them alone leaves the other free (9.5.2.5)."""
    rows, columns = single(parameters, "rows"), single(parameters, "columns")
    if rows is None and columns is None:
        return None
    height = MAX_SIDE if rows is None else parse_side(rows, "rows")
    width = MAX_SIDE if columns is None else parse_side(columns, "columns")
    return Viewport(width, height)


def _region(text: str | None) -> Region | None:
    """Read xmin,ymin,xmax,ymax, fractions of the image (9.5.1.2.5)."""
    if text is None:
        return None
    values = text.split(",")
    if len(values) == 4:
        left, top, right, bottom = (parse_number(value.strip(), "region") for value in values)
        if 0 <= left < right <= 1 and 0 <= top < bottom <= 1:
            return Region(left, top, right, bottom)
    raise InvalidRequest(
        "region is xmin,ymin,xmax,ymax with 0 <= xmin < xmax <= 1 and 0 <= ymin < ymax <= 1", where="region"
    )


def _window(parameters: Parameters) -> Window | None:
    centre, width = single(parameters, "windowCenter"), single(parameters, "windowWidth")
    if centre is None and width is None:
        return None
    if centre is None or width is None:
        missing = "windowCenter" if centre is None else "windowWidth"
        raise InvalidRequest("windowCenter and windowWidth go together", where=missing)
    window = Window(parse_number(centre, "windowCenter"), parse_number(width, "windowWidth"))
    return checked_window(window, "windowWidth")


def _state(parameters: Parameters, study: str) -> Place | None:
    given = [name for name in _OF_STATES if single(parameters, name) is not None]
    if not given:
        return None
    return Place(study, *(_uid(parameters, name) for name in _OF_STATES))


def _anonymize(parameters: Parameters) -> bool:
    text = single(parameters, "anonymize")
    if text is not None and text != "yes":
        raise InvalidRequest("anonymize is yes, or left out", where="anonymize")
    return text is not None


def _check_together(asked: WadoUri, parameters: Parameters) -> None:
    """Refuse what 9.1.2.2.1, 9.5.1.2.6 and 9.5.2.3 exclude."""
    accept = asked.accept or ()
    if asked.is_for_dicom and any(each.media.name != DICOM for each in accept if each.q > 0):
        raise InvalidRequest(
            "contentType names application/dicom alone, or rendered types", where="contentType"
        )
    names = {name for name, _ in parameters}
    if asked.is_for_dicom:
        _refuse(names, _WINDOW, "is for pictures, not for application/dicom")
    if asked.state is not None:
        _refuse(names, ("frameNumber", *_WINDOW), "is not given with a presentation state")


def _refuse(names: set[str], refused: tuple[str, ...], why: str) -> None:
    for name in refused:
        if name in names:
            raise InvalidRequest(f"{name} {why}", where=name)
