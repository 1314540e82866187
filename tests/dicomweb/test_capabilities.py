"""Descriptions of what the archive can do, from one table."""

from __future__ import annotations

import json

from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from archive.dicomweb.capabilities import Parameter, Row, allowed, rows_below, to_json, to_markdown, to_wadl

ROWS = (
    Row(
        "GET",
        "/studies",
        "search",
        "10.6",
        "Find studies",
        offers=("application/dicom+json",),
        parameters=(Parameter("limit", "most results"), Parameter("fuzzymatching", values=("true", "false"))),
    ),
    Row("POST", "/studies", "store", "10.5", "Store & keep", (200, 202, 409), accepts=("application/dicom",)),
    Row(
        "GET",
        "/studies/{study}",
        "retrieve",
        "10.4",
        "A study",
        offers=("application/dicom", "application/zip"),
    ),
    Row("DELETE", "/studies/{study}", "delete", "10.7", "Delete a study", (204,)),
    Row("GET", "/studies/{study}/series/{series}/metadata", "metadata", "10.4", "Metadata"),
    Row("GET", "/workitems", "workitems", "11.9", "Find | work"),
)


def paths(path: str) -> set[str]:
    return {f"{row.method} {row.path}" for row in rows_below(ROWS, path)}


def test_rows_below_a_path_or_template() -> None:
    assert len(rows_below(ROWS, "/")) == len(ROWS)
    for path in ("/studies/1.2", "/studies/{study}", "/studies/1.2/"):
        assert paths(path) == {
            "GET /studies/{study}",
            "DELETE /studies/{study}",
            "GET /studies/{study}/series/{series}/metadata",
        }
    assert paths("/nothing") == set()


def test_allow() -> None:
    assert allowed(ROWS, "/studies") == ("GET", "HEAD", "OPTIONS", "POST")
    assert allowed(ROWS, "/studies/1.2") == ("DELETE", "GET", "HEAD", "OPTIONS")
    assert allowed(ROWS, "/nothing") == ("OPTIONS",)


def test_wadl_holds_each_row() -> None:
    root = fromstring(to_wadl(ROWS, "https://host/dicom-web"))
    names = {"w": "http://wadl.dev.java.net/2009/02"}
    found = {
        (method.get("name"), "/" + resource.get("path"))
        for resource in root.findall("w:resources/w:resource", names)
        for method in resource.findall("w:method", names)
    }
    assert found == {(row.method, row.path) for row in ROWS}
    identifiers = [method.get("id") for method in root.iterfind(".//w:method", names)]
    assert len(set(identifiers)) == len(ROWS)
    assert root.find(".//w:param[@name='fuzzymatching']/w:option[@value='true']", names) is not None
    assert root.find(".//w:param[@name='study'][@style='template']", names) is not None
    assert root.find(".//w:response[@status='200 202 409']", names) is not None


def test_json_holds_each_row() -> None:
    described = json.loads(json.dumps(to_json(ROWS, "https://host/dicom-web")))
    resources = described["application"]["resources"]
    assert resources["base"] == "https://host/dicom-web"
    found = {(method["name"], each["path"]) for each in resources["resource"] for method in each["methods"]}
    assert found == {(row.method, row.path) for row in ROWS}


def test_tables_for_people() -> None:
    text = to_markdown(ROWS)
    assert all(f"## {row.transaction}" in text and f"`{row.method} {row.path}`" in text for row in ROWS)
    assert "Find \\| work" in text
    cells = "| `application/dicom`, `application/zip` |"
    assert cells in text
