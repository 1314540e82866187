"""archive/imaging/decode.py: frames of every transfer syntax against pydicom, and by round trips."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.pixels import pixel_array
from pydicom.pixels.encoders import JPEGLSLosslessEncoder, RLELosslessEncoder

from archive.dicomweb.media_types import Kind, transfer_syntax
from archive.errors import NotDecodable
from archive.imaging.decode import decode_frame
from archive.imaging.syntaxes import MAX_FRAME_LENGTH, decoded_attributes
from archive.model.instance import Pixels
from tests.imaging.pixels import encapsulated_files, frames, pixels, pixels_of, read

_JPEG_LOSSLESS, _JPEG_LS, _J2K, _HTJ2K = (f"1.2.840.10008.1.2.4.{tail}" for tail in ("70", "80", "90", "201"))
_BASELINE, _XL, _RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.5"
_UNCOMPRESSED, _DEFLATED = "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"


def samples_of(frame: bytes, described: Pixels) -> np.ndarray:
    """Return rows x columns x samples of a decoded frame."""
    rows, columns, samples = described.rows, described.columns, described.samples_per_pixel
    if described.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(frame, np.uint8), count=rows * columns, bitorder="little")
        return bits.reshape(rows, columns, 1)
    kind = "i" if described.pixel_representation else "u"
    array = np.frombuffer(frame, f"<{kind}{described.bits_allocated // 8}")
    if described.planar_configuration == 1:
        return array.reshape(samples, rows, columns).transpose(1, 2, 0)
    return array.reshape(rows, columns, samples)


@pytest.mark.parametrize("path", encapsulated_files(), ids=lambda path: path.name)
def test_shipped_files_decode_as_pydicom_decodes_them(path: Path) -> None:
    ds = read(path)
    described, syntax = pixels_of(ds), str(ds.file_meta.TransferSyntaxUID)
    try:
        decoded = [decode_frame(value, syntax, described, 1) for value in frames(ds)]
    except NotDecodable:
        with warnings.catch_warnings(action="ignore"), pytest.raises(Exception, match="decode"):
            pixel_array(ds)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = pixel_array(ds)  # RGB, whatever it was
        except (RuntimeError, NotImplementedError, AttributeError, ValueError):
            return  # 12-bit JPEG and the like: only we decode it; test_references.py covers them
    expected = expected.reshape(described.frames, described.rows, described.columns, -1).astype(int)
    colour = decoded_attributes(described, syntax).get("00280004", described.photometric_interpretation)
    for frame, reference in zip(decoded, expected, strict=True):
        apart = np.abs(samples_of(frame, described).astype(int) - reference)
        if colour != "YBR_FULL":
            assert apart.max() <= (2 if transfer_syntax(syntax).kind is Kind.LOSSY else 0)


def _rle(array: np.ndarray) -> bytes:
    """Encode by pydicom, a plane of bytes a segment."""
    samples = 1 if array.ndim == 2 else array.shape[2]
    return RLELosslessEncoder.encode(
        array,
        encoding_plugin="pydicom",
        rows=array.shape[0],
        columns=array.shape[1],
        samples_per_pixel=samples,
        bits_allocated=array.itemsize * 8,
        bits_stored=array.itemsize * 8,
        pixel_representation=int(array.dtype.kind == "i"),
        photometric_interpretation="RGB" if samples == 3 else "MONOCHROME2",
        number_of_frames=1,
        planar_configuration=0,
    )


def _unsigned(encode: Callable[..., bytes]) -> Callable[[np.ndarray, int], bytes]:
    """Encode the bits of negative samples as devices do for codecs without a sign."""
    return lambda array, bits: encode(array.view(f"u{array.itemsize}") & ((1 << bits) - 1))


ENCODERS: dict[str, Callable[[np.ndarray, int], bytes]] = {
    _JPEG_LOSSLESS: _unsigned(
        lambda array: imagecodecs.jpeg8_encode(
            array, lossless=True, bitspersample=max(8, int(array.max()).bit_length())
        )
    ),
    _JPEG_LS: _unsigned(imagecodecs.jpegls_encode),
    _J2K: lambda array, bits: imagecodecs.jpeg2k_encode(
        array, reversible=True, codecformat="j2k", bitspersample=bits, mct=False
    ),
    _HTJ2K: lambda array, bits: imagecodecs.htj2k_encode(array, reversible=True),
    _XL: _unsigned(lambda array: imagecodecs.jpegxl_encode(array, lossless=True)),
    _RLE: lambda array, bits: _rle(array),
    _DEFLATED: lambda array, bits: zlib.compress(array.tobytes(), wbits=-15),
    _UNCOMPRESSED: lambda array, bits: array.tobytes() + b"\0",
}
SHAPES = [
    pytest.param("u1", 8, 1, 0, id="8u"),
    pytest.param("u2", 12, 1, 0, id="12u"),
    pytest.param("u2", 16, 1, 0, id="16u"),
    pytest.param("i2", 16, 1, 0, id="16s"),
    pytest.param("u1", 8, 3, 0, id="RGB by pixel"),
    pytest.param("u1", 8, 3, 1, id="RGB by plane"),
]


@pytest.mark.parametrize(("kind", "bits", "samples", "planar"), SHAPES)
@pytest.mark.parametrize("syntax", ENCODERS)
def test_lossless_is_bit_exact(syntax: str, kind: str, bits: int, samples: int, planar: int) -> None:
    generator = np.random.default_rng(7)
    low = -(1 << bits - 1) if kind == "i2" else 0
    array = generator.integers(low, low + (1 << bits), (9, 13, samples)).astype(kind)
    described = pixels(
        rows=9,
        columns=13,
        samples_per_pixel=samples,
        bits_allocated=array.itemsize * 8,
        pixel_representation=int(kind == "i2"),
        planar_configuration=planar,
        photometric_interpretation="RGB" if samples == 3 else "MONOCHROME2",
    )
    if planar and syntax in (_DEFLATED, _UNCOMPRESSED):
        value = ENCODERS[syntax](np.ascontiguousarray(array.transpose(2, 0, 1)), bits)
    else:
        value = ENCODERS[syntax](array if samples == 3 else array[..., 0], bits)
    frame = decode_frame(value, syntax, described, 1)
    assert (samples_of(frame, described) == array).all()
    assert decoded_attributes(described, syntax) == {}


@pytest.mark.parametrize("syntax", [_JPEG_LS, _J2K])
def test_twelve_signed_bits_get_their_sign(syntax: str) -> None:
    array = np.arange(-2048, 2048, 17, dtype="i2")[:240].reshape(12, 20)
    masked = array.view("u2") & 0xFFF
    if syntax == _JPEG_LS:
        value = JPEGLSLosslessEncoder.encode(
            masked,
            rows=12,
            columns=20,
            samples_per_pixel=1,
            bits_allocated=16,
            bits_stored=12,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
            number_of_frames=1,
        )
    else:
        value = imagecodecs.jpeg2k_encode(masked, reversible=True, codecformat="j2k", bitspersample=12)
    described = pixels(rows=12, columns=20, bits_allocated=16, pixel_representation=1)
    assert (samples_of(decode_frame(value, syntax, described, 1), described)[..., 0] == array).all()


def _colour(mode: str) -> tuple[np.ndarray, bytes]:
    y, x = np.mgrid[:32, :48]
    rgb = np.dstack([x * 5, y * 7, 255 - x * 2 - y]).astype("u1")
    file = io.BytesIO()
    image = Image.fromarray(rgb)
    image.save(file, "JPEG", quality=98, subsampling=0, keep_rgb=mode == "RGB")
    return rgb, file.getvalue()


@pytest.mark.parametrize("stored", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("mode", ["RGB", "YCbCr"])
def test_lossy_colour_comes_as_rgb_and_the_header_says_so(mode: str, stored: str) -> None:
    rgb, value = _colour(mode)
    described = pixels(rows=32, columns=48, samples_per_pixel=3, photometric_interpretation=stored)
    frame = samples_of(decode_frame(value, _BASELINE, described, 1), described)
    assert np.abs(frame.astype(int) - rgb).mean() < 3
    assert decoded_attributes(described, _BASELINE) == ({} if stored == "RGB" else {"00280004": "RGB"})


@pytest.mark.parametrize(
    ("syntax", "stored", "decoded"),
    [
        (_J2K, "YBR_RCT", "RGB"),
        ("1.2.840.10008.1.2.4.91", "YBR_ICT", "RGB"),
        (_J2K, "YBR_FULL", "YBR_FULL"),
        (_JPEG_LOSSLESS, "YBR_FULL", "YBR_FULL"),
        (_RLE, "YBR_FULL_422", "YBR_FULL"),
        (_UNCOMPRESSED, "YBR_FULL_422", "YBR_FULL_422"),
        ("1.2.840.10008.1.2.4.112", "XYB", "RGB"),
    ],
)
def test_the_header_agrees_with_decoded_colour(syntax: str, stored: str, decoded: str) -> None:
    described = pixels(samples_per_pixel=3, photometric_interpretation=stored)
    expected = {} if stored == decoded else {"00280004": decoded}
    assert decoded_attributes(described, syntax) == expected


def _one_segment(data: bytes) -> bytes:
    return struct.pack("<16L", 1, 64, *[0] * 14) + data


def _j2k(**header: int) -> bytes:
    value = bytearray(imagecodecs.jpeg2k_encode(np.zeros((4, 4), "u1"), codecformat="j2k", reversible=True))
    for name, number in header.items():
        struct.pack_into(">L", value, {"columns": 8, "rows": 12}[name], number)
    return bytes(value)


@pytest.mark.parametrize(
    ("syntax", "value", "changes", "message"),
    [
        pytest.param(_J2K, _j2k(columns=2**31), {}, "it is 2147483648 x 4", id="absurd columns"),
        pytest.param(_J2K, _j2k(), {"rows": 5}, "Columns and Rows are 4 x 5", id="other rows"),
        pytest.param(_J2K, _j2k(), {"samples_per_pixel": 3}, "1 components", id="other components"),
        pytest.param(_J2K, _j2k()[:60], {}, "refused", id="cut off"),
        pytest.param(_J2K, b"\xff\x4f\xff\x51", {}, "size segment is cut off", id="header cut off"),
        pytest.param(_J2K, b"", {}, "is empty", id="empty"),
        pytest.param(_BASELINE, b"\xff\xd8\xff\xe0", {}, "no JPEG frame header", id="no frame header"),
        pytest.param(_BASELINE, bytes(100), {}, "start of image", id="zeros"),
        pytest.param(_XL, b"\xff\x0a" + b"\xff" * 9, {}, "Columns and Rows", id="XL of absurd size"),
        pytest.param(_RLE, bytes(64), {}, "RLE header", id="no segments"),
        pytest.param(_RLE, _one_segment(b"\x03abcd"), {}, "4 bytes, 16", id="RLE short"),
        pytest.param(_RLE, _one_segment(b"\x81a" * 9), {}, "refused", id="RLE bomb"),
        pytest.param(_DEFLATED, zlib.compress(bytes(9), wbits=-15), {}, "9 bytes, 16", id="deflated short"),
        pytest.param(_DEFLATED, b"\xff" * 9, {}, "refused", id="not deflated"),
        pytest.param(_UNCOMPRESSED, bytes(15), {}, "15 bytes, 16", id="uncompressed short"),
        pytest.param(_J2K, _j2k(), {"rows": 65535, "columns": 65535}, str(MAX_FRAME_LENGTH), id="limit"),
        pytest.param(_J2K, _j2k(), {"bits_allocated": 12}, "Bits Allocated is 12", id="12 bits allocated"),
        pytest.param("1.2.840.10008.1.2.4.102", b"video", {}, "as stored", id="video"),
    ],
)
def test_what_cannot_be_decoded_says_why(
    syntax: str, value: bytes, changes: dict[str, int], message: str
) -> None:
    with pytest.raises(NotDecodable, match=message) as caught:
        decode_frame(value, syntax, pixels(**changes), 3)
    assert syntax in str(caught.value)


@pytest.mark.parametrize("syntax", [s for s in ENCODERS if s not in (_UNCOMPRESSED, _RLE)] + [_BASELINE])
def test_a_frame_that_is_cut_off_never_gives_pixels(syntax: str) -> None:
    array = (np.add.outer(np.arange(64) ** 2, np.arange(64) * 3) % 256).astype("u1")
    encode = ENCODERS.get(syntax, lambda a, bits: imagecodecs.jpeg8_encode(a))
    value = bytes(encode(array, 8))
    for length in (len(value) // 2, len(value) * 3 // 4, len(value) - 10):
        with pytest.raises(NotDecodable):
            decode_frame(value[:length], syntax, pixels(rows=64, columns=64), 1)


def test_a_deflated_bomb_is_not_inflated_beyond_its_frame() -> None:
    bomb = zlib.compress(bytes(50_000_000), wbits=-15)
    assert decode_frame(bomb, _DEFLATED, pixels(), 1) == bytes(16)


def test_samples_wider_than_allocated_are_refused() -> None:
    value = imagecodecs.jpegls_encode(np.full((4, 4), 4000, "u2"))
    with pytest.raises(NotDecodable, match="Bits Allocated is 8"):
        decode_frame(value, _JPEG_LS, pixels(), 1)


def test_threads_decode_at_the_same_time() -> None:
    array = (np.add.outer(np.arange(128), np.arange(128)) // 2).astype("u1")
    described = pixels(rows=128, columns=128)
    with ThreadPoolExecutor(8) as pool:
        for syntax in (_J2K, _JPEG_LS, _HTJ2K, _XL, _JPEG_LOSSLESS, _RLE):
            value = ENCODERS[syntax](array, 8)
            done = pool.map(lambda n, s=syntax, v=value: decode_frame(v, s, described, n), range(24))
            assert set(done) == {array.tobytes()}
