"""What docs/conformance.md says of rendered resources, thumbnails and WADO-URI: the choices that are ours."""

from __future__ import annotations

from archive.dicomweb.rendered import THUMBNAIL_SIDE
from archive.dicomweb.rendered_types import MAX_ANIMATED_FRAMES, MAX_ANIMATED_PIXELS
from archive.dicomweb.uris import MAX_FRAMES
from archive.model.rendering import MAX_SIDE
from archive.services.rendered import LATEST_OF_VIDEO
from archive.services.rendered_source import MAX_HEAD

RENDERED = f"""\
### rendered

What an instance can be rendered as, the default first; `*/*`, or no `Accept`, means the default:

| instance | media types |
|---|---|
| single-frame image, or one frame | `image/jpeg`, `image/png`, `image/gif` |
| multi-frame image | `image/gif` (moving), `image/jpeg`, `image/png`; `video/mp4` where PyAV is installed |
| video | the stream as it is stored; `image/jpeg`, `image/png`, `image/gif` where PyAV is installed |
| Structured Report, key object selection | `text/html`, `text/plain` |
| encapsulated PDF | `application/pdf` |
| encapsulated CDA | `text/html`, `text/xml` |
| encapsulated STL, OBJ, MTL | `model/stl`, `model/obj`, `model/mtl` |
| waveform | `image/svg+xml`, `image/png`, `image/jpeg`, `text/html`; `audio/wav` first for recorded voices |
| grayscale, color or pseudo-color presentation state | `image/jpeg`, `image/png`, `image/gif`, `text/html` |
| anything else without pixels | `text/html`, a table of its attributes |

- One rendering goes in a single part, or in a multipart to those who name `multipart/related`. What cannot
  be decoded, and what the client's types do not fit, is 406 with what is offered for this instance; there
  are no placeholders. An `Accept` that names both DICOM and rendered media types is 400 (8.7.5).
- As JPEG, PNG or single GIF a multi-frame image is the frame in its middle; of a video it is none behind
  the {LATEST_OF_VIDEO}th. Images of more than {MAX_ANIMATED_FRAMES} frames, or {MAX_ANIMATED_PIXELS:,} pixels
  in all of them, are not made to move.
- A stored video is sent byte for byte, with Range; a byte of padding is left out where Encapsulated Pixel
  Data Value Total Length (7FE0,0003) tells of it.
- A picture of a presentation state is the first image of its study that it is about and that is here, with
  the state applied; those who name `multipart/related` get each of them. 409 where none is here,
  406 where it names more than {MAX_FRAMES:,} frames. `window`, and more than two values of `viewport`, are
  400 then.
- Several frames are multipart, in the order of the list, with a `Content-Location` each; `image/jpeg` in
  `Accept` means parts of that type.
- A study or a series is multipart with a part for each instance, in order, its `Content-Location` that of
  the rendered instance; the only one goes by itself. To those who take pictures a multi-frame image is one.
  What has no rendering that is accepted is left out and counted in `Warning: 299`, where Table 10.4.3-1 would
  have the status 206; 406 where nothing is left. What turns out to be broken on the way is left out and
  stands in the log; where it only took too long, the answer ends without its end.
- `viewport` is at most {MAX_SIDE},{MAX_SIDE}; trailing values may be left out with their commas; the sign of
  `sx` and `sy` is ignored. `window` needs all its three values. `annotation` burns in who and how in a
  corner. `quality` is that of JPEG, by default 90, and of MP4. `iccprofile` also takes `displayp3`; other
  than `no` it is 400 for GIF and video, which carry none. Documents have no use for these parameters, except
  that waveforms as pictures are fitted into the viewport and annotated.
- Pictures are made in child processes with limits of time and memory, and kept by each worker up to
  `FILMROOM_RENDER_CACHE` bytes. A data set with more than {MAX_HEAD // 2**20} MiB beside its pixels is 406.
- HTML, XML and SVG come with a Content-Security-Policy under which they run and load nothing.

### thumbnail

- JPEG or PNG. Of a series it is the instance in the middle, by instance number, of those that are images or
  waveforms; of a study, that of the first such series by number: acquired images before captured screens,
  scanned papers and curves, and SEG, RTDOSE and others that are made from images last. Of a multi-frame
  image it is the frame in the middle.
- At most {THUMBNAIL_SIDE} pixels on the longest side, or as `viewport` says, 1 to {MAX_SIDE}; never larger
  than the image, and in its proportions. It is rendered as any picture is; no icons, no fixed content, no
  annotations.
- 404 where there is no image, 406 where it cannot be decoded.

### WADO-URI

- At `/wado` of the server's root (clause 9). Without `contentType`, and with `Accept` of anything, an image
  is JPEG, also one of several frames (its middle one), anything else its default rendering (9.3).
- `contentType=application/dicom` sends Explicit VR Little Endian, or what `transferSyntax` names, `*` for as
  stored; lossy and video data stay as stored without it. Its Content-Type names no transfer syntax
  (8.7.3.5.2).
- `rows` and `columns` are maxima, one of them may be left out (9.5.2.5). `frameNumber` beyond the last is
  400 (9.5.2.1). `imageAnnotation` is taken for `annotation`.
- `presentationUID` is of a presentation state of the study that is about the image, else it is 400. With it
  `region` may stand (9.5.2.4), but neither a window nor `frameNumber` (9.5.2.3).
- `anonymize=yes` is 400: nothing is anonymized here, and nothing is sent as if it were.
"""
