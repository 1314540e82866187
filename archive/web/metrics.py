"""What Prometheus reads at /metrics: counts and times, no names of patients, a bounded number of series.

Labels are route templates, never paths. Under several worker processes the numbers live in files of the
folder that PROMETHEUS_MULTIPROC_DIR names; `filmroom serve` and gunicorn.conf.py make one for each run.
"""

from __future__ import annotations

import os

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from archive.web.access_log import Exchange

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_OUTCOMES = ("stored", "already", "failed")


class Metrics:
    """The numbers of one application; an observer of its requests and of its store of objects."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "filmroom_requests",
            "Requests answered; status 0 where no answer was begun.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._broken = Counter(
            "filmroom_requests_broken",
            "Requests that ended early: the client went away, or the answer broke.",
            ("route", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "filmroom_request_seconds",
            "Time from a request's first byte to its answer's last.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._received = Counter(
            "filmroom_received_bytes", "Bytes of requests' bodies.", ("route",), registry=registry
        )
        self._sent = Counter(
            "filmroom_sent_bytes", "Bytes of answers' bodies.", ("route",), registry=registry
        )
        self._running = Gauge(
            "filmroom_requests_running",
            "Requests being answered now.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._instances = Counter(
            "filmroom_instances",
            "Instances that came by HTTP: stored, already here, or failed.",
            ("outcome",),
            registry=registry,
        )
        self._operations = Histogram(
            "filmroom_object_seconds",
            "Time of operations of the object store.",
            ("operation", "outcome"),
            buckets=_SECONDS,
            registry=registry,
        )

        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram, Counter, Counter]] = {}

    def begun(self) -> None:
        """Count a request that came."""
        self._running.inc()

    def finished(self, exchange: Exchange) -> None:
        """Count an exchange, and the instances that its view noted as stored, already or failed."""
        route = exchange.route
        self._running.dec()
        requests, seconds, received, sent = self._of(exchange.method, route, exchange.status)
        requests.inc()
        seconds.observe(exchange.seconds)
        received.inc(exchange.bytes_in)
        sent.inc(exchange.bytes_out)
        if exchange.outcome != "done":
            self._broken.labels(route, exchange.outcome).inc()
        for outcome in _OUTCOMES:
            if number := exchange.notes.get(outcome):
                self._instances.labels(outcome).inc(number)

    def _of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram, Counter, Counter]:
        """Return the numbers of one kind of exchange; their labels are looked up once."""
        key = (method, route, status)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (
                self._requests.labels(method, route, str(status)),
                self._seconds.labels(method, route),
                self._received.labels(route),
                self._sent.labels(route),
            )
        return known

    def object_operation(self, operation: str, seconds: float, outcome: str) -> None:
        """Count an operation of the object store; `outcome` is "ok" or the name of the error's class."""
        self._operations.labels(operation, outcome).observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format, of all processes of this run."""
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def blueprint(metrics: Metrics) -> Blueprint:
    """Give the route /metrics."""
    pages = Blueprint("metrics", __name__)

    @pages.get("/metrics")
    def read() -> Response:
        return Response(metrics.text(), content_type=CONTENT_TYPE_LATEST)

    return pages
