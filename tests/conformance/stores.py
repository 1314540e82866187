"""What store answers say, taken apart, and what an archive holds after them."""

from __future__ import annotations

import json
import re
from typing import Any

from werkzeug.test import TestResponse

from tests.conformance.archive import Archive

DUPLICATE, NO_MATCH, NOT_UNDERSTOOD, NO_ROOM = 0x0111, 0xA900, 0xC000, 0xA700


def stored(answer: TestResponse) -> list[str]:
    """Return the SOP Instance UIDs of Referenced SOP Sequence."""
    items = json.loads(answer.data).get("00081199", {}).get("Value", [])
    return [item["00081155"]["Value"][0] for item in items]


def failures(answer: TestResponse) -> list[tuple[int, str | None]]:
    """Return (Failure Reason, SOP Instance UID) of Failed SOP Sequence, then of Other Failures Sequence."""
    response = json.loads(answer.data)
    items = [item for tag in ("00081198", "0008119A") for item in response.get(tag, {}).get("Value", [])]
    return [
        (item["00081197"]["Value"][0], item.get("00081155", {"Value": [None]})["Value"][0]) for item in items
    ]


def failed_attributes(answer: TestResponse) -> list[str]:
    """Return the tags that Failed Attributes Sequences name."""
    items: list[Any] = json.loads(answer.data).get("00081198", {}).get("Value", [])
    items += json.loads(answer.data).get("0008119A", {}).get("Value", [])
    named = [each for item in items for each in item.get("00741048", {}).get("Value", [])]
    return [each["00720026"]["Value"][0] for each in named]


def warning(answer: TestResponse) -> str:
    """Return the text of the Warning header, whose form is that of RFC 7234 5.5; "" where there is none."""
    value = answer.headers.get("Warning", "")
    match = re.fullmatch(r'299 \S+ "((?:[^"\\]|\\.)*)"', value)
    assert match or not value, value
    return match.group(1) if match else ""


def objects(archive: Archive) -> list[str]:
    """Return the keys of the instances in the object store, without markers and derived objects."""
    return [each.key for each in archive.services.objects.list() if each.key.endswith(".dcm")]


def nothing_is_left(archive: Archive) -> bool:
    """Tell whether the archive is as if no request had come: neither rows nor objects."""
    found = [each.key for each in archive.services.objects.list()]
    return archive.json("/studies") == [] and archive.json("/series") == [] and found == []
