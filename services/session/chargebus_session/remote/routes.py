"""The table: which message of each version carries a remote start or stop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from chargebus_session.remote import v16, v201
from chargebus_session.remote.domain import Start, Stop
from chargebus_session.tokens import v16 as tokens_v16
from chargebus_session.tokens import v21 as tokens_v21
from chargebus_session.tokens import v201 as tokens_v201


@dataclass(frozen=True)
class Remote:
    """The messages by which a version starts and stops remotely.

    `family` are the versions that take them: a transaction lives on when its station changes between those.
    """

    family: tuple[str, ...]
    start_action: str
    start: Callable[[Start], dict[str, object]]
    stop_action: str
    stop: Callable[[Stop], dict[str, object]]
    id_token_limit: int


_V16: Final = ("1.6",)
_V2: Final = ("2.0.1", "2.1")
_START: Final = ("RequestStartTransaction", v201.remote_start)
_STOP: Final = ("RequestStopTransaction", v201.remote_stop)

REMOTE: Final[Mapping[str, Remote]] = {
    "1.6": Remote(
        _V16,
        "RemoteStartTransaction",
        v16.remote_start,
        "RemoteStopTransaction",
        v16.remote_stop,
        tokens_v16.ID_TAG_LIMIT,
    ),
    "2.0.1": Remote(_V2, *_START, *_STOP, tokens_v201.ID_TOKEN_LIMIT),
    "2.1": Remote(_V2, *_START, *_STOP, tokens_v21.ID_TOKEN_LIMIT),
}
