"""The tables: which statuses are taken, in which words an update is asked for, what is done about what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from chargebus_calls import Routes, Row
from chargebus_commanding import Form, Intents, Outcome, Transaction

from chargebus_firmware.stations import store as stations
from chargebus_firmware.updates import store, v16, v201
from chargebus_firmware.updates.block import Keeping, Statuses
from chargebus_firmware.updates.domain import telling
from chargebus_firmware.updates.domain.timing import Probe
from chargebus_firmware.updates.domain.update import Update
from chargebus_firmware.updates.payload import Request, StatusTold, status_told

UPDATE: Final = "update"
PROBE: Final = "probe"
SIGNED: Final = "SignedUpdateFirmware"

_V16: Final = ("1.6",)
_V2: Final = ("2.0.1", "2.1")
_STATUS: Final[Row[StatusTold, None]] = Row(status_told, Statuses)

ROUTES: Final[Routes] = {
    ("1.6", "FirmwareStatusNotification"): _STATUS,
    ("1.6", "SignedFirmwareStatusNotification"): _STATUS,
    ("2.0.1", "FirmwareStatusNotification"): _STATUS,
    ("2.1", "FirmwareStatusNotification"): _STATUS,
}


@dataclass(frozen=True)
class Words:
    """The message by which some versions are asked for an update; `location_limit` is how long an address may be."""

    versions: tuple[str, ...]
    action: str
    members: Callable[[Request], dict[str, object]]
    location_limit: int


_PLAIN: Final = Words(_V16, "UpdateFirmware", v16.update_firmware, 2000)
_SIGNED: Final = Words(_V16, SIGNED, v16.signed_update_firmware, 512)
_V201: Final = Words(("2.0.1",), "UpdateFirmware", v201.update_firmware, 512)
_V21: Final = Words(("2.1",), "UpdateFirmware", v201.update_firmware, 2000)


def update_forms(request: Request) -> tuple[Form, ...]:
    """Return the forms of an update: none for a version in which the address has no room."""
    update = request.update
    signed = update.firmware.is_signed and not update.unsigned
    return tuple(
        Form.of(words.versions, words.action, words.members(request))
        for words in (_SIGNED if signed else _PLAIN, _V201, _V21)
        if len(request.location) <= words.location_limit
    )


def probe_forms(probe: Probe) -> tuple[Form, ...]:
    """Return the forms in which a station is asked to say how it is.

    Spec: OCPP 1.6 5.17; OCPP 2.0.1 F06
    """
    asked = {"requestedMessage": probe}
    return (Form.of(_V16, "TriggerMessage", asked), Form.of(_V2, "TriggerMessage", asked))


class Outcomes:
    """Takes what came of what stations were asked; `unsigned`: those that know no signatures may do without."""

    def __init__(self, keeping: Keeping, *, unsigned: bool) -> None:
        self._keeping = keeping
        self._unsigned = unsigned

    @property
    def intents(self) -> Intents:
        """What is done about the outcomes of each intent."""
        return {UPDATE: self.updates_ended, PROBE: _nothing}

    async def updates_ended(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Take the answers of stations that were asked for an update."""
        await stations.hold(tx, {outcome.station_id for outcome in outcomes})
        known = await store.lock(tx.connection, {UUID(outcome.subject) for outcome in outcomes})
        told = [(known[number], each) for each in outcomes if (number := UUID(each.subject)) in known]
        after = [outcome_told(update, outcome, unsigned=self._unsigned) for update, outcome in told]
        await self._keeping.keep(tx, known.values(), after)


def outcome_told(update: Update, outcome: Outcome, *, unsigned: bool) -> Update:
    """Return an update after what came of its request; `unsigned`: the station may do without a signature."""
    at, why = outcome.ended_at, outcome.why
    if outcome.name == "answered":
        return telling.answered(update, outcome.status, at, why)
    if outcome.name == "timed_out":
        return telling.unanswered(update, at, why)
    if outcome.name != "refused":
        return telling.not_reached(update, at, why)
    if unsigned and telling.is_to_do_without_signature(update, outcome.action, outcome.error_code):
        return telling.to_be_asked_unsigned(update, at)
    return telling.refused(update, outcome.error_code, at, why)


async def _nothing(_tx: Transaction, _outcomes: Sequence[Outcome]) -> None:
    """Do nothing: what the station was asked to send comes by itself."""
