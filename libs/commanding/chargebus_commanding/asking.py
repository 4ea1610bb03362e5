"""What a service asks of a station: in which forms, for how long, and under which key it may be asked again."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import asyncpg
import msgspec
from chargebus_events.commands import ANSWER_GRACE_S
from chargebus_events.record import Received, Record
from chargebus_ocppj.schemas import encode_call
from chargebus_ocppj.secrets import STANDARD
from chargebus_ocppj.versions import as_version
from chargebus_runtime.batch import Batch

SILENCE_S: Final = 30.0
"""How long after the last moment at which `command` can have ended a command its outcome is waited for."""


class KeyReusedError(Exception):
    """The idempotency key was used for something else; the message says so, in words for the caller."""


class Transaction(Protocol):
    """What is needed of a transaction: that of an HTTP call or a task is one, that of a batch by `InBatch`."""

    @property
    def connection(self) -> asyncpg.Connection:
        """What is written by it is committed with the request."""
        ...

    @property
    def now(self) -> datetime:
        """Its one time."""
        ...

    def send(self, record: Record) -> None:
        """Send a record after the commit."""
        ...


@dataclass(frozen=True)
class InBatch:
    """A batch's transaction, on behalf of the record that is the cause of what is sent."""

    batch: Batch
    because: Received

    @property
    def connection(self) -> asyncpg.Connection:
        """The batch's connection."""
        return self.batch.connection

    @property
    def now(self) -> datetime:
        """The batch's time."""
        return self.batch.now

    def send(self, record: Record) -> None:
        """Send a record after the commit."""
        self.batch.send(record, because=self.because)


@dataclass(frozen=True)
class Form:
    """A command in the words of some OCPP versions; `payload` is the action's request as raw JSON."""

    versions: tuple[str, ...]
    action: str
    payload: bytes

    @classmethod
    def of(cls, versions: tuple[str, ...], action: str, members: Mapping[str, object]) -> "Form":
        """Return a form whose payload has these members (those that are None are left out), in the schema's order."""
        return cls(versions, action, encode_call(as_version(versions[0]), action, members))

    @property
    def is_secret(self) -> bool:
        """Whether the payload holds a secret: it is sealed then, wherever it stands before its station gets it."""
        return STANDARD.masked_call(self.action, self.payload) != self.payload


@dataclass(frozen=True)
class Ask:
    """Something that a station is to do.

    Attributes:
        station_id: whom.
        intent: what it is for, a row of the service's table of intents: there its outcome goes.
        forms: how it can be said; the first that suits the station's version is sent. At least one.
        timeout_s: how long the station may take to answer.
        ttl_s: how long it may wait for the station to be connected and free; 0: it fails at once if it is not.
        subject: the service's own reference, such as a row's key; it comes back with the outcome.
        idempotency_key: asked again under the same key, it is the same command.
        content: what must then be equal, as something that can be JSON, and holds no secret; without it, the forms and
            the times.
    """

    station_id: str
    intent: str
    forms: tuple[Form, ...]
    timeout_s: float = 30.0
    ttl_s: float = 0.0
    subject: str = ""
    idempotency_key: str | None = None
    content: object = None

    @property
    def is_secret(self) -> bool:
        """Whether it holds a secret."""
        return any(form.is_secret for form in self.forms)

    @property
    def fingerprint(self) -> str:
        """What tells two asks under one key apart; empty without a key.

        Of a secret it takes tens of milliseconds of CPU: it is kept, and no PIN must be found from it by trying.
        """
        if self.idempotency_key is None:
            return ""
        if self.content is not None:
            return fingerprint(self.intent, self.content)
        whole = fingerprint(self.intent, (self.forms, self.timeout_s, self.ttl_s))
        if not self.is_secret:
            return whole
        salt = f"{self.station_id}/{self.idempotency_key}".encode()
        return hashlib.scrypt(whole.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32).hex()

    def given_up_after_s(self) -> float:
        """Return how long an outcome can take: the wait for the station, for its answer, and for the news of it."""
        return (self.ttl_s or self.timeout_s) + self.timeout_s + ANSWER_GRACE_S + SILENCE_S


@dataclass(frozen=True)
class Asked:
    """A command that was asked for; `again`: before, under the same key, so nothing was sent now."""

    command_id: str
    station_id: str
    intent: str
    subject: str
    again: bool = False


def fingerprint(intent: str, content: object) -> str:
    """Return what tells the contents of two asks apart."""
    return hashlib.sha256(msgspec.json.encode((intent, content), order="sorted")).hexdigest()
