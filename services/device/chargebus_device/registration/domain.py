"""Owns what it takes to register a station, and what becomes of its passwords."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from chargebus_events.registry import Rating, Registration
from chargebus_runtime.secrets import fingerprint

from chargebus_device.registration.errors import NoChangeError, OperatorChangeError, TooManyChangesError

MOST_NEWER: Final = 3
"""How many passwords may stand beside the one that a station uses: each costs its edge a check."""


class NewStation(msgspec.Struct, frozen=True):
    """A station as an operator registers it, or as its first boot does; `versions` empty means any."""

    station_id: str
    registration: Registration
    password_hash: str
    security_profile: int
    versions: tuple[str, ...]
    name: str
    labels: dict[str, str]
    strict: bool = False
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""
    ratings: tuple[Rating, ...] = ()
    time_zone: str = ""
    certificate_identity: str = ""
    certificate_pins: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """What an operator changes of a station; None leaves a field as it is."""

    registration: Registration | None = None
    versions: tuple[str, ...] | None = None
    name: str | None = None
    labels: dict[str, str] | None = None
    strict: bool | None = None
    ratings: tuple[Rating, ...] | None = None
    time_zone: str | None = None
    security_profile: int | None = None
    certificate_identity: str | None = None
    certificate_pins: tuple[str, ...] | None = None

    @property
    def describes(self) -> bool:
        """Whether it changes what others are told of the station."""
        return self.name is not None or self.labels is not None or self.time_zone is not None


class Passwords(msgspec.Struct, frozen=True):
    """The passwords of a station, in stored form: the oldest that is valid, and those that it was given after that.

    Which of the newer ones reached the station nobody knows before it uses one: then those older than that one end. So
    they all stay valid, whatever was given after them.

    Operators and services give passwords, and neither knows what the other has told the station. So what an operator
    says of the older ones does not end one that a service gave and the station may have got.

    Attributes:
        current: the oldest.
        newer: the others, oldest first.
        changed_at: when an operator last changed something; None where that was before it was kept.
        used_at: when the station first used the newest; None if it has not, as far as is known.
        older_until: when all but the newest end, whatever the station has used.
        by_services: those of them that a service gave, and that were not in use when an operator gave another.
    """

    current: str
    newer: tuple[str, ...] = ()
    changed_at: datetime | None = None
    used_at: datetime | None = None
    older_until: datetime | None = None
    by_services: frozenset[str] = frozenset()

    def given(self, stored: str, now: datetime, older_until: datetime | None) -> "Passwords":
        """Add a newer one of an operator's; where the older ones end by now, it is the only one.

        Raises:
            TooManyChangesError: the station has used none of so many.
        """
        if older_until is not None and older_until <= now:
            return Passwords(stored, changed_at=now)
        return self._with(stored, now, older_until, self.by_services - {self.current})

    def given_by_service(self, stored: str, now: datetime) -> "Passwords":
        """Add a newer one of a service's.

        Raises:
            OperatorChangeError: one that an operator gave waits to be used, or the older ones are to end.
            TooManyChangesError: the station has used none of so many.
        """
        if self.older_until is not None or not self.by_services.issuperset(self.newer):
            raise OperatorChangeError("An operator has given the station another one, which it has not used.")
        return self._with(stored, now, None, self.by_services | {stored})

    def _with(
        self, stored: str, now: datetime, older_until: datetime | None, by_services: frozenset[str]
    ) -> "Passwords":
        if len(self.newer) >= MOST_NEWER:
            raise TooManyChangesError(
                f"The station has used none of the {len(self.newer)} passwords that it was given since the one it has: "
                "take those back, or end the older ones."
            )
        return _passwords((self.current, *self.newer, stored), now, None, older_until, by_services)

    def used(self, credential: str, at: datetime) -> "Passwords":
        """End those older than the one that the station used, of which `credential` is the fingerprint."""
        known = (self.current, *self.newer)
        age = next((age for age, stored in enumerate(known) if fingerprint(stored) == credential), None)
        if age is None or (age == 0 and self.newer):
            return self
        newer = known[age + 1 :]
        used_at = None if newer else (at if age else self.used_at or at)
        return _passwords(known[age:], self.changed_at, used_at, self.older_until, self.by_services)

    def without_older(self, now: datetime) -> "Passwords":
        """End those older than the operator's newest, but for those that services gave.

        Raises:
            NoChangeError: there is none.
        """
        if not self.newer:
            raise NoChangeError("The station has one password; none is older.")
        after = self.expired(now)
        if after.newer == self.newer:
            raise NoChangeError(
                "The newer ones were given by a campaign, and the station may not have got them: "
                "give it one of yours with older_valid_s."
            )
        return after

    def expired(self, now: datetime) -> "Passwords":
        """End those older than the operator's newest, as their time has come, but for those that services gave."""
        newest = next((each for each in reversed(self.newer) if each not in self.by_services), self.current)
        kept = [each for each in (self.current, *self.newer) if each == newest or each in self.by_services]
        return _passwords(kept, now, None, None, self.by_services)

    def without_newer(self, now: datetime) -> "Passwords":
        """Take back those that the station has not used.

        Raises:
            NoChangeError: there is none; it may have used it meanwhile.
        """
        if not self.newer:
            raise NoChangeError("The station has one password; it may have used the new one meanwhile.")
        return Passwords(self.current, changed_at=now)

    def without(self, stored: str, now: datetime) -> "Passwords":
        """Take back one that was given, unless the station has used it or one that is newer."""
        if stored not in self.newer:
            return self
        kept = [each for each in (self.current, *self.newer) if each == self.current or each != stored]
        return _passwords(kept, now, None, self.older_until, self.by_services)


def _passwords(
    known: Sequence[str],
    changed_at: datetime | None,
    used_at: datetime | None,
    older_until: datetime | None,
    by_services: frozenset[str],
) -> Passwords:
    """Return passwords, oldest first; what is said of older ones is over where there is one only."""
    current, *newer = known
    if not newer:
        return Passwords(current, (), changed_at, used_at)
    return Passwords(current, tuple(newer), changed_at, used_at, older_until, by_services.intersection(known))
