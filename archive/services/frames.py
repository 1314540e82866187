"""Frames of an instance: one row look-up, and one ranged read for frames that lie near each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial

from archive.errors import NotDecodable, NotFound
from archive.imaging import encapsulated, native
from archive.imaging.encode import refusal
from archive.imaging.runs import Range, Run, join_ranges
from archive.imaging.syntaxes import MAX_FRAME_LENGTH, check_decodable
from archive.index.engine import Database
from archive.index.frames import instance_with_block, more_blocks
from archive.model.instance import FRAMES_PER_BLOCK, FrameBlock, Pixels, StoredInstance
from archive.model.level import Place
from archive.model.principal import Principal
from archive.sandbox.pool import Call, Sandbox
from archive.services.blocks import Blocks
from storage.contract import ObjectStore
from storage.errors import ObjectDamaged

_GAP = 2**16  # bytes read in vain rather than asking the store once more
_RUN = 2**22  # bytes of one read
_AHEAD = 8  # reads under way at once, of frames far apart
_AHEAD_BYTES = 2**23
_READ = 2**16  # a frame shorter than this is read sooner than its file is sent
_WHOLE = 2**24  # a frame longer than this is passed on in blocks


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame on its way out; `chunks` go once. `length` is None where only the end of them tells."""

    number: int
    length: int | None
    chunks: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Span:
    """Where the bytes of a frame stand in an object, in a row; words of `word` bytes are to be swapped."""

    key: str
    offset: int
    length: int
    word: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """An instance and the frames asked for, which it has. `first_block` saves a second look-up."""

    instance: StoredInstance
    pixels: Pixels
    numbers: Sequence[int]
    first_block: FrameBlock | None


