"""Log lines: one JSON object a line, through the logging of the standard library.

The access log goes to standard output, everything else to standard error. Values of patients must not reach
a log: an exception is written as its type and its stack, and its text only where the text is ours or the
operating system's, because the text of a database driver or a parser quotes what it choked on.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

ACCESS_LOGGER = "filmroom.access"
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)
_OWN_PACKAGES = ("archive.", "storage.")
# They write requests and statements, values included, at their lower levels.
_QUIET = ("alembic", "boto3", "botocore", "PIL", "pydicom", "s3transfer", "sqlalchemy", "urllib3", "werkzeug")


class JsonFormatter(logging.Formatter):
    """Write a record as one line of JSON; `extra={"fields": {…}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
        }
        if message := record.getMessage():
            line["message"] = message
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe(record.exc_info[1])
        return _ENCODER.encode(line)


def describe(error: BaseException) -> str:
    """Return the stack of an exception and of its causes, outermost first, without foreign texts."""
    parts = []
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        stack = "".join(traceback.format_tb(each.__traceback__))
        parts.append(f"{stack}{_title(each)}")
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "\ncaused by:\n".join(parts)


def _title(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__.startswith(_OWN_PACKAGES):
        return f"{name}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: [Errno {error.errno}] {error.strerror}"
    return name


def install(level: str) -> None:
    """Send the log lines of this process where they belong; `level` is FILMROOM_LOG_LEVEL."""
    root = logging.getLogger()
    _add(root, _Handler("stderr"))
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    access = logging.getLogger(ACCESS_LOGGER)
    _add(access, _Handler("stdout"))
    access.setLevel(logging.INFO)  # whatever the level of the rest: the access log is a record, not a remark
    access.propagate = False


def _add(logger: logging.Logger, handler: logging.Handler) -> None:
    if not any(isinstance(each, _Handler) for each in logger.handlers):
        logger.addHandler(handler)


class _Handler(logging.Handler):
    """Writes to what sys.stdout or sys.stderr is at the time, one write a line."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._stream_name = name
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line."""
        try:
            stream = getattr(sys, self._stream_name)
            stream.write(self.format(record) + "\n")
            stream.flush()
        except Exception:  # noqa: BLE001 as logging's own handlers: a line that cannot be written harms no request
            self.handleError(record)
