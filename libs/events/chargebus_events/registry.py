"""What an edge must know of a station to let it in, and of those that nobody registered."""

from datetime import datetime
from typing import Literal

import msgspec

from chargebus_events.record import Envelope, Record
from chargebus_events.topics import REGISTRY

STATION_TYPE = "chargebus.station.registered.v1"
ONBOARDING_TYPE = "chargebus.onboarding.policy.v1"

DEVIATION_RULES_TYPE = "chargebus.station.deviation_rules.v1"

ONBOARDING_KEY = "/onboarding"  # no station's identity begins with a slash
DEVIATION_RULES_KEY = "/deviation-rules"
POLICY_KEYS = frozenset({ONBOARDING_KEY, DEVIATION_RULES_KEY})
"""The keys of `station.registry` that are no stations."""

Registration = Literal["accepted", "pending", "rejected"]
UnknownStations = Literal["refuse", "pending", "accept"]
Treatment = Literal["accept", "refuse"]


class Rating(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an EVSE (connector 0), or a connector of it, is built for, as far as somebody says; power in W.

    EVSE 0 stands for those of the station that nothing else is said of. `connector_type` is one of OCPP 2.x.
    """

    evse_id: int = 0
    connector_id: int = 0
    max_power_w: float | None = None
    connector_type: str = ""
    phases: int | None = None


class RegisteredStation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station's credentials and state; `versions` empty means any; `password_hash` as `secrets.hash_*` made it.

    `newer_password_hashes`, oldest first, are of passwords that the station may use as well: with the first use of one,
    those older than it end.
    `strict`: whatever breaks its schema is refused. `vendor`, `model` and `firmware_version` are those of its newest
    boot: the deviation rules go by them. `ratings` are an operator's, `reported_ratings` the station's own.
    `security_profile` is the least that it may use. `certificate_identity` is what its client certificate has to name,
    empty: its `station_id`; `certificate_pins`, if there are any, are SHA-256 fingerprints of the certificates that it
    may have, in hexadecimal digits, whatever they name, or serial numbers of such that name it.
    """

    station_id: str
    registration: Registration
    password_hash: str
    updated_at: datetime
    security_profile: int = 1
    versions: tuple[str, ...] = ()
    newer_password_hashes: tuple[str, ...] = ()
    strict: bool = False
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""
    ratings: tuple[Rating, ...] = ()
    reported_ratings: tuple[Rating, ...] = ()
    certificate_identity: str = ""
    certificate_pins: tuple[str, ...] = ()

    def record(self) -> Record:
        """Return the station as a record for `station.registry`."""
        envelope = Envelope(
            f"{self.station_id}/{self.updated_at.timestamp()}",
            STATION_TYPE,
            "/device",
            self.station_id,
            self.updated_at,
        )
        return Record(REGISTRY, self.station_id, msgspec.json.encode(self), envelope.headers())


class OnboardingPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of a station that nobody registered; it must still present the onboarding password."""

    unknown_stations: UnknownStations
    updated_at: datetime
    password_hash: str = ""

    def record(self) -> Record:
        """Return the policy as a record for `station.registry`, under a key that no station can have."""
        envelope = Envelope(
            f"onboarding/{self.updated_at.timestamp()}",
            ONBOARDING_TYPE,
            "/device",
            ONBOARDING_KEY,
            self.updated_at,
        )
        return Record(REGISTRY, ONBOARDING_KEY, msgspec.json.encode(self), envelope.headers())


class DeviationRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """How frames of some makes that break their schema are treated.

    An empty text means any, one that ends in `*` whatever begins like it.
    """

    treatment: Treatment
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""
    action: str = ""
    kind: str = ""


class DeviationRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """All deviation rules; what none of them is about is treated as libs/ocppj has it."""

    updated_at: datetime
    rules: tuple[DeviationRule, ...] = ()

    def record(self) -> Record:
        """Return the rules as a record for `station.registry`, under a key that no station can have."""
        envelope = Envelope(
            f"deviation-rules/{self.updated_at.timestamp()}",
            DEVIATION_RULES_TYPE,
            "/device",
            DEVIATION_RULES_KEY,
            self.updated_at,
        )
        return Record(REGISTRY, DEVIATION_RULES_KEY, msgspec.json.encode(self), envelope.headers())


def removed(station_id: str) -> Record:
    """Return the tombstone that takes a station out of the registry."""
    return Record(REGISTRY, station_id, None)
