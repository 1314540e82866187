"""Colour spaces: the profile of an image, pictures in well-known spaces (PS3.3 C.11.15, PS3.18 8.3.5).

Owns what the parameter iccprofile does. Without it, and with "no", the samples stay as they are and nothing
is embedded; "yes" embeds the profile of the image, which is sRGB where it has none that is usable; a name
converts the samples and embeds the profile of that space. Grey pictures have no profile. Leaves the profiles
of the named spaces to icc_profiles.py.

A conversion of 512 x 512 takes 5 ms from a matrix profile, 10 ms from tables; the transformations are kept.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageCms

from archive.rendering.attributes import items, octets, text
from archive.rendering.functional_groups import Frame
from archive.rendering.header import Head
from archive.rendering.icc_profiles import PROFILES, profile

_HEADER = 128
_NAMES = {"SRGB": "srgb", "ADOBERGB": "adobergb", "ROMMRGB": "rommrgb", "DISPLAYP3": "displayp3"}


def in_colour_space(
    image: Image.Image, frame: Frame, wanted: str | None, own: bytes = b""
) -> tuple[Image.Image, bytes | None]:
    """Return a picture as `wanted` says, one of ICC_PROFILES, and the profile to embed.

    `own` is the profile of a presentation state, which replaces that of the image.
    """
    if image.mode != "RGB" or wanted in (None, "no"):
        return image, None
    source = own if _usable(own) else profile_of(frame)
    if wanted not in PROFILES:
        return image, source
    target = profile(wanted)
    transform = None if source == target else _transform(source, target)
    return (image if transform is None else _applied(image, transform)), target


def profile_of(frame: Frame) -> bytes:
    """Return the profile of the samples of a frame: a stored one that can be used, else a well-known one."""
    stored = octets(frame.ds, "ICCProfile") or _of_optical_path(frame)
    if _usable(stored):
        return stored
    return profile(_NAMES.get(text(frame.ds, "ColorSpace").upper(), "srgb"))


def _of_optical_path(frame: Frame) -> bytes:
    """Return the profile of the optical path of a frame, of the first one where it names none."""
    paths: list[Head] = list(items(frame.ds, "OpticalPathSequence"))
    named = text(frame.macro("OpticalPathIdentificationSequence"), "OpticalPathIdentifier")
    paths.sort(key=lambda path: text(path, "OpticalPathIdentifier") != named)
    return octets(paths[0], "ICCProfile") if paths else b""


def _usable(stored: bytes) -> bool:
    """Tell whether bytes are a profile of RGB that the colour engine can read."""
    if len(stored) <= _HEADER or stored[16:20] != b"RGB " or stored[36:40] != b"acsp":
        return False
    return _transform(stored, profile("srgb")) is not None


@lru_cache(maxsize=16)
def _transform(source: bytes, target: bytes) -> ImageCms.ImageCmsTransform | None:
    """Return the transformation between two profiles, None where the engine refuses one of them."""
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(source)),
            ImageCms.ImageCmsProfile(BytesIO(target)),
            "RGB",
            "RGB",
            renderingIntent=ImageCms.Intent.PERCEPTUAL,
        )
    except (ImageCms.PyCMSError, OSError):
        return None  # a stored profile that is broken is as if it was not there


def _applied(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    return ImageCms.applyTransform(image, transform) or image
