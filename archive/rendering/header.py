"""The head of an instance, its data set up to the pixel data, as pydicom reads it.

Owns turning bytes into a Dataset whose binary values are little endian, and what happens where that fails.
Leaves values to attributes.py, and finding the bytes to its callers.
"""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset

from archive.dicom.byte_order import swap_words, word_size
from archive.errors import NotDecodable

_LOG = logging.getLogger("pydicom")
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_IMPLICIT = "1.2.840.10008.1.2"
_BROKEN = (
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    NotImplementedError,
    RecursionError,
    OSError,
    struct.error,
    InvalidDicomError,
    BytesLengthException,
)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep pydicom from warnings and log lines: they quote values, which are the patient's.

    Values are converted when they are first asked for, so that all work on a data set belongs in here.
    """
    spoke = not _LOG.disabled
    _LOG.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _LOG.disabled = not spoke


def read_head(data: bytes, transfer_syntax_uid: str) -> Dataset:
    """Read a data set that begins at its first element and ends before its pixel data, or anywhere later.

    `transfer_syntax_uid` is that of the instance; Deflated data must be inflated already. What the bytes look
    like is believed over what it says of the VR. Binary values are turned to little endian. Raise
    NotDecodable where the bytes are no data set.
    """
    big = transfer_syntax_uid == _BIG_ENDIAN
    implicit = not (len(data) >= 6 and data[4:6].isalpha() and data[4:6].isupper())
    if len(data) < 6:
        implicit = transfer_syntax_uid == _IMPLICIT
    try:
        with quietly():
            ds = read_dataset(BytesIO(data), implicit, not big, stop_when=_is_pixel_data)
            if big:
                ds.walk(_to_little_endian)
    except _BROKEN as error:
        raise NotDecodable(f"the data set cannot be read ({type(error).__name__})") from error
    return ds


def _is_pixel_data(tag: Any, vr: str | None, length: int) -> bool:
    return bool(tag >= 0x7FE00000)


def _to_little_endian(ds: Dataset, element: DataElement) -> None:
    if isinstance(element.value, bytes):
        element.value = swap_words(element.value, word_size(element.VR))
