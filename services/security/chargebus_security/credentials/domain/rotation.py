"""A new password for a station: first the edges know it, then the station is told. Pure.

registering ──> telling ──> told ──> done (it came back with it; the old one is over)
    ^              │ │        │ ^──> resetting
    └─(not reached)┘ │        └──> unconfirmed (both count for as long as it does not)
                     └──> refused (the new one is taken back)
"""

from datetime import datetime

import msgspec


class Rotation(msgspec.Struct, frozen=True, tag="rotation"):
    """The new password of a station.

    Attributes:
        stored: its stored form; `fingerprint`: by what that is known in the registry.
        sealed: the password itself, until the station has answered.
        began_at: when the registry was asked to take it.
        told_at: when the station answered, or did not in time; `may_have`: whether it may have taken it.
        reboots: whether it said that it has to be restarted.
        resets, reset_at: how often it was reset, and when last.
        tries: how often it was told, and not reached.
        waits: whether it is there, and nothing is done but wait until it comes with the new one.
    """

    stored: str
    fingerprint: str
    sealed: str
    began_at: datetime
    told_at: datetime | None = None
    reboots: bool = False
    resets: int = 0
    reset_at: datetime | None = None
    tries: int = 0
    waits: bool = False
