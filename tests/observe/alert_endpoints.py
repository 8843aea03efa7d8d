"""Local services that take alerts over HTTP: one that answers, one that refuses, one that hangs, one that is dead."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Inbox(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[dict[str, Any]] = []
        self.refuse = 0
        """Answer this many requests with 503 first."""
        self.dislikes = ""
        """What it refuses for ever, if a message has it."""
        self.delay_s = 0.0
        """How long each answer takes."""

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/alerts"


class _Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.delay_s)
        if self.server.refuse > 0:
            self.server.refuse -= 1
            self.send_response(503)
        elif self.server.dislikes and self.server.dislikes in body["message"]:
            self.send_response(400)
        else:
            self.server.got.append(body)
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def inbox() -> Iterator[Inbox]:
    with Inbox() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def hanging() -> Iterator[str]:
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"json://127.0.0.1:{server.getsockname()[1]}/alerts"


def dead() -> str:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"json://127.0.0.1:{port}/alerts"
