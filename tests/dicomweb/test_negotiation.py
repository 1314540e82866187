"""What real clients send in Accept, and what they get."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.dicomweb import media_types
from archive.dicomweb.headers import parse_accept
from archive.dicomweb.matching import match_frames, match_instance, named_by
from archive.dicomweb.media_types import EXPLICIT_LITTLE, FRAME_MEDIA_TYPES, TRANSFER_SYNTAXES, Kind
from archive.dicomweb.negotiation import (
    AS_STORED,
    OFFERS,
    UNNAMED,
    Container,
    Resource,
    choose_bulk,
    choose_frames,
    choose_instances,
    choose_text,
)
from archive.errors import NotAcceptable
from archive.model.level import Level

M, S, Z = Container.MULTIPART, Container.SINGLE, Container.ZIP
UID = "1.2.840.10008.1.2"
JPEG, SV1, JLS, J2K, HTJ2K, RLE = (f"{UID}.{tail}" for tail in ("4.50", "4.70", "4.80", "4.90", "4.201", "5"))
MP4, JPIP, DEFLATED, BIG, PRIVATE = f"{UID}.4.102", f"{UID}.4.94", f"{UID}.1.99", f"{UID}.2", "1.3.6.1.4.1.1"

PARTS = 'multipart/related;type="application/dicom"'
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

INSTANCES = [
    # client, Accept, level, container, transfer syntaxes
    ("curl, dicomtrolley", "*/*", Level.STUDY, M, (UNNAMED,)),
    (
        "a browser",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        Level.SERIES,
        M,
        (UNNAMED,),
    ),
    ("no header", "", Level.INSTANCE, M, (UNNAMED,)),
    (
        "dicomweb-client.py",
        'multipart/related; type="application/dicom"; transfer-syntax=*',
        Level.STUDY,
        M,
        (AS_STORED,),
    ),
    ("dicomweb-client.js", 'multipart/related; type="application/dicom"', Level.INSTANCE, M, (UNNAMED,)),
    (
        "Weasis",
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1',
        Level.INSTANCE,
        M,
        (EXPLICIT_LITTLE,),
    ),
    ("Slicer", "multipart/related; type=application/dicom;transfer-syntax=*", Level.SERIES, M, (AS_STORED,)),
    (
        "Orthanc",
        'multipart/related; type="application/dicom"; transfer-syntax="1.2.840.10008.1.2.4.80"',
        Level.INSTANCE,
        M,
        (JLS,),
    ),
    (
        "healthcare cli",
        'multipart/related; type="application/dicom; transfer-syntax=1.2.840.10008.1.2.1"',
        Level.INSTANCE,
        M,
        (EXPLICIT_LITTLE,),
    ),
    ("OHIF download", "application/dicom; transfer-syntax=*", Level.INSTANCE, S, (AS_STORED,)),
    ("one file", "application/dicom", Level.INSTANCE, S, (UNNAMED,)),
    ("bare", "multipart/related", Level.SERIES, M, (UNNAMED,)),
    ("wild type", 'multipart/related; type="*/*"', Level.INSTANCE, M, (UNNAMED,)),
    ("zip", "application/zip", Level.STUDY, Z, (UNNAMED,)),
    ("zip as stored", "application/zip; transfer-syntax=*", Level.INSTANCE, Z, (AS_STORED,)),
    (
        "q",
        'application/dicom;q=0.1, multipart/related;type="application/dicom"',
        Level.INSTANCE,
        M,
        (UNNAMED,),
    ),
    (
        "q other way",
        f"application/dicom, {PARTS};q=0",
        Level.INSTANCE,
        S,
        (UNNAMED,),
    ),
    (
        "several",
        f"{PARTS};transfer-syntax={JLS};q=0.5, {PARTS};transfer-syntax={J2K}, */*;q=0.1",
        Level.STUDY,
        M,
        (J2K, JLS, UNNAMED),
    ),
    (
        "never made",
        f"{PARTS};transfer-syntax={UID}, {PARTS};transfer-syntax={JLS}",
        Level.STUDY,
        M,
        (JLS,),
    ),
]


@pytest.mark.parametrize(("client", "accept", "level", "container", "syntaxes"), INSTANCES)
def test_instances(
    client: str, accept: str, level: Level, container: Container, syntaxes: tuple[str, ...]
) -> None:
    choice = choose_instances(parse_accept([accept]), level)
    assert (choice.container, choice.transfer_syntaxes) == (container, syntaxes)


@pytest.mark.parametrize(
    ("accept", "level"),
    [
        ("image/png", Level.INSTANCE),
        ("application/dicom+json", Level.INSTANCE),
        ('multipart/related; type="application/octet-stream"; transfer-syntax=*', Level.INSTANCE),
        ("application/dicom", Level.STUDY),
        (f"application/dicom; transfer-syntax={UID}", Level.INSTANCE),
        (f'multipart/related; type="application/dicom"; transfer-syntax={BIG}', Level.INSTANCE),
        ("*/*;q=0", Level.STUDY),
        ("junk", Level.STUDY),
    ],
)
def test_instances_not_acceptable(accept: str, level: Level) -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose_instances(parse_accept([accept]), level)
    assert 'multipart/related; type="application/dicom"' in caught.value.offered
    assert "application/zip" in caught.value.offered


def test_a_link_in_a_browser_can_choose() -> None:
    query = ["multipart/related;type=application/dicom;transfer-syntax=*"]
    assert choose_instances(parse_accept(["text/html"], query), Level.INSTANCE).transfer_syntaxes == (
        AS_STORED,
    )
    assert choose_instances(parse_accept(["*/*"], ["application/dicom"]), Level.INSTANCE).container is S


@pytest.mark.parametrize(
    ("asked", "stored", "sent"),
    [
        ((UNNAMED,), EXPLICIT_LITTLE, EXPLICIT_LITTLE),
        ((UNNAMED,), UID, EXPLICIT_LITTLE),
        ((UNNAMED,), BIG, EXPLICIT_LITTLE),
        ((UNNAMED,), DEFLATED, EXPLICIT_LITTLE),
        ((UNNAMED,), SV1, EXPLICIT_LITTLE),
        ((UNNAMED,), JPEG, JPEG),
        ((UNNAMED,), MP4, MP4),
        ((UNNAMED,), JPIP, JPIP),
        ((UNNAMED,), PRIVATE, PRIVATE),
        ((AS_STORED,), UID, UID),
        ((AS_STORED,), BIG, BIG),
        ((AS_STORED,), PRIVATE, PRIVATE),
        ((EXPLICIT_LITTLE,), JPEG, EXPLICIT_LITTLE),
        ((EXPLICIT_LITTLE,), MP4, None),
        ((JLS,), EXPLICIT_LITTLE, None),
        ((JLS, UNNAMED), EXPLICIT_LITTLE, EXPLICIT_LITTLE),
        ((JLS, EXPLICIT_LITTLE), JLS, JLS),
    ],
)
def test_what_of_a_stored_instance_is_sent(asked: tuple[str, ...], stored: str, sent: str | None) -> None:
    assert match_instance(asked, stored) == sent


def test_pixels_too_long_for_explicit_little_endian_stay() -> None:
    assert match_instance((UNNAMED,), RLE, native_length=2**32) == RLE
    assert match_instance((EXPLICIT_LITTLE,), RLE, native_length=2**32) is None


def test_transcoding_to_what_the_caller_can_encode() -> None:
    assert match_instance((JLS,), SV1, targets={JLS}) == JLS
    assert match_instance((JLS,), MP4, targets={JLS}) is None
    choices = choose_frames(parse_accept(['multipart/related; type="image/jls"']), 1)
    assert match_frames(choices, SV1) is None
    found = match_frames(choices, SV1, targets={JLS})
    assert found is not None
    assert (found.media_type, found.transfer_syntax) == ("image/jls", JLS)


ALL = {JPEG, SV1, JLS, J2K, HTJ2K, RLE}


@pytest.mark.parametrize(
    ("asked", "stored", "sent"),
    [
        ((JLS, J2K), EXPLICIT_LITTLE, JLS),
        ((JLS, EXPLICIT_LITTLE), UID, JLS),
        ((EXPLICIT_LITTLE, JLS), EXPLICIT_LITTLE, EXPLICIT_LITTLE),
        ((JLS, J2K), J2K, J2K),
        ((JLS, AS_STORED), J2K, J2K),
        ((JLS, AS_STORED), EXPLICIT_LITTLE, JLS),
        ((JPEG, J2K), EXPLICIT_LITTLE, J2K),
        ((JPEG, EXPLICIT_LITTLE), RLE, EXPLICIT_LITTLE),
        ((JPEG,), RLE, JPEG),
        ((JPEG,), JPEG, JPEG),
        ((JLS,), JPEG, JLS),
        ((UNNAMED, JLS), JPEG, JPEG),
        ((AS_STORED,), RLE, RLE),
        ((f"{UID}.4.91",), RLE, None),
        ((JLS,), MP4, None),
        ((JLS,), PRIVATE, None),
    ],
)
def test_what_is_compressed_anew(asked: tuple[str, ...], stored: str, sent: str | None) -> None:
    """Not what may go compressed as it is; lossy only where nothing else of these may go."""
    assert match_instance(asked, stored, targets=ALL) == sent


def test_what_is_liked_alike_stands_in_one_tier() -> None:
    accept = (
        f"{PARTS};transfer-syntax={JLS};q=0.5, {PARTS};transfer-syntax={J2K}, {PARTS};transfer-syntax={RLE}"
    )
    choice = choose_instances(parse_accept([accept, "*/*;q=0.5"]), Level.STUDY)
    assert choice.tiers == ((J2K, RLE), (JLS,), (UNNAMED,))


@pytest.mark.parametrize(
    ("accept", "stored", "sent"),
    [
        ("image/jls, image/jp2", EXPLICIT_LITTLE, JLS),
        ("image/jls, image/jp2", J2K, J2K),
        ("image/jls, image/jp2;q=0.9", J2K, JLS),
        ("image/jls, */*", J2K, JLS),
        ("image/*", EXPLICIT_LITTLE, None),
        ("image/jpeg", EXPLICIT_LITTLE, SV1),
        ("image/jpeg", JPEG, JPEG),
        (f"image/jpeg;transfer-syntax={JPEG}, image/jphc", EXPLICIT_LITTLE, HTJ2K),
        (f"image/jpeg;transfer-syntax={JPEG}", EXPLICIT_LITTLE, JPEG),
        (f"image/jpeg;transfer-syntax={JPEG}, application/octet-stream", JLS, EXPLICIT_LITTLE),
        ("image/jls;transfer-syntax=*", EXPLICIT_LITTLE, None),
        ("image/jls", MP4, None),
        (f"application/octet-stream;transfer-syntax={JLS}", EXPLICIT_LITTLE, JLS),
        (f"image/jp2;transfer-syntax={JLS}", EXPLICIT_LITTLE, None),
    ],
)
def test_frames_that_are_compressed_anew(accept: str, stored: str, sent: str | None) -> None:
    found = match_frames(choose_frames(parse_accept([accept]), 1), stored, targets=ALL)
    assert (found.transfer_syntax if found else None) == sent


def test_what_is_named_for_frames() -> None:
    accept = f"image/jls, image/*, image/jpeg;transfer-syntax={JPEG}, image/jp2;transfer-syntax=*, */*"
    assert named_by(choose_frames(parse_accept([accept]), 1)) == (JLS, JPEG)


OHIF = "multipart/related; type=application/octet-stream; transfer-syntax=*"
OCTETS = "application/octet-stream"
FRAMES = [
    # Accept, stored, container, media type, transfer syntax
    (OHIF, JLS, M, OCTETS, JLS),
    (OHIF, EXPLICIT_LITTLE, M, OCTETS, EXPLICIT_LITTLE),
    (OHIF, BIG, M, OCTETS, EXPLICIT_LITTLE),
    (OHIF, MP4, M, OCTETS, MP4),
    ('multipart/related; type="application/octet-stream"', JLS, M, OCTETS, EXPLICIT_LITTLE),
    ('multipart/related; type="application/octet-stream"', JPEG, M, OCTETS, EXPLICIT_LITTLE),
    (f"multipart/related; type={OCTETS}; transfer-syntax={EXPLICIT_LITTLE}", RLE, M, OCTETS, EXPLICIT_LITTLE),
    ('multipart/related; type="*/*"', HTJ2K, M, "image/jphc", HTJ2K),
    ('multipart/related; type="*/*"', DEFLATED, M, OCTETS, EXPLICIT_LITTLE),
    ("*/*", JPEG, M, "image/jpeg", JPEG),
    ("*/*", RLE, M, "image/dicom-rle", RLE),
    ("*/*", UID, M, OCTETS, EXPLICIT_LITTLE),
    ("*/*", MP4, M, "video/mp4", MP4),
    ("*/*", f"{UID}.8.1", M, "application/x-deflate", f"{UID}.8.1"),
    ("*/*", f"{UID}.1.98", M, OCTETS, EXPLICIT_LITTLE),
    ("*/*", PRIVATE, M, OCTETS, PRIVATE),
    ("multipart/related", J2K, M, "image/jp2", J2K),
    ("multipart/*", J2K, M, "image/jp2", J2K),
    ('multipart/related; type="image/*"', J2K, M, "image/jp2", J2K),
    (f"{OCTETS}; transfer-syntax=*", JLS, S, OCTETS, JLS),
    (OCTETS, JLS, S, OCTETS, EXPLICIT_LITTLE),
    ("image/x-jls", JLS, S, "image/jls", JLS),
    ("image/jhc", HTJ2K, S, "image/jphc", HTJ2K),
    ('multipart/related; type="image/jpeg"', JPEG, M, "image/jpeg", JPEG),
    ("multipart/related; type=image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70", SV1, M, "image/jpeg", SV1),
    (
        "multipart/related; type=image/jls; q=0.5, multipart/related; type=application/octet-stream; q=0.9",
        JLS,
        M,
        OCTETS,
        EXPLICIT_LITTLE,
    ),
    (f'multipart/related; type="image/jp2", {OCTETS};q=0.5', JLS, S, OCTETS, EXPLICIT_LITTLE),
    (f"*/*, {OCTETS}", JLS, S, OCTETS, EXPLICIT_LITTLE),
    # dicom-microscopy-viewer and wsidicom
    (
        f"multipart/related; type=image/jls; transfer-syntax={JLS}, image/jpeg; transfer-syntax={JPEG}",
        JPEG,
        S,
        "image/jpeg",
        JPEG,
    ),
]


@pytest.mark.parametrize(("accept", "stored", "container", "media_type", "syntax"), FRAMES)
def test_one_frame(accept: str, stored: str, container: Container, media_type: str, syntax: str) -> None:
    found = match_frames(choose_frames(parse_accept([accept]), 1), stored)
    assert found is not None
    assert (found.container, found.media_type, found.transfer_syntax) == (container, media_type, syntax)


@pytest.mark.parametrize(
    ("accept", "stored"),
    [
        ("application/octet-stream", MP4),
        ("image/jphc", J2K),
        ("image/*", EXPLICIT_LITTLE),
        ("video/*", JPEG),
        (f"multipart/related; type=image/jls; transfer-syntax={J2K}", J2K),
        (f"*/*; transfer-syntax={UID}", UID),
        ("*/*", JPIP),
    ],
)
def test_frames_that_cannot_be_sent(accept: str, stored: str) -> None:
    assert match_frames(choose_frames(parse_accept([accept]), 1), stored) is None


def test_several_frames_are_multipart() -> None:
    for accept in ("application/octet-stream", "image/jls", "application/dicom", "image/png"):
        with pytest.raises(NotAcceptable) as caught:
            choose_frames(parse_accept([accept]), 2)
        assert 'multipart/related; type="application/octet-stream"' in caught.value.offered
        assert "application/octet-stream" not in caught.value.offered


@pytest.mark.parametrize("row", TRANSFER_SYNTAXES, ids=lambda row: row.uid)
def test_every_pair_that_is_sent_is_in_the_table(row: media_types.TransferSyntax) -> None:
    for accept in ("*/*", 'multipart/related; type="image/*"', 'multipart/related; type="video/*"'):
        found = match_frames(choose_frames(parse_accept([accept]), 3), row.uid)
        if found is not None:
            assert media_types.BY_UID[found.transfer_syntax].media_type == found.media_type
        else:
            assert accept != "*/*" or row.kind is Kind.REFERENCED


def test_each_frame_media_type_has_one_default_syntax() -> None:
    defaults = [row.media_type for row in TRANSFER_SYNTAXES if row.default]
    assert len(defaults) == len(set(defaults))
    assert {row.media_type for row in TRANSFER_SYNTAXES} == set(FRAME_MEDIA_TYPES)
    assert len(media_types.BY_UID) == len(TRANSFER_SYNTAXES)


TEXTS = [
    ("application/dicom+json", Resource.SEARCH, S, media_types.JSON),
    ("application/dicom+json, application/json", Resource.METADATA, S, media_types.JSON),
    ("application/json", Resource.SEARCH, S, media_types.JSON),
    (
        "application/dicom+json, multipart/related; type=application/octet-stream",
        Resource.SEARCH,
        S,
        media_types.JSON,
    ),
    ("*/*", Resource.METADATA, S, media_types.JSON),
    ("text/html,application/xml;q=0.9,*/*;q=0.8", Resource.SEARCH, S, media_types.JSON),
    ('multipart/related; type="application/dicom+xml"', Resource.SEARCH, M, media_types.XML),
    ("application/dicom+xml", Resource.METADATA, M, media_types.XML),
    ("multipart/related", Resource.METADATA, M, media_types.XML),
    ("application/dicom+xml, application/dicom+json;q=0.5", Resource.STORE, S, media_types.XML),
    ("*/*", Resource.STORE, S, media_types.JSON),
    ("application/dicom+json; charset=utf-8", Resource.SEARCH, S, media_types.JSON),
    ("*/*", Resource.CAPABILITIES, S, media_types.WADL),
    ("application/json", Resource.CAPABILITIES, S, media_types.JSON),
]


@pytest.mark.parametrize(("accept", "resource", "container", "media_type"), TEXTS)
def test_texts(accept: str, resource: Resource, container: Container, media_type: str) -> None:
    offer = choose_text(parse_accept([accept]), resource)
    assert (offer.container, offer.media_type) == (container, media_type)


@pytest.mark.parametrize("accept", ["image/png", "application/dicom+json; charset=latin1", "*/*;q=0"])
def test_texts_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        choose_text(parse_accept([accept]), Resource.SEARCH)


@pytest.mark.parametrize(
    ("accept", "count", "known", "container", "media_type"),
    [
        ("*/*", 1, OCTETS, S, OCTETS),
        ("*/*", 1, "application/pdf", S, "application/pdf"),
        ("*/*", 2, OCTETS, M, OCTETS),
        ('multipart/related; type="*/*"', 1, "application/pdf", M, "application/pdf"),
        ('multipart/related; type="application/octet-stream"', 1, "application/pdf", M, OCTETS),
        (OCTETS, 1, "application/pdf", S, OCTETS),
        (OHIF, 1, OCTETS, M, OCTETS),
        ("application/pdf, */*;q=0.1", 1, OCTETS, S, OCTETS),
    ],
)
def test_bulk(accept: str, count: int, known: str, container: Container, media_type: str) -> None:
    offer = choose_bulk(parse_accept([accept]), count, known)
    assert (offer.container, offer.media_type) == (container, media_type)


def test_bulk_not_acceptable() -> None:
    for accept, count in (("image/png", 1), (OCTETS, 2)):
        with pytest.raises(NotAcceptable):
            choose_bulk(parse_accept([accept]), count)


_RANGE = st.sampled_from(
    ["*/*", "image/*", OCTETS, "application/dicom", OHIF, "multipart/related", "image/jls", "application/zip"]
)
_ACCEPT = st.lists(st.tuples(_RANGE, st.sampled_from(["", ";q=0", ";q=0.5"])).map("".join), max_size=4)


@given(_ACCEPT, st.sampled_from(list(Level)))
def test_the_order_of_lines_and_commas_is_one(members: list[str], level: Level) -> None:
    def outcome(headers: list[str]) -> object:
        try:
            return choose_instances(parse_accept(headers), level)
        except NotAcceptable as error:
            return error.offered

    assert outcome(members) == outcome([", ".join(members)])


def test_every_offer_can_be_asked_for() -> None:
    for resource in (Resource.METADATA, Resource.SEARCH, Resource.STORE, Resource.CAPABILITIES):
        for offer in OFFERS[resource]:
            assert choose_text(parse_accept([str(offer)]), resource) == offer
    for level, resource in ((Level.STUDY, Resource.STUDY), (Level.INSTANCE, Resource.INSTANCE)):
        for offer in OFFERS[resource]:
            assert choose_instances(parse_accept([str(offer)]), level).container is offer.container
