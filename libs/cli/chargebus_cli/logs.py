"""Where a process writes what it logs."""

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from chargebus_runtime.sparse import Sparse

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

# Their INFO tells of each connection and each rebalance; their warnings tell what matters. aioftp and asyncssh write
# whoever logs in, who is the secret of a link.
_TALKATIVE = (
    "aioftp",
    "aiokafka",
    "alembic",
    "asyncssh",
    "faststream",
    "httpcore",
    "httpx",
    "uvicorn",
    "websockets",
)

# While a broker is away, each of a process's clients says so ten times a second.
_REPETITIVE = "aiokafka"
LINES_PER_WINDOW = 5


class SparseFilter(logging.Filter):
    """Lets few lines of one kind through in a window; the first one after it says how many were left out."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(_REPETITIVE)
        self._sparse = Sparse(LINES_PER_WINDOW, monotonic)
        self._left_out: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to log a line."""
        if not super().filter(record):  # nobody repetitive
            return True
        self._left_out.update(self._sparse.left_out())
        kind = f"{record.name} {record.msg}"
        if not self._sparse.admits(kind):
            return False
        if left_out := self._left_out.pop(kind, 0):
            record.msg = f"{record.msg} ({left_out} more lines like this were left out)"
        return True


def log_to_terminal(level: str) -> None:
    """Log to standard error, as a container's process does."""
    _configure(level, logging.StreamHandler(sys.stderr))


def log_to_file(level: str, path: Path) -> None:
    """Log to a file, one start after the other; only what ends the process reaches the terminal."""
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setLevel(logging.CRITICAL)
    _configure(level, to_file, to_terminal)


def _configure(level: str, *handlers: logging.Handler) -> None:
    sparse = SparseFilter()
    for handler in handlers:
        handler.addFilter(sparse)
    logging.basicConfig(level=level.upper(), format=_FORMAT, handlers=handlers, force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
