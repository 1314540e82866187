"""The page docs/conformance.md: choices in prose, then the tables that route requests and choose answers.

`python -m archive.web.conformance > docs/conformance.md` makes it again; a test compares the two.
"""

from __future__ import annotations

import sys

from archive.dicomweb.attribute_names import keyword_of
from archive.dicomweb.capabilities import to_markdown
from archive.dicomweb.media_types import EXPLICIT_LITTLE, TRANSFER_SYNTAXES
from archive.imaging.encode import ENCODERS, LOSSY, QUALITY
from archive.imaging.syntaxes import can_decode
from archive.model.query import ORDERABLE
from archive.settings import Settings
from archive.web.conformance_rendered import RENDERED
from archive.web.errors import STATUSES
from archive.web.rendered_routes import WADO_URI
from archive.web.routes import ROWS

_HEAD = """\
# DICOMweb conformance

What Filmroom does of PS3.18, below `/dicom-web`. The tables are those that route requests; `OPTIONS` on
any address answers with the same ones, as WADL or, with `Accept: application/json`, as JSON. Made by
`make docs`.

Not in this release: the worklist service (UPS-RS), storage commitment, and users: whoever reaches the
archive may do everything.

## Choices

### Every transaction

- `Accept` takes q-values, wildcards and several headers; parameters are quoted or bare, in any case and
  order. The query parameter `accept` wins over it (8.3.3.1), and `charset` over `Accept-Charset`. No
  `Accept`, or `*/*`, means the first answer of the row below. What cannot be made is 406 with all that
  is offered.
- `application/json` means `application/dicom+json`; older names of media types are understood
  (`image/jhc`, `image/x-jls`, `image/x-dicom-rle` and others).
- Answers are UTF-8; a client that accepts no UTF-8 gets 406.
- Unknown query parameters of a retrieval are ignored; a bad value of a known one is 400 and named.
- UIDs in paths are digits and single dots, 64 characters at most; anything else is 400. Components with
  leading zeros, which PS3.5 9.1 forbids, are accepted and compared as text.
- Errors are JSON: `error` for a person, `status`, `request` (the answer's `X-Request-ID`, under which
  the log has it), and where they are known `where` (the parameter, header or attribute) and `offered`.
  What turns out not to be had after the beginning of an answer has gone out breaks it off: it has no end.
- Double slashes and a slash at the end of an address make no difference. HEAD is GET without a body.
- ETags stand on searches, studies, series, instances, metadata, frames, renderings and single bulk values;
  `If-None-Match` gives 304. Range is honoured on an instance as stored, on a bulk value and on one rendering,
  in a single part.
- URLs in answers are absolute: below `FILMROOM_PUBLIC_URL`, else as `X-Forwarded-Proto`, `-Host`,
  `-Port` and `-Prefix` of as many proxies as `FILMROOM_TRUSTED_PROXIES` says, else as the request's
  `Host`.
- JSON goes compressed to clients that accept gzip.

### store

- Part 10 files are taken in multipart or alone; metadata in JSON or XML with bulk data in parts of their
  own (10.5.2). A data set without the Part 10 header is a failure of its part.
- 200 all stored; 202 some stored, or a warning; 409 none stored; 400 the request is broken, and nothing
  of it was stored.
- The same instance again (transfer syntax and data set alike; preamble and group 0002 may differ) is a
  success, and nothing is written; `X-Already-Stored` has the numbers of such parts, from 1 (1-3,7). Other
  content under a stored SOP Instance UID fails with 0111, or replaces it where `FILMROOM_ON_DUPLICATE` is
  `replace`; in another study or series it always fails with 0111.
- Nothing is coerced. Only StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID and SOPClassUID are
  required. Values that break PS3.5 are kept as sent, told in the `Warning` header (1 KB at most; all of
  them at `/api/requests/<X-Request-ID>`, by part), and change no status.
- An instance of another PatientID or issuer than its study is stored with warning B007; the study is
  found under either.
- Every transfer syntax and SOP Class is taken, private ones too.

### search

- No match is 200 and `[]`, in editions before 2026a 204.
- A search without `limit` returns {default_limit} results, one below a study or a series all of them; none
  returns more than {max_limit}.
  `Link` with `rel="next"` leads to the next page; `Warning: 299` tells that there are more, and
  how many where that is known.
  `X-Total-Count` is exact to 10,000 and left out beyond; `limit=0` only counts.
- Order: StudyDate and StudyTime, newest first, empty ones last, then UID; series and instances
  within by their numbers, then UIDs. `orderby` (not in PS3.18) orders studies by {orderable}, or with `-`
  before it the other way round; empty ones come last, equal ones newest first, under `-` oldest first.
  Anything else is 400.
- Names and descriptions are matched without case, identifiers and codes exactly, and UIDs as text. `*`
  and `?` are wildcards in text, nothing else is special, and escaping them in the URL makes no
  difference. `fuzzymatching`: each word of the query begins some word of the name, without accents.
- Commas and backslashes separate values of UIDs, Modality and ModalitiesInStudy, and of others only with
  `multiplevaluematching=true` (8.3.4.6).
- Dates, times and their combination match as ranges, open ones too; a time stands for all that begin
  with it.
- Keys below the level of the resource must all match in one instance, keys in a sequence in one item.
- Any attribute may be matched. What has no index is read from the stored metadata of the candidates that
  other keys leave, {scan_limit} at most; more are 400, which names the command that indexes the
  attribute.
- An attribute that cannot be matched is ignored, with `Warning: 299`.

### retrieve

- `transfer-syntax=*` sends an instance byte for byte as it was stored, in Implicit VR and Big Endian
  too, which 8.7.3 would not allow.
- Without a transfer syntax it is sent in Explicit VR Little Endian; lossy and video data, data of
  unknown syntaxes, and pixels too long for that stay as stored.
- Where `Accept` names it, it is compressed to any syntax that the table below calls made, from native or
  other compressed pixels, lossy ones included; video is not. Pixels must fit (PS3.5 8.2): 8 or 16 bits
  allocated, or 1 in JPEG 2000; MONOCHROME, PALETTE COLOR, RGB or YBR_FULL, signed only if grey. What does
  not fit is 406 and told. What has no pixels fits everywhere.
- Among syntaxes that are liked alike, an instance stored compressed goes as stored if it may, and nothing
  lossy is made if something lossless may go.
- Compressed data have one fragment a frame, an empty Basic Offset Table and Planar Configuration 0. RGB in
  JPEG 2000 and HTJ2K becomes YBR_RCT. All but JPEG Baseline is lossless, unused bits included. An icon that
  was compressed like its image is left out.
- JPEG Baseline takes unsigned samples of 8 bits, at quality {quality}; colour becomes YBR_FULL_422. The
  instance gets a SOP Instance UID of its own, the same for each such request, and says so: Image Type
  DERIVED, Lossy Image Compression with ratio and method, Derivation Description and Code, and the stored
  instance in Source Image Sequence (PS3.3 C.7.6.1.1.5).
- A study goes as multipart by default, or as a zip with a folder for each series.
- What was deleted here is 410, also below the place that was deleted; stored again it is as new.

### metadata

- Written once, when an instance is stored, and sent to all alike. Binary values longer than
  {bulk_threshold} bytes, and pixel data, are a `BulkDataURI`, shorter ones `InlineBinary`.
- DS and IS are numbers, but strings where a number would lose digits or the value is invalid; SV and UV
  are strings beyond 2^53. NaN and infinities are the strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
- Text is decoded by Specific Character Set; without one, what is not ASCII is taken for UTF-8 where it
  is that, else for Latin-1. Bytes without a meaning become U+FFFD. The stored instance keeps its own
  bytes.

### frames

- In the order asked for, as stored, as native pixels, little endian, or compressed anew; 404 for a number
  that does not exist.
- `application/octet-stream` alone means native pixels; with `transfer-syntax=*` the frame as stored. An
  image type means frames stored in it, else its default syntax, to which frames are compressed: `image/jpeg`
  alone is JPEG Lossless, JPEG Baseline must be named. `transfer-syntax=*` compresses nothing.

### bulkdata

- One value goes in a single part to those who accept anything; several values are multipart.

### delete

- PS3.18 has no such transaction. 204, and what is deleted is gone from every search at once; a second
  DELETE is 410. The bytes stay in the store for {keep_deleted_days} days, then a worker removes them.

### capabilities

- WADL by default, JSON on request, for the resource and those below it. `Allow` names the methods of the
  address.
"""


