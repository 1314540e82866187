"""What the tests of rendered resources share: images worth rendering, and pictures opened again."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from werkzeug.test import TestResponse

from tests import builders
from tests.conformance.archive import Archive

CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
MPEG2, MPEG4 = "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102"


def ramp(rows: int = 48, columns: int = 64) -> bytes:
    """Return 8 bit pixels that grow from the left to the right, over the whole range."""
    return np.tile(np.linspace(0, 255, columns).astype(np.uint8), (rows, 1)).tobytes()


def image(number: int = 1, *, series: int = 1, study: int = 1, **overrides: Any) -> bytes:
    """Return a 64 x 48 grey image of a numbered study, series and instance."""
    values: dict[str, Any] = {
        "SOPInstanceUID": builders.uid("picture", study, series, number),
        "SeriesInstanceUID": builders.uid("series", study, series),
        "StudyInstanceUID": builders.uid("study", study),
        "SeriesNumber": series,
        "InstanceNumber": number,
        "Rows": 48,
        "Columns": 64,
        "PixelData": ramp(),
    }
    return builders.instance(**values | overrides)


def frames(count: int, *, rows: int = 48, columns: int = 64, **overrides: Any) -> bytes:
    """Return a multi-frame image whose frames are of one level each: 0, 10, 20 and so on."""
    pixels = b"".join(bytes([number * 10 % 256]) * (rows * columns) for number in range(count))
    values = {"NumberOfFrames": count, "Rows": rows, "Columns": columns, "PixelData": pixels}
    return image(**values | {"WindowCenter": 128, "WindowWidth": 256} | overrides)


def _item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def report(number: int = 1, *, series: int = 9, study: int = 1, **overrides: Any) -> bytes:
    """Return a small Basic Text SR."""
    name = _item(CodeValue="18748-4", CodingSchemeDesignator="LN", CodeMeaning="Report")
    text = _item(
        RelationshipType="CONTAINS",
        ValueType="TEXT",
        ConceptNameCodeSequence=[
            _item(CodeValue="121071", CodingSchemeDesignator="DCM", CodeMeaning="Finding")
        ],
        TextValue="Nothing <script>alert(1)</script> found",
    )
    values: dict[str, Any] = {
        "SOPClassUID": SR,
        "Modality": "SR",
        "ValueType": "CONTAINER",
        "ContinuityOfContent": "SEPARATE",
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED",
        "ConceptNameCodeSequence": [name],
        "ContentSequence": [text],
    }
    return image(number, series=series, study=study, **builders.without_pixels() | values | overrides)


def opened(answer: TestResponse) -> Image.Image:
    """Return the picture of a 200."""
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    picture = Image.open(io.BytesIO(answer.data))
    picture.load()
    assert Image.MIME[picture.format or ""] == answer.headers["Content-Type"]
    return picture


def levels(answer: TestResponse) -> NDArray[np.uint8]:
    """Return the grey levels of the picture of a 200."""
    return np.asarray(opened(answer).convert("L"))


def paths(study: int = 1, series: int = 1, number: int = 1) -> tuple[str, str, str]:
    """Return the paths of a study, a series and an instance of `image`."""
    of_study = f"/studies/{builders.uid('study', study)}"
    of_series = f"{of_study}/series/{builders.uid('series', study, series)}"
    return of_study, of_series, f"{of_series}/instances/{builders.uid('picture', study, series, number)}"


def fault(archive: Archive, path: str, accept: str | None = None) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON of an error."""
    answer = archive.get(path, accept)
    return answer.status_code, answer.get_json()
