"""Owns what it takes to register a station, and what becomes of its passwords."""

from datetime import datetime
from typing import Final

import msgspec
from chargebus_events.registry import Rating, Registration
from chargebus_runtime.secrets import fingerprint

from chargebus_device.registration.errors import NoChangeError, TooManyChangesError

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


class Change(msgspec.Struct, frozen=True):
    """What an operator changes of a station; None leaves a field as it is."""

    registration: Registration | None = None
    versions: tuple[str, ...] | None = None
    name: str | None = None
    labels: dict[str, str] | None = None
    strict: bool | None = None
    ratings: tuple[Rating, ...] | None = None


class Passwords(msgspec.Struct, frozen=True):
    """The passwords of a station, in stored form: the oldest that is valid, and those that it was given after that.

    Which of the newer ones reached the station nobody knows before it uses one: then those older than that one end. So
    they all stay valid, whatever was given after them.

    Attributes:
        current: the oldest.
        newer: the others, oldest first.
        changed_at: when an operator last changed something; None where that was before it was kept.
        used_at: when the station first used the newest; None if it has not, as far as is known.
        older_until: when all but the newest end, whatever the station has used.
    """

    current: str
    newer: tuple[str, ...] = ()
    changed_at: datetime | None = None
    used_at: datetime | None = None
    older_until: datetime | None = None

    def given(self, stored: str, now: datetime, older_until: datetime | None) -> "Passwords":
        """Add a newer one; where the older ones end by now, it is the only one.

        Raises:
            TooManyChangesError: the station has used none of so many.
        """
        if older_until is not None and older_until <= now:
            return Passwords(stored, changed_at=now)
        if len(self.newer) >= MOST_NEWER:
            raise TooManyChangesError(
                f"The station has used none of the {len(self.newer)} passwords that it was given since the one it has: "
                "take those back, or end the older ones."
            )
        return Passwords(self.current, (*self.newer, stored), now, older_until=older_until)

    def used(self, credential: str, at: datetime) -> "Passwords":
        """End those older than the one that the station used, of which `credential` is the fingerprint."""
        known = (self.current, *self.newer)
        age = next((age for age, stored in enumerate(known) if fingerprint(stored) == credential), None)
        if age is None or (age == 0 and self.newer):
            return self
        newer = known[age + 1 :]
        used_at = None if newer else (at if age else self.used_at or at)
        return Passwords(known[age], newer, self.changed_at, used_at, self.older_until if newer else None)

    def without_older(self, now: datetime) -> "Passwords":
        """End all but the newest.

        Raises:
            NoChangeError: there is one only.
        """
        if not self.newer:
            raise NoChangeError("The station has one password; none is older.")
        return Passwords(self.newer[-1], changed_at=now)

    def without_newer(self, now: datetime) -> "Passwords":
        """Take back those that the station has not used.

        Raises:
            NoChangeError: there is none; it may have used it meanwhile.
        """
        if not self.newer:
            raise NoChangeError("The station has one password; it may have used the new one meanwhile.")
        return Passwords(self.current, changed_at=now)
