"""How the embedded servers tell the user what takes long."""

from collections.abc import Callable

Say = Callable[[str], None]


def nothing(_line: str) -> None:
    """Tell nobody."""
