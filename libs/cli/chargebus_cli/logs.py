"""Where a process writes what it logs."""

import logging
import sys
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

# Their INFO tells of each connection and each rebalance; their warnings tell what matters.
_TALKATIVE = ("aiokafka", "alembic", "faststream", "httpx", "httpcore", "uvicorn", "websockets")


def log_to_terminal(level: str) -> None:
    """Log to standard error, as a container's process does."""
    logging.basicConfig(level=level.upper(), format=_FORMAT, stream=sys.stderr, force=True)
    _quieten()


def log_to_file(level: str, path: Path) -> None:
    """Log to a file, one start after the other; only what ends the process reaches the terminal."""
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setLevel(logging.CRITICAL)
    logging.basicConfig(level=level.upper(), format=_FORMAT, handlers=[to_file, to_terminal], force=True)
    _quieten()


def _quieten() -> None:
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
