"""The rows of the route table for rendered resources, thumbnails and WADO-URI, with their views."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from archive.dicomweb.capabilities import Parameter, Row
from archive.dicomweb.media_types import DICOM
from archive.dicomweb.negotiation import Container, Offer
from archive.dicomweb.rendered import THUMBNAIL_SIDE
from archive.dicomweb.rendered_types import PICTURES, RENDERED, THUMBNAILS
from archive.model.rendering import ANNOTATIONS, ICC_PROFILES, MAX_SIDE, WINDOW_FUNCTIONS
from archive.web import rendered, rendered_series, thumbnail, wado_uri

_ACCEPT = (
    Parameter("accept", "What Accept would say; wins over it (8.3.3.1).", repeated=True),
    Parameter("charset", "What Accept-Charset would say; wins over it (8.3.3.2).", repeated=True),
)
_RENDERED = (
    *_ACCEPT,
    Parameter("annotation", "What is burned in, a list.", ANNOTATIONS),
    Parameter("quality", "Of JPEG and video, from 1 to 100."),
    Parameter("viewport", f"vw,vh[,sx,sy,sw,sh]: fitted into, at most {MAX_SIDE}, and the part shown."),
    Parameter("window", f"center,width,function; a function is one of {', '.join(WINDOW_FUNCTIONS)}."),
    Parameter("iccprofile", "The colour space, and whether its profile is embedded.", ICC_PROFILES),
)
_THUMBNAIL = (
    *_ACCEPT,
    Parameter("viewport", f"vw,vh: fitted into; without it {THUMBNAIL_SIDE},{THUMBNAIL_SIDE}."),
)
_WADO_URI = (
    Parameter("requestType", "Must be there.", ("WADO",)),
    Parameter("studyUID", "Must be there."),
    Parameter("seriesUID", "Must be there."),
    Parameter("objectUID", "Must be there."),
    Parameter("contentType", "What Accept would say; wins over it.", repeated=True),
    Parameter("charset", "What Accept-Charset would say; wins over it.", repeated=True),
    Parameter("transferSyntax", "Of application/dicom: a UID, or * for as stored."),
    Parameter("anonymize", "Refused: nothing is anonymized here.", ("yes",)),
    Parameter("frameNumber", "From 1; without it the frame that stands for the image."),
    Parameter("annotation", "What is burned in, a list.", ANNOTATIONS),
    Parameter("imageQuality", "Of JPEG, from 1 to 100."),
    Parameter("rows", "Most rows of the picture."),
    Parameter("columns", "Most columns of the picture."),
    Parameter("region", "xmin,ymin,xmax,ymax of the part shown, from 0 to 1."),
    Parameter("windowCenter", "Together with windowWidth."),
    Parameter("windowWidth", "Together with windowCenter."),
    Parameter("presentationSeriesUID", "Together with presentationUID."),
    Parameter("presentationUID", "A presentation state of the study, applied to the image."),
)
_READ = (200, 304, 400, 404, 406, 410, 503)
_ONE = (*_READ, 206, 409, 416)

_STUDY = "/studies/{study}"
_SERIES = "/studies/{study}/series/{series}"
_INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"
_FRAMES = f"{_INSTANCE}/frames/{{frames}}"

_PARTS = tuple(str(Offer(Container.MULTIPART, name)) for name in RENDERED)

View = Callable[..., Response]


def _rendered(
    path: str, text: str, view: View, offers: tuple[str, ...], statuses: tuple[int, ...] = _ONE
) -> tuple[Row, View]:
    row = Row("GET", f"{path}/rendered", "rendered", "10.4.1.1.3", text, statuses, offers, (), _RENDERED)
    return row, view


def _thumbnail(path: str, text: str, view: View) -> tuple[Row, View]:
    row = Row("GET", f"{path}/thumbnail", "thumbnail", "10.4.1.1.4", text, _ONE, THUMBNAILS, (), _THUMBNAIL)
    return row, view


TABLE: tuple[tuple[Row, View], ...] = (
    _rendered(_STUDY, "Retrieve a study, each instance rendered.", rendered_series.rendered, _PARTS),
    _rendered(_SERIES, "Retrieve a series, each instance rendered.", rendered_series.rendered, _PARTS),
    _rendered(_INSTANCE, "Retrieve an instance rendered.", rendered.rendered, RENDERED),
    _rendered(_FRAMES, "Retrieve frames rendered.", rendered.rendered_frames, PICTURES),
    _thumbnail(_STUDY, "Retrieve a small picture of a study.", thumbnail.thumbnail),
    _thumbnail(_SERIES, "Retrieve a small picture of a series.", thumbnail.thumbnail),
    _thumbnail(_INSTANCE, "Retrieve a small picture of an instance.", thumbnail.thumbnail),
    _thumbnail(_FRAMES, "Retrieve a small picture of a frame.", thumbnail.frame_thumbnail),
)
"""Below the DICOMweb root."""

WADO_URI = (
    Row(
        "GET",
        "/wado",
        "WADO-URI",
        "9",
        "Retrieve an instance, as it is or rendered.",
        _ONE,
        (*RENDERED, DICOM),
        (),
        _WADO_URI,
    ),
    wado_uri.retrieve,
)
"""Below the root of the server."""
