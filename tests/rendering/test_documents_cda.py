"""Clinical documents as pages: what comes through of their text, and that nothing harmful does."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import pytest
from PIL import Image

from archive.errors import NotDecodable
from archive.rendering.document import render_document
from tests.rendering.documents import CDA, Seen, document


def page(xml: str | bytes) -> Seen:
    value = xml if isinstance(xml, bytes) else xml.encode()
    ds = document(
        CDA, EncapsulatedDocument=value + bytes(len(value) % 2), EncapsulatedDocumentLength=len(value)
    )
    return Seen(render_document(ds, "text/html"))


def clinical(narrative: str, *, header: str = "", entry: str = "", declaration: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{declaration}'
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<title>Discharge letter</title>{header}<component><structuredBody><component><section>"
        f"<title>Course</title><text>{narrative}</text>{entry}"
        "</section></component></structuredBody></component></ClinicalDocument>"
    )


def test_the_header_tells_who_wrote_it_about_whom() -> None:
    header = """
        <effectiveTime value="20240131101500+0100"/><languageCode code="de-DE"/>
        <recordTarget><patientRole><id extension="P77"/><patient><name><prefix>Dr.</prefix><given>Ann</given>
        <family>Smith</family></name><administrativeGenderCode code="F" displayName="female"/>
        <birthTime value="19700203"/></patient></patientRole></recordTarget>
        <author><assignedAuthor><assignedPerson><name><given>Rita</given><family>Ray</family></name>
        </assignedPerson><representedOrganization><name>City Hospital</name></representedOrganization>
        </assignedAuthor></author>
        <legalAuthenticator><time value="20240201"/><assignedEntity><assignedPerson><name>Prof. Chief</name>
        </assignedPerson></assignedEntity></legalAuthenticator>"""
    text = page(clinical("<paragraph>Well.</paragraph>", header=header)).text
    for words in (
        "Discharge letter",
        "Smith, Dr. Ann",
        "P77",
        "3 Feb 1970",
        "female",
        "31 Jan 2024, 10:15:00 (+0100)",
        "Ray, Rita, City Hospital",
        "Prof. Chief, 1 Feb 2024",
        "Course",
        "Well.",
    ):
        assert words in text


def test_the_narrative_keeps_its_form() -> None:
    seen = page(
        clinical(
            """<paragraph>A <content styleCode="Bold">bold</content> word,<br/>H<sub>2</sub>O,
            10<sup>9</sup></paragraph>
            <list listType="ordered"><caption>Drugs</caption><item>Aspirin</item><item>Statin</item></list>
            <list><item>One<list><item>Inner</item></list></item></list>
            <table><caption>Values</caption><thead><tr><th>Test</th><th colspan="2">Result</th></tr></thead>
            <tbody><tr><td>Na</td><td>140</td><td>mmol/l</td></tr></tbody></table>
            <linkHtml href="https://elsewhere.example/x">a site</linkHtml>"""
        )
    )
    assert {
        "p",
        "strong",
        "br",
        "sub",
        "sup",
        "ol",
        "ul",
        "li",
        "table",
        "caption",
        "th",
        "td",
    } <= seen.elements
    assert "Aspirin" in seen.text
    assert "Na 140 mmol/l" in seen.text
    assert "a site [https://elsewhere.example/x]" in seen.text
    assert not seen.links


def test_sections_nest() -> None:
    inner = "<component><section><title>Inner part</title><text>Deep words</text></section></component>"
    seen = page(clinical("Outer words", entry=inner))
    assert {"h2", "h3"} <= seen.elements
    assert seen.text.index("Outer words") < seen.text.index("Inner part") < seen.text.index("Deep words")


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        '<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>',
        '<h:img xmlns:h="http://www.w3.org/1999/xhtml" src="x" onerror="alert(1)"/>',
        '<paragraph onclick="alert(1)" style="background:url(http://x)">p</paragraph>',
        '<linkHtml href="javascript:alert(1)">x</linkHtml>',
        '<table><tr><td colspan="1&quot; onmouseover=&quot;alert(1)">x</td></tr></table>',
        "<iframe/><object/><style>*{display:none}</style><meta/><base/>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        '<renderMultiMedia referencedObject="M1"/>',
        "</text><text>" + "<paragraph>" * 500 + "x" + "</paragraph>" * 500,
    ],
)
def test_hostile_text_does_nothing(evil: str) -> None:
    seen = page(clinical(evil))
    assert not seen.links
    assert not seen.images
    assert not seen.elements & {"script", "iframe", "object", "base"}


def test_pictures_come_from_the_document_alone() -> None:
    out = BytesIO()
    Image.new("L", (2, 2)).save(out, "PNG")
    media = (
        '<entry><observationMedia ID="M1"><value mediaType="{}" representation="B64">{}</value>'
        "</observationMedia></entry>"
    )
    show = '<renderMultiMedia referencedObject="M1"/>'
    good = page(clinical(show, entry=media.format("image/png", b64encode(out.getvalue()).decode())))
    assert len(good.images) == 1
    svg = b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>").decode()
    for kind in ("image/svg+xml", "image/png", 'image/png" onload="x'.replace('"', "&quot;"), "text/html"):
        assert not page(clinical(show, entry=media.format(kind, svg))).images
    outside = media.format("image/png", "").replace("</value>", '<reference value="http://x/y.png"/></value>')
    assert not page(clinical(show, entry=outside)).images


_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(9))


@pytest.mark.parametrize(
    "declaration",
    [
        f"<!DOCTYPE d [{_LAUGHS}]>",
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE d [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>',
    ],
)
def test_entities_and_external_references_are_refused(declaration: str) -> None:
    with pytest.raises(NotDecodable, match=r"\(0042,0011\) declares entities or external references"):
        page(clinical("x &amp; y", declaration=declaration))


def test_what_the_document_names_outside_itself_is_not_looked_at() -> None:
    assert "Course" in page(clinical("x", declaration='<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd">')).text
    seen = page(
        clinical("x", declaration='<?xml-stylesheet type="text/xsl" href="http://127.0.0.1:9/x.xsl"?>')
    )
    assert "xsl" not in seen.text


@pytest.mark.parametrize(
    "xml", [b"<a><b></a>", b"nothing", b"\xff\xfe\x00", b'<?xml version="1.0" encoding="x"?><a/>']
)
def test_what_is_no_xml_is_not_decodable(xml: bytes) -> None:
    with pytest.raises(NotDecodable, match=r"\(0042,0011\) is no well-formed XML"):
        page(xml)


def test_other_xml_and_other_bodies_say_so() -> None:
    assert "has no sections" in page("<other/>").text
    text = '<text mediaType="application/pdf" representation="B64">JVBERg==</text>'
    body = f"<component><nonXMLBody>{text}</nonXMLBody></component>"
    other = page(f"<ClinicalDocument><title>T</title>{body}</ClinicalDocument>")
    assert "a file of application/pdf" in other.text


def test_a_document_of_any_depth_is_shown() -> None:
    nested = "<content>" * 20_000 + "core" + "</content>" * 20_000
    assert "core" in page(clinical(nested)).text


def test_other_encodings_are_read_and_the_xml_comes_as_it_is() -> None:
    xml = clinical("<paragraph>Grüße</paragraph>").replace("UTF-8", "ISO-8859-1").encode("latin-1")
    assert "Grüße" in page(xml).text
    ds = document(CDA, EncapsulatedDocument=xml + bytes(len(xml) % 2))
    assert render_document(ds, "text/xml") == xml
