"""A small HTTP server in a thread of its own, for tests whose subject asks somebody else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from typing import Final

_POLL_S: Final = 0.02


@contextmanager
def in_thread(http: HTTPServer) -> Iterator[None]:
    """Have a server serve as long as the context lasts."""
    thread = threading.Thread(target=http.serve_forever, args=(_POLL_S,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
