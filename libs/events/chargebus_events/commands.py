"""Commands to stations: asked for, sent down, delivered or not, and their one outcome."""

from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from chargebus_events.record import Envelope, Headers, Record, timestamp
from chargebus_events.topics import COMMANDS, DELIVERIES, DOWNLINK, outcomes_topic

REQUESTED = "chargebus.command.requested.v1"
COMMAND = "chargebus.ocpp.command.v1"
DELIVERY = "chargebus.command.delivery.v1"
OUTCOME = "chargebus.command.outcome.v1"

ANSWER_GRACE_S: Final = 5.0
"""How long after a command's answer was due the edge's report of it is still waited for, unless set otherwise."""

DeliveryResult = Literal["answered", "refused", "timed_out", "undeliverable", "pending", "connection_lost"]
OutcomeName = Literal["answered", "refused", "timed_out", "undeliverable", "expired"]

# msgspec refuses to decode an object into `Raw | None`; as plain Raw, a member that is absent still stays None.
if TYPE_CHECKING:
    RawOrNone = msgspec.Raw | None
else:
    RawOrNone = msgspec.Raw


class CommandForm(msgspec.Struct, frozen=True, omit_defaults=True):
    """A command in the words of the OCPP versions that `versions` names; empty: of any whose schema takes it.

    `payload` is the action's request as raw JSON; if it holds a secret it is null, and `sealed` what it is
    (`chargebus_runtime.sealing`), in the context of `sealed_for`.
    """

    action: str
    payload: msgspec.Raw
    versions: tuple[str, ...] = ()
    sealed: str = ""

    def sealed_for(self, command_id: str, station_id: str) -> str:
        """Return the context of what is sealed here: this action of this command, for this station."""
        return f"command/{command_id}/{self.action}/{station_id}"


class CommandRequested(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service asks for a CALL to a station.

    Who asks need not know which version the station speaks: of `forms`, the first that suits it is sent.
    `timeout_s` is how long the station may take to answer; `ttl_s` how long the command may wait for the station to be
    connected and free: 0 fails at once. Both count from `requested_at`, a moment of Kafka's clock.
    `requester` is the service that gets the outcome; `intent`, what it is after, and `subject`, a reference of its own,
    come back with it.
    """

    command_id: str
    station_id: str
    requester: str
    requested_at: datetime
    forms: tuple[CommandForm, ...] = ()
    intent: str = ""
    subject: str = ""
    timeout_s: float = 30.0
    ttl_s: float = 0.0

    def record(self, *more: tuple[str, bytes]) -> Record:
        """Return the request as a record for `ocpp.commands`."""
        envelope = Envelope(self.command_id, REQUESTED, f"/{self.requester}", self.station_id, self.requested_at)
        return Record(COMMANDS, self.station_id, msgspec.json.encode(self), envelope.headers(*more))


class Command(msgspec.Struct, frozen=True):
    """A CALL that the `command` service sends down to one connection.

    `timeout_s` is how long the station may take to answer. From `timeout_s` after `sent_at` on, and from `expires_at`
    on, the edge does not write it any more, wherever it waited: whoever asked for it has given it up by then. Both
    are moments of Kafka's clock. `payload` is what the station gets, secrets and all; `secret_names` are what an
    operator adds to the secrets of `chargebus_ocppj.secrets`: the edge tells of none of them.
    """

    command_id: str
    station_id: str
    action: str
    payload: bytes
    slot: int
    epoch: int
    timeout_s: float
    sent_at: datetime
    expires_at: datetime | None = None
    secret_names: tuple[str, ...] = ()

    def record(self, *more: tuple[str, bytes]) -> Record:
        """Return the command as a record for the downlink partition of its edge."""
        envelope = Envelope(self.command_id, COMMAND, "/command", self.station_id, self.sent_at)
        headers = envelope.headers(
            ("ocpp_action", self.action.encode()),
            ("ocpp_epoch", b"%d" % self.epoch),
            ("timeout_s", str(self.timeout_s).encode()),
            *self._expiry(),
            *self._secret_names(),
            *more,
        )
        return Record(DOWNLINK, self.station_id, self.payload, headers, partition=self.slot)

    def _expiry(self) -> Headers:
        return () if self.expires_at is None else (("expires_at", timestamp(self.expires_at).encode()),)

    def _secret_names(self) -> Headers:
        return (("secret_names", msgspec.json.encode(self.secret_names)),) if self.secret_names else ()


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an edge says of a command that it was to send on connection `epoch`.

    `undeliverable`: never written to the socket, if only because it came too late, so it may be tried again.
    `pending`: neither, as OCPP forbids it until the station is accepted; other commands may go to it.
    `connection_lost`: written, the socket ended without an answer. `payload` is the CALLRESULT's; the error fields
    are the CALLERROR's, or, with `answered` and for a CALLERROR that cannot be read, say what is wrong with the
    answer. `sent_at` is the command record's own (its `ce_time`): it tells the attempts at one command apart.
    """

    command_id: str
    station_id: str
    epoch: int
    result: DeliveryResult
    at: datetime
    payload: RawOrNone = None
    error_code: str = ""
    error_description: str = ""
    error_details: RawOrNone = None
    sent_at: datetime | None = None

    def record(self, slot: int, *more: tuple[str, bytes]) -> Record:
        """Return the report as a record for `ocpp.deliveries`."""
        envelope = Envelope(
            f"{self.command_id}/{self.epoch}/{self.result}",
            DELIVERY,
            f"/edge/{slot}",
            self.station_id,
            self.at,
        )
        return Record(DELIVERIES, self.station_id, msgspec.json.encode(self), envelope.headers(*more))


class CommandOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one end of a command; `reason` says in words why it was not answered, or what is wrong with the answer.

    `action` and `version` are those of the form that was sent, empty where none was. `payload` is the CALLRESULT's,
    the error fields are as in a Delivery.
    """

    command_id: str
    station_id: str
    requester: str
    outcome: OutcomeName
    requested_at: datetime
    ended_at: datetime
    intent: str = ""
    subject: str = ""
    action: str = ""
    version: str = ""
    payload: RawOrNone = None
    error_code: str = ""
    error_description: str = ""
    error_details: RawOrNone = None
    reason: str = ""

    def record(self, *more: tuple[str, bytes]) -> Record:
        """Return the outcome as a record for the topic of who asked."""
        envelope = Envelope(f"{self.command_id}/outcome", OUTCOME, "/command", self.station_id, self.ended_at)
        topic = outcomes_topic(self.requester)
        return Record(topic, self.station_id, msgspec.json.encode(self), envelope.headers(*more))
