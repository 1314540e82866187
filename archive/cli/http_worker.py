"""The process that answers HTTP: gunicorn's threads, each staying for a moment with the client it served.

gunicorn gives a connection back to its main thread after each answer, and takes a thread again for the next
request. A client that asks one thing after the other pays for two changes of threads each time. Here a thread
waits for the next request itself, for a moment, as long as enough others are free to take new connections.
"""

from __future__ import annotations

import gc
import select
import threading
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.workers.gthread import ThreadWorker

from archive.cli.http_answer import Answer
from storage.file_range import SENDS_FILES

_MOMENT = 50  # milliseconds; a client that pauses for longer goes back to the main thread


class HttpWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's threaded worker, quicker for a client that asks again at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places = threading.Semaphore(self.cfg.threads // 2)  # threads that may wait; the others do not

    def load_wsgi(self) -> None:
        """Load the application, all of which stays for as long as the process.

        So it is not looked through for garbage: a full collection went through 80,000 objects for nothing,
        which took 90 ms in the midst of an answer.
        """
        super().load_wsgi()
        gc.collect()
        gc.freeze()

    def handle(self, conn: Any) -> Any:
        """Answer requests of a connection until the client pauses; see ThreadWorker.handle."""
        while True:
            kept = super().handle(conn)
            if kept is not True or not self._asks_again(conn):
                return kept

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Answer one request, as ThreadWorker.handle_request does; tell whether the connection stays."""
        answer: Answer | None = None
        try:
            self.cfg.pre_request(self, req)
            answer, environ = wsgi.create(
                req, conn.sock, conn.client, conn.server, self.cfg, response_class=Answer
            )
            environ["wsgi.multithread"] = True
            environ[SENDS_FILES] = True
            if not self.alive or len(self.keepalived_conns) >= self.max_keepalived:
                answer.force_close()
            body = self.wsgi(environ, answer.start_response)
            try:
                for chunk in body:
                    answer.write(chunk)
                answer.close()
            finally:
                if hasattr(body, "close"):
                    body.close()
        except OSError:
            raise
        except (Exception, SystemExit):
            if answer is None or not answer.headers_sent:
                raise
            # A second answer in the midst of the first would be taken for a part of it.
            self.log.exception("Error handling request")
            util.close_graceful(conn.sock)
            raise StopIteration from None
        return not answer.should_close()

    def _asks_again(self, conn: Any) -> bool:
        """Wait a moment for the client's next request; False: the main thread is to wait for it."""
        if conn.parser.unreader.buf.getvalue():
            return True  # it is here already, read with the end of the one before
        if not self.alive or self.tpool._work_queue.qsize() or not self._places.acquire(blocking=False):
            return False
        try:
            poll = select.poll()
            poll.register(conn.sock, select.POLLIN)
            return bool(poll.poll(_MOMENT)) and self.alive
        finally:
            self._places.release()
