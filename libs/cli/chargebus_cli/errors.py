"""What stops a command with one clear line instead of a traceback."""


class CommandError(Exception):
    """The command cannot be done; the message says why and what to do, in one line."""
