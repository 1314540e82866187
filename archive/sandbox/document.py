"""The task of a child process that makes documents of instances without pixels.

Owns the words of its options. What is made, and how, is archive/rendering/'s.
"""

from __future__ import annotations

from typing import Any

from archive.rendering.data_set import read_data_set
from archive.rendering.document import render_document
from archive.sandbox.messages import Answer


def document(options: dict[str, Any], blobs: list[bytes]) -> Answer:
    """Make a document: {syntax, accept, base?, annotations?, fit?}, [data set] -> {media_type}, [document].

    The data set begins behind the file meta group and is inflated. `accept` are media types or ranges, the
    best liked first; `base` is the address of the DICOMweb root; `fit` is the width and height of a picture.
    """
    ds = read_data_set(blobs[0], options["syntax"])
    fit = options.get("fit")
    made = render_document(
        ds,
        options["accept"],
        base=options.get("base") or "",
        annotations=options.get("annotations") or (),
        fit=(fit[0], fit[1]) if fit else None,
    )
    return {"media_type": made.media_type}, [made.data]
