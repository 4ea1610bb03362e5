"""What is known of a station when it is decided about, what it answered, and what can be done next. Pure."""

from datetime import datetime
from typing import Literal

import msgspec

Answer = Literal["accepted", "reboot", "refused", "unreached", "unknown"]
"""What a station made of what it was told; `reboot`: it has taken it, and has to restart; `unknown`: it may have."""

Order = Literal["password", "reset", "profile", "read", "slots", "network", "priority"]
"""What a station is told; `read` and `slots` only ask."""


class Facts(msgspec.Struct, frozen=True):
    """A station as others tell of it.

    Attributes:
        online, epoch: whether it is connected, and which of its connections that is, or was; since `connected_at`.
        booted_at: when it said last that it has started; `boots_always`: it does so whenever it connects, by what is
            known, so that it need not have restarted.
        ocpp_version: the version that it spoke last.
        used_profile: by which security profile it came in; None: not told.
        least_profile: the least that it may use; None: it is not registered.
        passwords: the fingerprints of those that count, oldest first.
        has_certificate: whether it has one for security profile 3 that is valid.
        certificate_state, certificate_reason, certificate_at: how far its newest request for one is, and since when.
        roots: how many roots for the CSMS it has, but for those that are known to have run out.
        roots_told_at, roots_detail: when it told so, and why it did not.
    """

    online: bool = False
    epoch: int = -1
    connected_at: datetime | None = None
    booted_at: datetime | None = None
    boots_always: bool = False
    ocpp_version: str = ""
    used_profile: int | None = None
    least_profile: int | None = None
    passwords: tuple[str, ...] = ()
    has_certificate: bool = False
    certificate_state: str = ""
    certificate_reason: str = ""
    certificate_at: datetime | None = None
    roots: int = 0
    roots_told_at: datetime | None = None
    roots_detail: str = ""


class Told(msgspec.Struct, frozen=True):
    """What came of what a station was told; `value`: what it says a variable has; `why`: in its own words.

    For `slots`, `value` has a line for each that holds a network: its number, a space, and where that leads.
    """

    order: Order
    answer: Answer
    why: str = ""
    value: str = ""


class Give(msgspec.Struct, frozen=True):
    """Have a new password count beside the old one."""

    stored: str


class TakeBack(msgspec.Struct, frozen=True):
    """Have a new password count no more that the station did not take."""

    stored: str


class SetLeast(msgspec.Struct, frozen=True):
    """Have another profile be the least that the station may use."""

    profile: int
    lowers: bool = False


class Tell(msgspec.Struct, frozen=True):
    """Tell the station something; `value`: a profile, a slot, or an order of slots."""

    order: Order
    value: str = ""


class AskCertificate(msgspec.Struct, frozen=True):
    """Have the station send a CSR."""


class AskRoots(msgspec.Struct, frozen=True):
    """Have the station tell which roots it has."""


Action = Give | TakeBack | SetLeast | Tell | AskCertificate | AskRoots
