"""Documents inside instances, as they are: PDF and the models of STL, OBJ and MTL (PS3.3 A.45, A.85, A.94).

Owns where such a document ends. What is in one is not looked at beyond its first bytes.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from archive.errors import NotDecodable
from archive.rendering.values import data, integer

_PDF_BEGINS = 1024  # bytes in which readers look for the beginning of a PDF


def encapsulated_document(ds: Dataset) -> bytes:
    """Return the document without the byte that makes its value even (PS3.3 C.24.2.1).

    Encapsulated Document Length (0042,0015) says how long it is; where it is missing or wrong, a NUL at the
    end is padding. Raise NotDecodable where there is no document.
    """
    value = data(ds, "EncapsulatedDocument")
    length = integer(ds, "EncapsulatedDocumentLength")
    if not value:
        raise NotDecodable("EncapsulatedDocument (0042,0011) is missing or empty")
    if length is not None and len(value) - 1 <= length <= len(value):
        return value[:length]
    return value[:-1] if value[-1:] == b"\0" else value


def pdf_document(ds: Dataset) -> bytes:
    """Return the bytes of an encapsulated PDF; raise NotDecodable where they are none."""
    document = encapsulated_document(ds)
    if b"%PDF" not in document[:_PDF_BEGINS]:
        raise NotDecodable("EncapsulatedDocument (0042,0011) holds something else than a PDF")
    return document
