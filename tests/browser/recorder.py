"""What goes wrong in a browser without a test noticing: errors in the console, exceptions, foreign hosts."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

_OURS = re.compile(
    r"(https?|wss?)://127\.0\.0\.1[:/]|(data|blob|about|chrome|chrome-extension|chrome-error):"
)
"""The archive, what a page makes itself, and parts of the browser such as its PDF reader."""


class Recorder:
    """Keeps what a context met that it should not have."""

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self._allowed: list[re.Pattern[str]] = []

    def allow(self, pattern: str) -> None:
        """Expect troubles in which the regular expression is found."""
        self._allowed.append(re.compile(pattern))

    def watch(self, context: BrowserContext) -> None:
        """Look at every page of the context from now on."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)

    def verify(self) -> None:
        """Fail where there was trouble that nobody expected."""
        left = [each for each in self.troubles if not any(rule.search(each) for rule in self._allowed)]
        assert not left, "the browser met:\n" + "\n".join(dict.fromkeys(left))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _error(self, error: WebError) -> None:
        self.troubles.append(f"exception: {error.error}")

    def _request(self, request: Request) -> None:
        if not _OURS.match(request.url):
            self.troubles.append(f"request to another host: {request.url}")
