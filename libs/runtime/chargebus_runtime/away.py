"""Tells what is away, so that waiting helps, from what is wrong: that would be waited for for ever."""

import traceback
from typing import Final

import asyncpg

_AWAY: Final[tuple[type[BaseException], ...]] = (
    ConnectionError,
    asyncpg.PostgresConnectionError,  # and what pgbouncer says of a server that it cannot reach
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process stood still, and its locks went to others
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,  # a failover: this server is no longer the one that is written to
    asyncpg.TargetServerAttributeNotMatched,  # the same, as `target_session_attrs` in the URL tells it
)
# The driver has one class for a torn connection and for whatever its caller does wrong: only its words differ.
_TORN: Final[dict[type[BaseException], tuple[str, ...]]] = {
    asyncpg.InterfaceError: (
        "connection is closed",
        "connection has been released back to the pool",
        "another operation is cancelling",
        "pool is closing",
        "pool is closed",
    ),
    asyncpg.InternalClientError: ("cannot switch to", "not connected"),  # broke in the middle of the statement before
}

CONFLICT: Final[tuple[type[BaseException], ...]] = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,  # where an operator has set lock_timeout
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
"""Two transactions, or a transaction and a migration, were in each other's way: the next try decides."""

MAYBE_AWAY: Final[tuple[type[BaseException], ...]] = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""The classes that what is away is of; there are others in them, see `is_away`."""


def is_away(error: BaseException) -> bool:
    """Tell whether the database is away, or is just coming up or going down.

    Files and timeouts (both are OSError) tell it only where they come out of the driver: those of our own code are
    its own faults, as is what the driver says of arguments that it cannot send.
    """
    if isinstance(error, _AWAY):
        return True
    if isinstance(error, OSError):
        return _comes_from_driver(error)
    return any(words in str(error) for words in _TORN.get(type(error), ()))


def _comes_from_driver(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(str(frame.f_globals.get("__name__")).partition(".")[0] == "asyncpg" for frame, _ in frames)
