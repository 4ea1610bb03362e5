"""What a vehicle asks of a pool of contracts, and which of the pool's answers it gets. Pure.

The messages between vehicle and pool (EXI, in base64) are nobody's business here: they pass unread.

Spec: OCPP 2.0.1 M01, M02; OCPP 2.1 M01; ISO 15118-20 V2G20-1579
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from chargebus_ocppj.emaids import contract_of

NO_POOL: Final = "NotEnabled"
NOT_PROVIDED: Final = "InternalError"
TOO_LONG: Final = "ValueTooLong"
TOO_MANY: Final = "TooManyRequests"
"""Reason codes. Spec: OCPP 2.0.1 and 2.1 appendix 5, but for the last"""


class CertificateRequest(msgspec.Struct, frozen=True):
    """A vehicle wants its contract certificates.

    Attributes:
        station_id: through which station it asks.
        action: whether it has none yet.
        schema_version: the namespace of the messages in `exi`.
        exi: its request, in base64.
        most: how many contracts it takes; None in an ISO 15118-2 session, where there is one.
        preferred: the eMAIDs of those that it wants first.
    """

    station_id: str
    action: Literal["Install", "Update"]
    schema_version: str
    exi: str
    most: int | None = None
    preferred: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """What is the same when a vehicle asks for the next of its contracts."""
        return hashlib.sha256(f"{self.action} {self.schema_version} {self.exi}".encode()).hexdigest()


class Contract(msgspec.Struct, frozen=True):
    """A contract as a pool hands it out: the answer for the vehicle, in base64; the pool may not say whose it is."""

    exi: str
    emaid: str = ""


class Provided(msgspec.Struct, frozen=True):
    """What came of a request; without `exi` it failed, for `reason` (a code) and `why` (in words)."""

    exi: str = ""
    remaining: int | None = None
    reason: str = ""
    why: str = ""


def provided(request: CertificateRequest, contracts: Sequence[Contract], before: int, longest: int) -> Provided:
    """Return which contract a vehicle gets, and how many are left.

    One message carries one contract. A vehicle that wants more sends the same request again. What no message can carry
    is none of them.

    Args:
        request: what it asks.
        contracts: what the pool has for it.
        before: how many it got by the same request lately.
        longest: how many characters of a contract a message carries.

    Spec: OCPP 2.1 Get15118EVCertificateResponse.remainingContracts; ISO 15118-20 V2G20-1579
    """
    if not contracts:
        return Provided(reason=NOT_PROVIDED, why="the pool has no contract for this vehicle")
    fitting = [each for each in contracts if len(each.exi) <= longest]
    if not fitting:
        shortest = min(len(each.exi) for each in contracts)
        why = f"the pool's answer has {shortest} characters, and OCPP allows {longest}"
        return Provided(reason=TOO_LONG, why=why)
    if request.most is None:
        return Provided(fitting[0].exi)
    preferred = [contract_of(emaid) for emaid in request.preferred]
    ordered = sorted(fitting, key=lambda each: _rank(each, preferred))[: max(1, request.most)]
    index = before % len(ordered)
    return Provided(ordered[index].exi, remaining=len(ordered) - index - 1)


def _rank(contract: Contract, preferred: Sequence[str]) -> int:
    named = contract_of(contract.emaid)
    return preferred.index(named) if named in preferred else len(preferred)