def page() -> str:
    """Return the whole page, in Markdown."""
    defaults = {
        name: f"{getattr(Settings(), name):,} (`FILMROOM_{name.upper()}`)"
        for name in ("default_limit", "max_limit", "scan_limit", "bulk_threshold", "keep_deleted_days")
    }
    defaults["orderable"] = ", ".join(keyword_of(tag) for tag in ORDERABLE)
    tables = to_markdown((*ROWS, WADO_URI[0])).replace("\n## ", "\n### ").removeprefix("## ")
    return "\n".join(
        [
            _HEAD.format(quality=QUALITY, **defaults),
            RENDERED,
            "## Requests\n",
            f"### {tables}",
            *_syntaxes(),
            *_errors(),
        ]
    )


def _syntaxes() -> list[str]:
    lines = ["## Transfer syntaxes", "", "All are stored and sent as stored; others, too.", ""]
    lines += ["| UID | name | frames as | made native | made |", "|---|---|---|---|---|"]
    for row in TRANSFER_SYNTAXES:
        native = "yes" if row.decodable and (not row.encapsulated or can_decode(row.uid)) else "no"
        made = "lossy" if row.uid in LOSSY else "yes" if row.uid in {*ENCODERS, EXPLICIT_LITTLE} else "no"
        lines.append(f"| {row.uid} | {row.name} | `{row.media_type}` | {native} | {made} |")
    return [*lines, ""]


def _errors() -> list[str]:
    lines = ["## Errors", "", "| status | what happened |", "|---|---|"]
    lines += [f"| {status} | {(kind.__doc__ or '').splitlines()[0]} |" for kind, status in STATUSES]
    return [*lines, "| 405 | The address does not take the method; `Allow` names those it takes. |", ""]


if __name__ == "__main__":
    sys.stdout.write(page())
