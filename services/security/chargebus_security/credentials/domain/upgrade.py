"""Another security profile for a station, as data: see `upgrading` for what is done. Pure."""

from datetime import datetime

import msgspec


class Network(msgspec.Struct, frozen=True):
    """By which network a station of OCPP 2.x is to come with the new profile; `slot` None: a free one."""

    url: str
    interface: str = "Wired0"
    message_timeout_s: int = 30
    slot: int | None = None


class Upgrade(msgspec.Struct, frozen=True, tag="upgrade"):
    """How far a station is with another profile.

    Attributes:
        before: the profile by which it came in at the beginning; `least_before`: the least that it could use.
        since: when the present step began.
        epoch: of its connection when it was told something, at `asked_at`; a later one is its return.
        slot, slots_before: where the new network is kept, and in which order the others were.
        told_at: when it took what it was told; None where it may take long to restart.
        changed: whether the station may have changed something that a rollback takes back.
        resets, tries: how often it was reset; how often the present step was tried and did not reach it.
        why: why it is rolled back.
    """

    since: datetime
    before: int | None = None
    least_before: int = 0
    epoch: int = -1
    asked_at: datetime | None = None
    slot: int | None = None
    slots_before: str = ""
    changed: bool = False
    told_at: datetime | None = None
    resets: int = 0
    tries: int = 0
    why: str = ""