class FramesService:
    """Finds, reads and decodes frames."""

    def __init__(
        self, database: Database, objects: ObjectStore, sandbox: Sandbox, executor: Executor
    ) -> None:
        self.database = database
        self.objects = objects
        self.sandbox = sandbox
        self.executor = executor

    def find(self, principal: Principal, place: Place, numbers: Sequence[int] | None) -> Found:
        """Find frames by number, counted from 1, or all; raise NotFound or Gone for what is not there."""
        first = numbers[0] if numbers else 1
        instance, block = instance_with_block(self.database, principal, place, first)
        pixels = instance.pixels
        if pixels is None:
            raise NotFound(f"{place} has no pixel data")
        for number in numbers or ():
            if number > pixels.frames:
                raise NotFound(f"frame {number} does not exist: {place} has {pixels.frames}")
        return Found(instance, pixels, numbers or range(1, pixels.frames + 1), block)

    def stored(self, found: Found, *, unread: bool = False) -> Iterator[Frame]:
        """Give the frames as stored, in the order asked for; native ones little endian (PS3.18 8.7.3.3.2).

        With `unread`, a frame that is a part of a file is given as Blocks, for whoever sends it unread.
        """
        known = _known(found)
        for start in range(0, len(found.numbers), FRAMES_PER_BLOCK):
            numbers = found.numbers[start : start + FRAMES_PER_BLOCK]
            ranges = self._ranges(found, numbers, known)
            number = iter(numbers)
            runs = join_ranges(ranges, gap=_GAP, limit=_RUN)
            for run, read in self._ahead(_key(found), runs):
                yield from self._read(found, run, read, number, unread=unread and self.objects.in_files)

    def decoded(self, found: Found) -> Iterator[Frame]:
        """Give the frames as native pixels, little endian; the next are decoded while one is used.

        Encapsulated ones are decoded in the sandbox: a frame of 512 x 512, 16 bit, pays about 0.3 ms for the
        way there and back.
        """
        if not found.pixels.encapsulated:
            yield from self.stored(found)
            return
        check_decodable(found.pixels, found.instance.transfer_syntax_uid, found.numbers[0])
        yield from self._made(found, "decode", {})

    def transcoded(self, found: Found, target: str) -> Iterator[Frame]:
        """Give the frames compressed to a transfer syntax (archive/imaging/encode.py), as `decoded` does.

        Raise NotDecodable for what cannot be decoded, or not be compressed so.
        """
        reason = refusal(target, found.pixels, found.instance.transfer_syntax_uid)
        if reason is not None:
            raise NotDecodable(reason)
        yield from self._made(found, "transcode", {"target": target})

    def _made(self, found: Found, task: str, options: Mapping[str, str]) -> Iterator[Frame]:
        run = self.sandbox.run_in_turn if len(found.numbers) == 1 else self.sandbox.run_each
        with closing(run(task, self._calls(found, options), size=found.pixels.frame_length)) as made:
            for number, (_, (value,)) in zip(found.numbers, made, strict=True):
                yield Frame(number, len(value), (value,))

    def span(self, found: Found) -> Span | None:
        """Return where the first frame asked for stands; None where it is not one row of whole words."""
        return self._span(found, self.range_of(found))

    def range_of(self, found: Found) -> Range:
        """Return offset and length in the object of what holds the first frame asked for."""
        (range_,) = self._ranges(found, found.numbers[:1], _known(found))
        return range_

    def read_span(self, span: Span, start: int, length: int) -> Blocks:
        """Give a part of the bytes of a span, little endian."""
        first = start - start % span.word
        last = min(-(-(start + length) // span.word) * span.word, span.length)
        return Blocks(
            self.objects,
            span.key,
            span.offset + first,
            last - first,
            word=span.word,
            skip=start - first,
            keep=length,
        )

    def _calls(self, found: Found, options: Mapping[str, str]) -> Iterator[Call]:
        """Read each frame and say what it is."""
        syntax = found.instance.transfer_syntax_uid
        common = {"syntax": syntax, "pixels": asdict(found.pixels), **options}
        for frame in self.stored(found):
            if frame.length is None or frame.length > MAX_FRAME_LENGTH:
                raise NotDecodable(f"frame {frame.number} is too long to be decoded; ask for it as stored")
            yield common | {"frame": frame.number}, (b"".join(frame.chunks),)

    def _span(self, found: Found, range_: Range) -> Span | None:
        key, (offset, length) = _key(found), range_
        if found.pixels.encapsulated:
            head = self.objects.read(key, offset, encapsulated.HEADER)
            if not encapsulated.one_item(head, length):
                return None
            return Span(key, offset + encapsulated.HEADER, length - encapsulated.HEADER)
        if native.bits_per_frame(found.pixels) != length * 8:
            return None
        return Span(key, offset, length, native.word_size(found.pixels))

    def _ranges(self, found: Found, numbers: Sequence[int], known: dict[int, FrameBlock]) -> list[Range]:
        if not found.pixels.encapsulated:
            return [native.frame_range(found.pixels, number) for number in numbers]
        firsts = {_first_of(number) for number in numbers}
        if not firsts <= known.keys():
            known.clear()
            known.update(more_blocks(self.database, found.instance, list(numbers)))
        if not firsts <= known.keys():
            raise NotDecodable(
                "where each frame begins cannot be told from the fragments of this instance; "
                "the instance itself can be retrieved as stored"
            )
        return [encapsulated.frame_range([known[_first_of(number)]], number) for number in numbers]

    def _ahead(self, key: str, runs: Sequence[Run]) -> Iterator[tuple[Run, Callable[[], bytes]]]:
        """Give each run with what returns its bytes; the next ones are fetched while one is used.

        Frames far apart are a request each where objects are not files, and would wait for one another.
        """
        ahead: deque[tuple[Run, Future[bytes] | None]] = deque()
        waiting = 0
        try:
            for run in runs:
                while ahead and (len(ahead) >= _AHEAD or waiting + run.length > _AHEAD_BYTES):
                    yield self._fetched(key, *ahead[0])
                    waiting -= ahead.popleft()[0].length
                apart = len(runs) > 1 and run.length <= _WHOLE and not self.objects.in_files
                future = (
                    self.executor.submit(self.objects.read, key, run.offset, run.length) if apart else None
                )
                ahead.append((run, future))
                waiting += run.length
            while ahead:
                yield self._fetched(key, *ahead.popleft())
        finally:
            for _, future in ahead:
                if future is not None:
                    future.cancel()

    def _fetched(self, key: str, run: Run, future: Future[bytes] | None) -> tuple[Run, Callable[[], bytes]]:
        return run, future.result if future else partial(self.objects.read, key, run.offset, run.length)

    def _read(
        self, found: Found, run: Run, read: Callable[[], bytes], numbers: Iterator[int], *, unread: bool
    ) -> Iterator[Frame]:
        key, pixels = _key(found), found.pixels
        if unread and len(run.members) == 1 and run.length > _READ:
            span = self._span(found, run.members[0])
            if span is not None and span.word == 1:
                yield Frame(next(numbers), span.length, self.read_span(span, 0, span.length))
                return
        if run.length > _WHOLE:  # more than a run of several
            yield self._in_blocks(found, run.members[0], next(numbers))
            return
        data = read()
        for member in run.members:
            number, part = next(numbers), run.cut(data, member)
            if len(part) != member[1]:
                raise ObjectDamaged(f"{key} ends before frame {number}")
            if pixels.encapsulated:
                value = encapsulated.frame_value(part, number)
            else:
                value = native.frame_value(pixels, number, part)
            yield Frame(number, len(value), (value,))

    def _in_blocks(self, found: Found, range_: Range, number: int) -> Frame:
        span = self._span(found, range_)
        if span is not None:
            return Frame(number, span.length, self.read_span(span, 0, span.length))
        if not found.pixels.encapsulated:
            raise NotDecodable(f"frame {number} is too long to be moved to the beginning of a byte")
        return Frame(number, None, self._fragments(_key(found), range_, number))

    def _fragments(self, key: str, range_: Range, number: int) -> Iterator[bytes]:
        """Give the values of the items in a range, one after the other."""
        at, end = range_[0], range_[0] + range_[1]
        while at < end:
            head = self.objects.read(key, at, min(encapsulated.HEADER, end - at))
            at += encapsulated.HEADER
            length = encapsulated.item_length(head, end - at, number)
            yield from Blocks(self.objects, key, at, length)
            at += length


def _known(found: Found) -> dict[int, FrameBlock]:
    return {} if found.first_block is None else {found.first_block.first: found.first_block}


def _key(found: Found) -> str:
    return found.instance.inflated_key or found.instance.object_key


def _first_of(number: int) -> int:
    return (number - 1) // FRAMES_PER_BLOCK * FRAMES_PER_BLOCK + 1
