"""The tables: which statuses are taken, in which words controllers are asked, what is done about what came of it."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from chargebus_calls import Routes, Row
from chargebus_commanding import Form, Intents, Outcome, Transaction

from chargebus_firmware.publications import store, v201
from chargebus_firmware.publications.block import PublicationStatuses
from chargebus_firmware.publications.domain import (
    Publication,
    answered,
    not_answered,
    unpublish_answered,
)
from chargebus_firmware.publications.v201 import StatusTold
from chargebus_firmware.stations import store as stations

PUBLISH: Final = "publish"
UNPUBLISH: Final = "unpublish"
PROBE: Final = "publication_probe"

_V2: Final = ("2.0.1", "2.1")
_STATUS: Final[Row[StatusTold, None]] = Row(v201.status_told, PublicationStatuses)

ROUTES: Final[Routes] = {(version, "PublishFirmwareStatusNotification"): _STATUS for version in _V2}


def publish_forms(publication: Publication, location: str) -> tuple[Form, ...]:
    """Return the forms of a publication whose file is fetched from a location."""
    return (Form.of(_V2, "PublishFirmware", v201.publish_firmware(publication, location)),)


def unpublish_forms(publication: Publication) -> tuple[Form, ...]:
    """Return the forms by which it is taken back."""
    return (Form.of(_V2, "UnpublishFirmware", v201.unpublish_firmware(publication)),)


def probe_forms() -> tuple[Form, ...]:
    """Return the forms in which a controller is asked how it is.

    Spec: OCPP 2.0.1 F06
    """
    return (Form.of(_V2, "TriggerMessage", {"requestedMessage": "PublishFirmwareStatusNotification"}),)


class Outcomes:
    """Takes what came of what controllers were asked."""

    def __init__(self, silent_s: float) -> None:
        self._silent_s = silent_s

    @property
    def intents(self) -> Intents:
        """What is done about the outcomes of each intent."""
        return {PUBLISH: self.published, UNPUBLISH: self.unpublished, PROBE: _nothing}

    async def published(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Take the answers to PublishFirmware."""
        await stations.hold(tx, {outcome.station_id for outcome in outcomes})
        known = await store.lock(tx.connection, {UUID(outcome.subject) for outcome in outcomes})
        after = [_after(known[number], each) for each in outcomes if (number := UUID(each.subject)) in known]
        await store.change(tx, known, after, self._silent_s)

    async def unpublished(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Take the answers to UnpublishFirmware."""
        await stations.hold(tx, {outcome.station_id for outcome in outcomes})
        known = await store.lock(tx.connection, {UUID(outcome.subject) for outcome in outcomes})
        after = [
            unpublish_answered(known[number], each.status, each.ended_at, each.why)
            for each in outcomes
            if (number := UUID(each.subject)) in known
        ]
        await store.change(tx, known, after, self._silent_s)


def _after(publication: Publication, outcome: Outcome) -> Publication:
    if outcome.name == "answered":
        return answered(publication, outcome.status, outcome.ended_at, outcome.why)
    return not_answered(publication, outcome.name, outcome.error_code, outcome.ended_at, outcome.why)


async def _nothing(_tx: Transaction, _outcomes: Sequence[Outcome]) -> None:
    """Do nothing: what the controller was asked to send comes by itself."""
