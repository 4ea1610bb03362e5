"""Whether a station's CSR is taken. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from chargebus_security.authorities.domain.profiles import BUILT_IN, COMBINED, STATION, Profile
from chargebus_security.authorities.domain.requests import (
    Expected,
    SigningRequest,
    UnreadableRequestError,
    misfit,
    read,
)

Named = Literal["station_id", "serial_number"]

INVALID: Final = "InvalidCSR"
NOT_ENABLED: Final = "NotEnabled"
NOT_REGISTERED: Final = "NotRegistered"
TOO_MANY: Final = "TooManyRequests"


@dataclass(frozen=True)
class Refusal:
    """Why a CSR is not taken: OCPP's code for it, and in words."""

    code: str
    why: str


@dataclass(frozen=True)
class Policy:
    """What is signed, by whom.

    Attributes:
        authorities: the name of the authority for each type; a type that is not there is not signed.
        named: what a common name has to be: the station's id, its serial number, or any of both. The serial number is
            what the station says itself; it counts where it is no other station's id or serial number.
        organization: what the organization has to be; empty: anything.
        valid: for how long certificates are, by type; authorities elsewhere have rules of their own.
        per_hour: how many CSRs of a station are taken.
        in_force: how many certificates of a station count at the same time.
    """

    authorities: Mapping[str, str]
    named: Collection[Named]
    organization: str
    station_valid: timedelta
    v2g_valid: timedelta
    per_hour: int
    in_force: int

    def profile(self, certificate_type: str) -> Profile:
        """Return what a certificate of a type is to be."""
        valid = self.station_valid if certificate_type in (STATION, COMBINED) else self.v2g_valid
        return Profile(certificate_type, valid)


def judge(policy: Policy, certificate_type: str, csr: str, names: Mapping[Named, str]) -> SigningRequest | Refusal:
    """Return a CSR that is taken, or why it is not; `names` are what the station is called."""
    if certificate_type not in policy.authorities:
        return Refusal(NOT_ENABLED, f"no authority signs {certificate_type or 'certificates for both uses'} here")
    try:
        request = read(csr)
    except UnreadableRequestError as error:
        return Refusal(INVALID, str(error))
    alone = policy.authorities[certificate_type] != BUILT_IN
    expected = Expected([names[each] for each in policy.named], policy.organization, alone)
    why = misfit(request, expected)
    return Refusal(INVALID, why) if why else request


def too_many(policy: Policy, requests: int, in_force: int) -> str:
    """Return why a station that has sent so many new CSRs within an hour gets no more; empty: it may."""
    if requests > policy.per_hour:
        return f"more than {policy.per_hour} requests within an hour"
    if in_force >= policy.in_force:
        return f"{in_force} certificates are in force: revoke those that are not used"
    return ""
