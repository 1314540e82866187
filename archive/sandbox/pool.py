"""A few warm child processes that do what may crash; used by any number of threads.

Owns which child does what and when one is replaced. Leaves talking to a child to process.py and what can be
asked to tasks.py. Children are started when they are first needed, in the process that needs them: after a
fork the new process has none, and leaves those of its parent alone.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

from archive import errors
from archive.errors import FilmroomError, NotDecodable, Overtime, Unavailable
from archive.sandbox.messages import Answer, pack
from archive.sandbox.process import Child, EndedError, OvertimeError

_log = logging.getLogger(__name__)

T = TypeVar("T")

_TASKS = "archive.sandbox.tasks"
_LOOK = 64  # tasks between two looks at how much memory a child keeps
_KEEP = 2**29  # bytes that a child may keep without being replaced
_AHEAD = 2**26  # bytes of answers that wait for the one before them
_PATIENCE = 0.5  # seconds that a task waits for a child at work before another is started
_LARGE = 2**24  # bytes from which on what a task needs is read only when its turn has come
_ERRORS = {
    each.__name__: each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, FilmroomError)
}

Call = tuple[Mapping[str, Any], Sequence[bytes]]
"""Options and blobs of one request."""


class TaskBrokeError(RuntimeError):
    """A task raised what nobody expected: a fault of ours. The text is the stack in the child."""


class Sandbox:
    """Runs tasks in child processes, each with limits of time and memory."""

    def __init__(self, *, processes: int, timeout: float, memory: int, tasks: str = _TASKS) -> None:
        """Have at most `processes` children; seconds and bytes are limits of one task.

        `tasks` names the module whose TASKS the children know.
        """
        self.processes = processes
        self._timeout = timeout
        self._memory = memory
        self._tasks = tasks
        self._begin()
        _SANDBOXES.add(self)

    def run(self, task: str, options: Mapping[str, Any], *blobs: bytes) -> Answer:
        """Do a task and return its answer; wait for a free child.

        Raise what the task raises of archive/errors.py; NotDecodable where it crashes or passes a limit,
        Overtime where that is the time; Unavailable where no process can be had; TaskBrokeError for a fault
        of the task itself.
        """
        request = pack({"task": task, "options": options}, blobs)
        while True:
            child = self._children.take()
            try:
                header, made = child.do(request, self._timeout)
            except EndedError as error:
                self._children.drop(child)
                if not error.begun and child.tasks > 1 and not self._children.closed:
                    continue  # it had ended while it had nothing to do
                raise self._ended(error, _subject(task, options)) from None
            except OvertimeError:
                self._children.drop(child)
                reason = f"it took more than {self._timeout:g} seconds (FILMROOM_CODEC_TIMEOUT)"
                raise _refusal(_subject(task, options), reason, Overtime) from None
            except BaseException:
                self._children.drop(child)
                raise
            return self._answer(child, header, made, _subject(task, options))

    def warm(self) -> None:
        """Start a child beside what this process does, and have it import what pictures are made with."""
        self._threads.submit(self.run, "warm", {})

    def each(self, works: Iterable[Callable[[], T]], most: int | None = None) -> Generator[T]:
        """Give what each piece of work gives, in order; the next are done while one is used.

        They are done in as many threads as there are processes, and so many or `most` ahead. A piece may run
        tasks, but not wait for others. Who leaves early closes the iterator: what was begun is thrown away.
        """
        ahead: deque[Future[T]] = deque()
        try:
            for work in works:
                ahead.append(self._threads.submit(work))
                if len(ahead) > (most or self.processes):
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()

    def turn(self, size: int) -> AbstractContextManager[object]:
        """Wait for a turn to read `size` bytes and do a task with them; what is small has one at once.

        There are as many turns as processes: however many ask, no more of what is large is in memory. Whoever
        has one waits for nothing but a process.
        """
        return self._turns if size > _LARGE else nullcontext()

    def run_in_turn(self, task: str, calls: Iterable[Call], *, size: int) -> Generator[Answer]:
        """Do a task for each of `calls`, one after the other in this thread, each taken in its turn."""
        answers = (self.run(task, options, *blobs) for options, blobs in calls)
        while True:
            with self.turn(size):
                answer = next(answers, None)
            if answer is None:
                return
            yield answer

    def run_each(self, task: str, calls: Iterable[Call], *, size: int) -> Generator[Answer]:
        """Do a task for each of `calls` and give the answers in order, of about `size` bytes each.

        The next are made while one is used, as `each` does; fewer or none ahead where they are large.
        """
        if size > _LARGE:
            return self.run_in_turn(task, calls, size=size)
        works = (partial(self.run, task, options, *blobs) for options, blobs in calls)
        return self.each(works, max(1, min(self.processes, _AHEAD // max(size, 1))))

    def close(self) -> None:
        """End all children, those at work as well, and let nobody begin with more."""
        self._finalizer()

    def _begin(self) -> None:
        """Have no children yet, and end those that come no later than this object or the interpreter."""
        self._children = _Children(self.processes, self._tasks, self._memory)
        self._turns = threading.BoundedSemaphore(self.processes)
        self._threads = ThreadPoolExecutor(self.processes, thread_name_prefix="codecs")
        self._finalizer = weakref.finalize(self, _end, self._children, self._threads)

    def _after_fork(self) -> None:
        self._finalizer.detach()
        self._children.forget()
        self._begin()

    def _answer(self, child: Child, header: dict[str, Any], made: list[bytes], subject: str) -> Answer:
        answer, name = header.get("answer"), header.get("error")
        if isinstance(answer, dict):
            if child.tasks % _LOOK == 0 and child.resident() > _KEEP:
                self._children.drop(child)
            else:
                self._children.give_back(child)
            return answer, made
        error = None if name == "MemoryError" else _error(header)
        if isinstance(error, FilmroomError):
            self._children.give_back(child)
            raise error
        self._children.drop(child)
        if name == "MemoryError":
            reason = f"it takes more than {self._memory} bytes of memory (FILMROOM_CODEC_MEMORY)"
            raise _refusal(subject, reason)
        raise error or _refusal(subject, "its process answered nonsense")

    def _ended(self, error: EndedError, subject: str) -> FilmroomError:
        if self._children.closed:
            return Unavailable("the archive is being stopped")
        if not error.begun:
            _log.error("a process for pixels could not be started: it %s", error)
            return Unavailable("no process for decoding could be started; the log says why")
        return _refusal(subject, f"its process {error}")


class _Children:
    """The children of this process: idle ones are taken last in, first out, so that few stay warm."""

    def __init__(self, most: int, module: str, memory: int) -> None:
        self.closed = False
        self._most, self._module, self._memory = most, module, memory
        self._changed = threading.Condition()
        self._idle: list[Child] = []
        self._all: set[Child] = set()
        self._starting = 0

    def take(self) -> Child:
        """Return a child that lives, to be given back or dropped; wait where all are at work.

        Nearly all tasks are shorter than a child takes to start, and each is 40 MB of memory: another one is
        started only where those at work do not come back soon.
        """
        since = time.monotonic()
        with self._changed:
            while True:
                if self.closed:
                    raise Unavailable("the archive is being stopped")
                count = len(self._all) + self._starting
                left = since + _PATIENCE - time.monotonic()
                if self._idle:
                    child = self._idle.pop()
                    if child.alive():
                        return child
                    child.end()
                    self._all.discard(child)
                elif count < self._most and (not count or left <= 0):
                    break
                else:
                    self._changed.wait(left if count < self._most else None)
            self._starting += 1
        return self._start()

    def _start(self) -> Child:
        child = None
        try:
            child = Child(self._module, self._memory)
        except OSError as error:
            raise Unavailable(f"no process for decoding could be started: {error.strerror}") from error
        finally:
            with self._changed:
                self._starting -= 1
                if child is not None:
                    self._all.add(child)
                self._changed.notify()
        return child

    def give_back(self, child: Child) -> None:
        """Have a child that answered stand by."""
        with self._changed:
            if not self.closed:
                self._idle.append(child)
                self._changed.notify()
                return
        self.drop(child)

    def drop(self, child: Child) -> None:
        """End a child; another may take its place."""
        child.end()
        with self._changed:
            self._all.discard(child)
            self._changed.notify()

    def close(self) -> None:
        """End the idle ones, and kill those at work: whoever uses one drops it."""
        with self._changed:
            self.closed = True
            for child in self._all:
                child.kill()
            while self._idle:
                child = self._idle.pop()
                child.end()
                self._all.discard(child)
            self._changed.notify_all()

    def forget(self) -> None:
        """Let go of children that are not ours, in a new process; the lock may be held for ever."""
        for child in self._all:
            child.forget()


def _end(children: _Children, threads: ThreadPoolExecutor) -> None:
    children.close()
    threads.shutdown(wait=False, cancel_futures=True)


def _error(header: Mapping[str, Any]) -> Exception | None:
    """Return the exception that an answer tells of; None where it tells of none."""
    name, message, details = header.get("error"), header.get("message"), header.get("details")
    if not isinstance(message, str) or not isinstance(details, dict):
        return None
    if name == "Exception":
        return TaskBrokeError(message)
    kind = _ERRORS.get(str(name))
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in details.items()}
    try:
        return None if kind is None else kind(message, **values)
    except TypeError:
        return None


def _subject(task: str, options: Mapping[str, Any]) -> str:
    frame, syntax = options.get("frame"), options.get("syntax")
    return " ".join(
        (
            f"{task} failed",
            *([f"for frame {frame}"] if frame else []),
            *([f"of transfer syntax {syntax}"] if syntax else []),
        )
    )


def _refusal(subject: str, reason: str, kind: type[NotDecodable] = NotDecodable) -> NotDecodable:
    _log.warning("%s: %s", subject, reason)
    return kind(f"{subject}: {reason}")


_SANDBOXES: weakref.WeakSet[Sandbox] = weakref.WeakSet()


def _after_fork() -> None:
    for sandbox in list(_SANDBOXES):
        sandbox._after_fork()


os.register_at_fork(after_in_child=_after_fork)
