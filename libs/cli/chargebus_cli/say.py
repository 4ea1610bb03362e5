"""How commands talk to whoever typed them."""

import sys


def say(line: str = "") -> None:
    """Print a line now, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """Print a line about what went wrong."""
    sys.stderr.write(f"chargebus: {line}\n")
    sys.stderr.flush()
