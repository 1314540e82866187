"""Small images for the tests: an array and some attributes to an instance, and to its picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.model.rendering import Rendering
from tests.rendering.frames import PNG, Instance, levels, load, render
from tests.samples import part10


def image(array: Any, syntax: str = "1.2.840.10008.1.2.1", **values: Any) -> Instance:
    """Return a CT instance of the array, rows x columns, or x 3; 8 or 16 bits as its type has."""
    array = np.asarray(array)
    bits = array.itemsize * 8
    attributes: dict[str, Any] = {
        "Rows": array.shape[0],
        "Columns": array.shape[1],
        "SamplesPerPixel": 3 if array.ndim == 3 else 1,
        "PhotometricInterpretation": "RGB" if array.ndim == 3 else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(array.dtype.kind == "i"),
        "PixelData": array.tobytes() + bytes(array.nbytes % 2),
    }
    if array.ndim == 3:
        attributes["PlanarConfiguration"] = 0
    instance = load(part10(syntax, **{**attributes, **values}))
    assert instance is not None
    return instance


def shown(array: Any, rendering: Rendering = PNG, **values: Any) -> NDArray[np.uint8]:
    """Return the levels of the picture of such an instance."""
    return levels(render(image(array, **values), 1, rendering))
