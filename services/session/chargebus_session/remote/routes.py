"""The tables: in which words each version is asked for a start or a stop, and what is done about what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chargebus_commanding import Form, Intents, Outcome, Transaction

from chargebus_session.remote import store, v16, v201
from chargebus_session.remote.domain import ACCEPTED, REJECTED, START, STOP, Start, Stop
from chargebus_session.tokens import v16 as tokens_v16
from chargebus_session.tokens import v21 as tokens_v21
from chargebus_session.tokens import v201 as tokens_v201


@dataclass(frozen=True)
class Remote:
    """The messages by which some versions start and stop remotely.

    `family` are all versions whose transactions are stopped alike: one lives on when its station changes between them.
    """

    versions: tuple[str, ...]
    family: tuple[str, ...]
    start_action: str
    start: Callable[[Start], dict[str, object]]
    stop_action: str
    stop: Callable[[Stop], dict[str, object]]
    id_token_limit: int


_V16: Final = ("1.6",)
_V2: Final = ("2.0.1", "2.1")
_V16_WORDS: Final = ("RemoteStartTransaction", v16.remote_start, "RemoteStopTransaction", v16.remote_stop)
_V2_WORDS: Final = ("RequestStartTransaction", v201.remote_start, "RequestStopTransaction", v201.remote_stop)

REMOTE: Final[Sequence[Remote]] = (
    Remote(("1.6",), _V16, *_V16_WORDS, tokens_v16.ID_TAG_LIMIT),
    Remote(("2.0.1",), _V2, *_V2_WORDS, tokens_v201.ID_TOKEN_LIMIT),
    Remote(("2.1",), _V2, *_V2_WORDS, tokens_v21.ID_TOKEN_LIMIT),
)


def start_forms(start: Start) -> tuple[Form, ...]:
    """Return the forms of a start: none for a version whose tokens are shorter than this one."""
    return tuple(
        Form.of(remote.versions, remote.start_action, remote.start(start))
        for remote in REMOTE
        if len(start.token.id_token) <= remote.id_token_limit
    )


def stop_forms(stop: Stop, version: str) -> tuple[Form, ...]:
    """Return the forms of a stop: for the versions in which a transaction that began in `version` lives on."""
    return tuple(
        Form.of(remote.versions, remote.stop_action, remote.stop(stop)) for remote in REMOTE if version in remote.family
    )


async def starts_ended(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Expect no transaction of remote starts that stations did not accept; an answer without a status tells nothing."""
    failed = [each.subject for each in outcomes if each.name != "answered" or _is_refusal(each)]
    await store.fail(tx.connection, map(int, failed))


def _is_refusal(answered: Outcome) -> bool:
    """Tell whether a station said no: one whose answer breaks its schema may have meant yes, unless it says no."""
    if answered.broken:
        return answered.status.lower() == REJECTED.lower()
    return answered.status not in ("", ACCEPTED)


async def stops_ended(_tx: Transaction, _outcomes: Sequence[Outcome]) -> None:
    """Do nothing: the station tells of the transaction's end by itself."""


OUTCOMES: Final[Intents] = {START: starts_ended, STOP: stops_ended}
