"""What an operator sees of a running archive: access lines, request names, metrics and health."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from errno import ECONNRESET
from io import BytesIO
from typing import Any

import pytest
from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Response as ClientResponse

from archive import log
from archive.errors import NotDecodable, Unavailable
from archive.model.principal import Principal
from archive.web import access_log, health, metrics
from storage.errors import StoreUnavailable

STUDY = "1.2.826.0.1.3680043.8.498.1"


class App:
    """A small application with the hooks of the real one."""

    def __init__(self) -> None:
        self.numbers = metrics.Metrics()
        self.flask = flask = Flask("small")
        access_log.install(flask, self.numbers)
        flask.register_blueprint(metrics.blueprint(self.numbers))

        @flask.get("/studies/<study>")
        def read(study: str) -> str:
            g.principal = Principal("dr-who")
            return study[:5]

        @flask.post("/studies")
        def store() -> str:
            length = 0
            while block := request.stream.read(1000):
                length += len(block)
            access_log.note(stored=2, failed=1)
            return str(length)

        @flask.get("/breaks")
        def breaks() -> Response:
            def chunks() -> Iterator[bytes]:
                yield b"x" * 10
                raise OSError("the store went away")

            return Response(chunks())

        @flask.get("/cannot")
        def cannot() -> Response:
            def chunks() -> Iterator[bytes]:
                yield b"x" * 10
                raise NotDecodable("frame 2 is broken")

            return Response(chunks())

        @flask.get("/long")
        def long() -> Response:
            return Response(iter([b"x" * 10] * 10))

    def ask(self, path: str, method: str = "GET", **more: Any) -> ClientResponse:
        """Send a request and take the whole answer, closing it as a server does."""
        return Client(self.flask, ClientResponse).open(path, method=method, buffered=True, **more)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return App()


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """Collect the access lines as they would be printed."""
    found: list[dict[str, Any]] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(log.JsonFormatter().format(record)))

    logger = logging.getLogger(log.ACCESS_LOGGER)
    handler = Collect()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_line_for_every_request_says_what_and_how(app: App, lines: list[dict[str, Any]]) -> None:
    answer = app.ask(f"/studies/{STUDY}?00100010=Doe*&limit=5", headers={"User-Agent": "viewer/1"})
    assert answer.status_code == 200
    (line,) = lines
    assert line["method"] == "GET"
    assert line["route"] == "/studies/<study>"
    assert line["study"] == STUDY
    assert line["query"] == ["00100010", "limit"]
    assert (line["status"], line["outcome"], line["bytes_out"]) == (200, "done", 5)
    assert line["principal"] == "dr-who"
    assert line["agent"] == "viewer/1"
    assert line["request"] == answer.headers["X-Request-ID"]
    assert line["seconds"] >= 0


@pytest.mark.parametrize(
    "path",
    [
        "/studies/Doe%5EJohn",
        "/patients/Doe%5EJohn",
        "/long?PatientName=Doe%5EJohn",
        "/long?Doe%5EJohn",
        "/long?Doe=1&Doe%5EJohn=2",
        "/long?PatientName.Doe=1",
    ],
)
def test_no_line_holds_what_may_be_a_patient(app: App, lines: list[dict[str, Any]], path: str) -> None:
    _ = app.ask(path).data
    assert "Doe" not in json.dumps(lines)
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("PatientID=1&00080060=CT", ["PatientID", "00080060"]),
        ("00400275.00400007=x&RequestAttributesSequence.ScheduledProcedureStepID=1",
         ["00400275.00400007", "RequestAttributesSequence.ScheduledProcedureStepID"]),
        ("includefield=all&fuzzymatching=true", ["includefield", "fuzzymatching"]),
        ("secret", ["?"]),
        ("Secret=1&&limit=2", ["?", "limit"]),
        ("", []),
    ],
)  # fmt: skip
def test_query_names(query: str, names: list[str]) -> None:
    assert access_log.query_names(query) == names


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("pacs-42.A_b", True), ("a" * 64, True), ("a" * 65, False), ("", False), ("a b", False), ('x"y', False)],
)
def test_a_sane_request_name_is_kept(app: App, sent: str, kept: bool) -> None:  # noqa: FBT001, RUF100
    name = app.ask("/long", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
    assert (name == sent) is kept
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name)


def test_an_answer_that_breaks_is_logged_as_broken(app: App, lines: list[dict[str, Any]]) -> None:
    answer = Client(app.flask, ClientResponse).get("/breaks")
    with pytest.raises(OSError, match="went away"):
        _ = answer.data
    answer.close()
    assert [(line["status"], line["outcome"], line["bytes_out"]) for line in lines] == [(200, "broken", 10)]


def test_what_cannot_be_had_after_its_beginning_breaks_the_connection_off(
    app: App, lines: list[dict[str, Any]]
) -> None:
    """As an error that servers take for a client that is gone: it is no fault of theirs."""
    answer = Client(app.flask, ClientResponse).get("/cannot")
    with pytest.raises(ConnectionResetError) as caught:
        _ = answer.data
    answer.close()
    assert caught.value.errno == ECONNRESET
    assert [(line["outcome"], line["reason"]) for line in lines] == [("broken", "frame 2 is broken")]


def test_a_client_that_goes_away_is_logged_as_gone(app: App, lines: list[dict[str, Any]]) -> None:
    environ = EnvironBuilder(path="/long").get_environ()
    body = app.flask.wsgi_app(environ, lambda *_: lambda _: None)
    assert next(iter(body)) == b"x" * 10
    body.close()  # type: ignore[attr-defined] # what a server does when it cannot write
    assert [(line["outcome"], line["bytes_out"]) for line in lines] == [("client gone", 10)]


def test_a_body_that_is_cut_off_is_logged_as_gone(app: App, lines: list[dict[str, Any]]) -> None:
    environ = EnvironBuilder(path="/studies", method="POST", input_stream=BytesIO(b"abc")).get_environ()
    environ["CONTENT_LENGTH"] = "10"
    environ["wsgi.input_terminated"] = True
    body = app.flask.wsgi_app(environ, lambda *_: lambda _: None)
    assert b"".join(body) == b"3"
    body.close()  # type: ignore[attr-defined] # as a server does
    assert [(line["outcome"], line["bytes_in"]) for line in lines] == [("client gone", 3)]


def test_what_a_view_notes_is_in_its_line_and_counted(app: App, lines: list[dict[str, Any]]) -> None:
    assert app.ask("/studies", "POST", data=b"abc").text == "3"
    assert (lines[0]["stored"], lines[0]["failed"], lines[0]["bytes_in"]) == (2, 1, 3)
    text = app.ask("/metrics").text
    assert 'filmroom_instances_total{outcome="stored"} 2.0' in text
    assert 'filmroom_instances_total{outcome="failed"} 1.0' in text
    assert 'filmroom_received_bytes_total{route="/studies"} 3.0' in text


def test_metrics_count_by_route_and_never_by_path(app: App) -> None:
    for number in range(20):
        app.ask(f"/studies/1.2.{number}")
        app.ask(f"/no/such/{number}")
        app.ask("/long", f"BREW{number}")
    app.numbers.object_operation("put", 0.2, "ok")
    text = app.ask("/metrics").text
    assert 'filmroom_requests_total{method="GET",route="/studies/<study>",status="200"} 20.0' in text
    assert 'filmroom_requests_total{method="GET",route="unmatched",status="404"} 20.0' in text
    assert 'filmroom_requests_total{method="other",route="unmatched",status="405"} 20.0' in text
    assert 'filmroom_object_seconds_count{operation="put",outcome="ok"} 1.0' in text
    assert "filmroom_requests_running 1.0" in text
    assert "1.2.7" not in text


def test_exceptions_are_logged_without_foreign_texts() -> None:
    def parse() -> None:
        raise ValueError("Doe^John is no date")

    try:
        try:
            parse()
        except ValueError as error:
            raise Unavailable("the index cannot be asked now") from error
    except Unavailable as error:
        text = log.describe(error)
    assert "Doe^John" not in text.replace('raise ValueError("Doe^John is no date")', "")
    assert "archive.errors.Unavailable: the index cannot be asked now" in text
    assert "in parse" in text
    assert "builtins.ValueError" in text


def _health(**checks: Any) -> Client:
    app = Flask("health")
    app.register_blueprint(health.blueprint(health.Checks(checks)))
    return Client(app, ClientResponse)


def test_live_asks_nothing_and_ready_asks_everything() -> None:
    def away() -> None:
        raise StoreUnavailable("the store does not answer")

    assert _health(store=away).get("/live").status_code == 200
    assert _health(store=lambda: None, index=lambda: None).get("/ready").json == {
        "status": "ready",
        "checks": {"store": "ok", "index": "ok"},
    }
    answer = _health(store=away, index=lambda: None).get("/ready")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json == {
        "status": "not ready",
        "checks": {"store": "the store does not answer", "index": "ok"},
    }


def test_ready_gives_up_on_what_hangs_and_asks_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    let_go = threading.Event()
    asked = []

    def hangs() -> None:
        asked.append(1)
        let_go.wait(10)

    client = _health(index=hangs)
    for _ in range(3):
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.json == {"status": "not ready", "checks": {"index": "does not answer"}}
    assert len(asked) == 1
    let_go.set()


def test_ready_keeps_the_text_of_an_unexpected_error_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def breaks() -> None:
        raise RuntimeError("password=secret")

    answer = _health(index=breaks).get("/ready")
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert "the check of the index broke" in caplog.text


@pytest.mark.parametrize(("proxies", "remote"), [(0, "10.0.0.9"), (1, "10.0.0.2"), (2, "192.0.2.7")])
def test_the_address_is_that_which_trusted_proxies_tell(
    app: App, lines: list[dict[str, Any]], proxies: int, remote: str
) -> None:
    if proxies:
        app.flask.wsgi_app = ProxyFix(app.flask.wsgi_app, x_for=proxies)  # type: ignore[method-assign]
    headers = {"X-Forwarded-For": "192.0.2.7, 10.0.0.2"}
    app.ask("/long", headers=headers, environ_overrides={"REMOTE_ADDR": "10.0.0.9"})
    assert lines[0]["remote"] == remote
