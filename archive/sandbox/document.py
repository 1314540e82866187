"""The task of a child process that makes documents of instances without pixels.

Owns the words of its options. What is made, and how, is archive/rendering/'s.
"""

from __future__ import annotations

from typing import Any

from archive.rendering.data_set import read_data_set
from archive.rendering.document import render_document
from archive.sandbox.messages import Answer


def document(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Make a document: {syntax, media_type, base, annotations, fit}, [data set] -> {media_type}, [document].

    The data set begins behind the file meta group and is inflated. `base` is the address of the DICOMweb
    root, `fit` the width and height of a picture, or None.
    """
    ds, fit = read_data_set(blobs[0], options["syntax"]), options["fit"]
    made = render_document(
        ds,
        options["media_type"],
        base=options["base"],
        annotations=options["annotations"],
        fit=(fit[0], fit[1]) if fit else None,
    )
    return {"media_type": options["media_type"]}, [made]
