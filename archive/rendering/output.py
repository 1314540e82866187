"""Pictures to bytes: JPEG, PNG and GIF.

Owns the encoders and what they are told. JPEG of grey is grey, PNG is written fast rather than small.
Measured on 512 x 512: JPEG of grey 0.4 ms by Pillow and by imagecodecs alike, to the same bytes; of colour
0.5 ms; PNG 5 ms at level 1 (73 kB), 7 at level 3 (67 kB), 20 at level 6 (59 kB), by either.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from archive.dicomweb.rendered_types import GIF, JPEG, PICTURES, PNG
from archive.errors import NotAcceptable

_PNG_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and its size in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


def encode_picture(
    image: Image.Image, media_type: str, *, quality: int = 90, profile: bytes | None = None
) -> Picture:
    """Encode an image of mode L or RGB; `profile` is embedded. Raise NotAcceptable for other media types."""
    file = BytesIO()
    if media_type == JPEG:
        # Above 90 colour keeps its full resolution: whoever asks for that wants no saving.
        subsampling = 0 if quality > 90 else 2
        image.save(file, "JPEG", quality=quality, subsampling=subsampling, icc_profile=profile)
    elif media_type == PNG:
        image.save(file, "PNG", compress_level=_PNG_LEVEL, icc_profile=profile)
    elif media_type == GIF:
        image.save(file, "GIF")
    else:
        raise NotAcceptable(f"a frame cannot be rendered as {media_type}", offered=PICTURES)
    return Picture(file.getvalue(), media_type, image.width, image.height)
