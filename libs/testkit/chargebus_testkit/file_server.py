"""A server of files that is nobody's product: stations load from it, and send to it, over HTTP."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

_POLL_S: Final = 0.02


@dataclass
class Files:
    """What is served, by path; what was taken, as method, path and content; which ranges were asked for."""

    port: int
    content: dict[str, bytes] = field(default_factory=dict)
    taken: list[tuple[str, str, bytes]] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"


class _Server(ThreadingHTTPServer):
    files: Files


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Serve a file, from the first byte of a range on."""
        files, start = self.server.files, 0
        content = files.content.get(self.path)
        if content is None:
            self.send_error(404)
            return
        if (wanted := self.headers.get("Range")) is not None:
            files.ranges.append(wanted)
            start = int(re.findall(r"\d+", wanted)[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def do_PUT(self) -> None:
        """Take a file, if it comes whole."""
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        if len(content) == length:
            self.server.files.taken.append((self.command, self.path, content))
            self.send_response(201)
            self.end_headers()

    do_POST = do_PUT  # noqa: N815 - the name that the standard library looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


@contextmanager
def served() -> Iterator[Files]:
    """Run the server."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.files = Files(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,))
        thread.start()
        try:
            yield server.files
        finally:
            server.shutdown()
            thread.join()
