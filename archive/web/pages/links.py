"""Where pages lead beside each other: to DICOMweb resources, and to the viewer where it is installed.

All of it stands below whatever path a proxy puts before the archive.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote

from flask import request, url_for

from archive.dicomweb.uris import place_url
from archive.model.level import Place
from archive.viewer.folder import installed
from archive.web.context import ROOT, services


def dicomweb(path: str) -> str:
    """Return the address of a path below the DICOMweb root, on the host that the page came from."""
    return quote(request.script_root) + ROOT + path


def resource(place: Place) -> str:
    """Return the address of a study, a series or an instance."""
    return place_url(dicomweb(""), place)


def has_viewer() -> bool:
    """Tell whether a viewer is installed; it reads a file, so a page asks once."""
    return installed(services().settings) is not None


def viewer(study_uid: str, modalities: Collection[str]) -> str:
    """Return the address of a study in the viewer.

    OHIF shows slides in a mode of their own and nothing else there, so `modalities` of the study choose it.
    """
    mode = "microscopy" if "SM" in modalities else "viewer"
    return url_for("viewer.viewer", path=mode, StudyInstanceUIDs=study_uid)
