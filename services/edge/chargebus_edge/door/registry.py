"""Who may connect: the stations of `station.registry` and the policy for all others, kept in memory."""

from collections.abc import Callable
from sys import intern

import msgspec
from chargebus_events.record import Received
from chargebus_events.registry import (
    DEVIATION_RULES_KEY,
    ONBOARDING_KEY,
    POLICY_KEYS,
    DeviationRule,
    DeviationRules,
    OnboardingPolicy,
    RegisteredStation,
    Registration,
)
from chargebus_runtime.secrets import fingerprint

from chargebus_edge.door.tolerance import Make, Tolerance, tolerance


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What an edge asks of a station that connects, and what the station is then; `versions` empty means any.

    `newer`, oldest first, are the stored forms of passwords that it may use instead of the one of `password_hash`.
    `certificate_identity` is what its client certificate names, empty: the station's own identity; `certificate_pins`,
    if there are any, are the certificates that it may have.
    """

    password_hash: str
    registration: Registration
    versions: tuple[str, ...] = ()
    security_profile: int = 1
    onboarding: bool = False
    newer: tuple[str, ...] = ()
    strict: bool = False
    make: Make = Make()
    certificate_identity: str = ""
    certificate_pins: tuple[str, ...] = ()

    @property
    def passwords(self) -> tuple[str, ...]:
        """The stored forms of all passwords that let the station in, newest first."""
        return (*self.newer[::-1], self.password_hash)


_ONBOARDING_STATUS: dict[str, Registration] = {"pending": "pending", "accept": "accepted"}

_read_station = msgspec.json.Decoder(RegisteredStation).decode
_read_policy = msgspec.json.Decoder(OnboardingPolicy).decode
_read_rules = msgspec.json.Decoder(DeviationRules).decode


class Registry:
    """The registry as the topic has it up to now.

    `changed` is called with the key of a record that changed something: a station's identity, or that of a policy.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._stations: dict[str, Terms | None] = {}  # None: refused, whatever the policy is
        self._onboarding: Terms | None = None
        self._rules: tuple[DeviationRule, ...] = ()

    def __len__(self) -> int:
        return len(self._stations)

    def find(self, station_id: str) -> Terms | None:
        """Return on what terms a station may connect, or None if it may not."""
        return self._stations.get(station_id, self._onboarding)

    def knows(self, station_id: str) -> bool:
        """Tell whether a station is registered, and not only let in as one that is not."""
        return station_id in self._stations

    def used(self, station_id: str, credential: str) -> None:
        """End the passwords of a station that are older than the one it used, of which `credential` is the fingerprint.

        The registry will say so, too: whoever keeps it learns of the use from the log of presence.
        """
        terms = self._stations.get(station_id)
        if terms is None:
            return
        for age, stored in enumerate(terms.newer):
            if fingerprint(stored) == credential:
                newer = terms.newer[age + 1 :]
                self._stations[station_id] = msgspec.structs.replace(terms, password_hash=stored, newer=newer)

    def tolerance(self, terms: Terms) -> Tolerance:
        """Return how frames of a station on these terms are treated that break their schema."""
        return tolerance(terms.make, self._rules, strict=terms.strict)

    def apply(self, record: Received) -> None:
        """Take a record of the topic.

        Raises:
            msgspec.MsgspecError: it cannot be read; nothing has changed.
        """
        if record.key == ONBOARDING_KEY:
            self._set_policy(record.value)
        elif record.key == DEVIATION_RULES_KEY:
            self._rules = () if record.value is None else _read_rules(record.value).rules
        else:
            self._set_station(record.key, record.value)
        self._changed(record.key)

    def refuse(self, record: Received) -> None:
        """Let in nobody on the terms of a record that cannot be read: they may be stricter than those before.

        Deviation rules that cannot be read leave those that were read before: nobody is let in by them.
        """
        if record.key == ONBOARDING_KEY:
            self._onboarding = None
        elif record.key not in POLICY_KEYS:
            self._stations[record.key] = None
        self._changed(record.key)

    def _set_policy(self, value: bytes | None) -> None:
        policy = None if value is None else _read_policy(value)
        status = None if policy is None else _ONBOARDING_STATUS.get(policy.unknown_stations)
        if policy is None or status is None:
            self._onboarding = None
        else:
            self._onboarding = Terms(policy.password_hash, status, onboarding=True)

    def _set_station(self, station_id: str, value: bytes | None) -> None:
        if value is None:
            self._stations.pop(station_id, None)
            return
        station = _read_station(value)
        self._stations[station_id] = Terms(
            station.password_hash,
            station.registration,
            station.versions,
            station.security_profile,
            newer=station.newer_password_hashes,
            strict=station.strict,
            make=Make(intern(station.vendor), intern(station.model), intern(station.firmware_version)),
            certificate_identity=station.certificate_identity,
            certificate_pins=station.certificate_pins,
        )
