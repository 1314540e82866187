"""The settings: one table, read once from the environment, passed down as one frozen object.

`filmroom settings` prints the table with the values in force; docs/settings.md is made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from archive.errors import InvalidRequest

PREFIX = "FILMROOM_"


def setting(default: Any, parse: Callable[[str], Any], text: str) -> Any:
    """Declare one setting: its default, how its text is parsed, and its help text."""
    return dataclass_field(default=default, metadata={"parse": parse, "help": text})


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"is one of {', '.join(words)}")
        return text

    return parse


def _whole(least: int, most: int = 2**62) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError("is a whole number") from None
        if not least <= number <= most:
            raise ValueError(f"is from {least} to {most}")
        return number

    return parse


_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def _size(text: str) -> int:
    number = text.strip().upper().removesuffix("B").removesuffix("I")
    unit = number[-1:] if number[-1:] in "KMGT" else ""
    digits = number.removesuffix(unit) if unit else number
    if not digits.isdigit():
        raise ValueError("is a size such as 512K, 64M or 4G")
    return int(digits) * _UNITS[unit]


def _url(text: str) -> str:
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).netloc:
        raise ValueError("is an http:// or https:// address")
    return text.rstrip("/")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, with what it does."""

    data: str = setting("./data", str, "Data folder: the default home of the database and the objects.")
    database_url: str = setting(
        "", str, "Database: postgresql+psycopg2://user:password@host/name. Empty: SQLite in the data folder."
    )
    storage_url: str = setting(
        "",
        str,
        "Object store: s3://bucket/prefix?endpoint_url=…&region=… or file:///folder. Empty: the data folder.",
    )
    host: str = setting("127.0.0.1", str, "Address that `filmroom serve` listens on.")
    port: int = setting(8042, _whole(1, 65535), "Port that `filmroom serve` listens on.")
    workers: int = setting(
        0, _whole(0, 256), "Worker processes of `filmroom serve`; 0: as the machine has cores."
    )
    threads: int = setting(8, _whole(1, 256), "Threads of each worker process.")
    client_timeout: int = setting(
        120, _whole(1, 86_400), "Seconds after which a client that neither sends nor takes bytes is given up."
    )
    stop_timeout: int = setting(
        60, _whole(1, 86_400), "Seconds that requests and jobs have to end when `filmroom serve` is stopped."
    )
    public_url: str = setting(
        "", _url, "Address that clients use, with any path before /dicom-web. Empty: taken from each request."
    )
    trusted_proxies: int = setting(
        0,
        _whole(0, 10),
        "How many proxies stand in front and set X-Forwarded-For, -Proto, -Host and -Prefix.",
    )
    cors_origins: tuple[str, ...] = setting(
        (), _words, "Origins whose pages may call the archive from a browser, separated by commas, or *."
    )
    on_duplicate: str = setting(
        "reject",
        _one_of("reject", "replace"),
        "Same SOP Instance UID with other content: reject (failure 0111) or replace (the old one is kept).",
    )
    max_body: int = setting(0, _size, "Largest request body; 0: no limit.")
    max_instance: int = setting(2**40, _size, "Largest single instance.")
    max_parts: int = setting(100_000, _whole(1), "Most parts in one store request.")
    max_inflated: int = setting(2**33, _size, "Most bytes that a Deflated data set may inflate to.")
    stage_memory: int = setting(
        2**21,
        _size,
        "Bytes of one instance kept in memory on its way to S3; what is longer goes to a temporary file.",
    )
    bulk_threshold: int = setting(
        1024, _whole(64), "Binary values longer than this many bytes are BulkDataURI in metadata, not inline."
    )
    default_limit: int = setting(
        100, _whole(1), "Results of a search that names neither a limit nor, in its path, a study."
    )
    max_limit: int = setting(5000, _whole(1), "Most results of one search.")
    scan_limit: int = setting(
        20_000,
        _whole(1),
        "Most instances whose metadata one search reads to match an attribute with no index.",
    )
    keep_deleted_days: int = setting(
        30, _whole(0), "Days for which the bytes of deleted and replaced instances are kept."
    )
    keep_reports_days: int = setting(30, _whole(1), "Days for which /api/requests/<id> answers.")
    database_pool: int = setting(0, _whole(0, 1000), "Database connections of a process; 0: one a thread.")
    database_timeout: int = setting(30, _whole(1), "Seconds after which a database statement is given up.")
    store_timeout: int = setting(20, _whole(1), "Seconds after which a silent object store is given up.")
    codec_processes: int = setting(
        2, _whole(1, 64), "Processes of each worker that decode, compress and render pixels."
    )
    codec_timeout: int = setting(
        60, _whole(1, 3600), "Seconds after which decoding, compressing or rendering one frame is given up."
    )
    codec_memory: int = setting(
        2**31, _size, "Most memory of one process that decodes, compresses or renders pixels."
    )
    render_cache: int = setting(
        2**24, _size, "Bytes of rendered images that each worker keeps in memory; 0: none."
    )
    viewer_folder: str = setting(
        "",
        str,
        "Where `filmroom viewer` puts OHIF. Empty: share/filmroom/viewer of the Python environment.",
    )
    viewer_clearance: str = setting(
        "",
        str,
        "Why this site may diagnose with the viewer; turns its notice of investigational use off.",
    )
    embedded_worker: str = setting(
        "auto",
        _one_of("auto", "yes", "no"),
        "Whether `filmroom serve` runs a worker for background jobs; auto: only with SQLite.",
    )
    log_level: str = setting(
        "info", _one_of("debug", "info", "warning", "error"), "Least severe log line that is written."
    )

    def __post_init__(self) -> None:
        folder = Path(self.data).absolute()
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{folder / 'filmroom.db'}")
        if not self.storage_url:
            object.__setattr__(self, "storage_url", f"file://{quote(str(folder / 'objects'))}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings; raise InvalidRequest that names the variable at fault or not known."""
        known = {PREFIX + each.name.upper(): each for each in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in environment.items():
            if not name.startswith(PREFIX) or name.startswith(PREFIX + "TEST_"):
                continue
            if name not in known:
                raise InvalidRequest(f"{name} is not a setting; `filmroom settings` lists them", where=name)
            if not text:
                continue
            try:
                values[known[name].name] = known[name].metadata["parse"](text)
            except ValueError as error:
                raise InvalidRequest(f"{name} {error}, not {text!r}", where=name) from None
        return cls(**values)


def settings_table(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (variable, value in force, help) for every setting, passwords left out."""
    return [
        (PREFIX + each.name.upper(), _shown(getattr(settings, each.name)), str(each.metadata["help"]))
        for each in fields(settings)
    ]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    text = str(value)
    parts = urlsplit(text)
    if parts.password:
        netloc = parts.netloc.replace(f":{parts.password}@", ":***@")
        return urlunsplit(parts._replace(netloc=netloc))
    return text
