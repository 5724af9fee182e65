"""A small learning system behind real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "lms-token-that-nobody-sees"


@dataclass
class LearningSystem:
    """Who is enrolled in what; an enrolment is done once for each key."""

    url: str = ""
    enrolled: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    """Of the requests that it did, in order."""
    tokens: set[str] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)
    """What it says to the next requests instead of doing them."""
    delay: float = 0
    """Seconds that it takes to answer once it has done a request."""

    def do(self, method: str, path: str, key: str, data: dict[str, Any]) -> int:
        if self.answers:
            return self.answers.pop(0)
        if key in self.keys:
            return 409
        self.keys.append(key)
        if method == "DELETE":
            self.enrolled.pop(path, None)
        else:
            self.enrolled[path] = data
        time.sleep(self.delay)
        return 200


@contextmanager
def learning_system() -> Iterator[LearningSystem]:
    system = LearningSystem()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers["Content-Length"])
            data = json.loads(self.rfile.read(length))
            system.tokens.add(self.headers["Authorization"])
            key = self.headers["Idempotency-Key"]
            status = system.do(self.command, self.path, key, data)
            try:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(f"{status} {TOKEN}".encode())
            except OSError:
                pass  # who asked did not wait

        do_PUT = do_DELETE = answer

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    system.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield system
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
