"""Which roots which stations are to have: policies, and which of them counts. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from chargebus_security.inventory.domain.certificate import RootType
from chargebus_security.stations.domain import Station

Others = Literal["keep", "delete"]


class Selector(msgspec.Struct, frozen=True):
    """Which stations are meant: those of which all of it is true; if all of it is empty, every station."""

    station_ids: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    vendor: str = ""
    model: str = ""

    def fits(self, station: Station) -> bool:
        """Tell whether a station is meant."""
        make, labels = station.make, station.described.labels
        return (
            (not self.station_ids or station.station_id in self.station_ids)
            and (not self.vendor or self.vendor == make.vendor)
            and (not self.model or self.model == make.model)
            and all(labels.get(name) == value for name, value in self.labels.items())
        )

    @property
    def narrowness(self) -> tuple[bool, int]:
        """What is greater the fewer stations are meant: named ones, then those of more conditions."""
        return bool(self.station_ids), len(self.labels) + bool(self.vendor) + bool(self.model)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The roots of one type that some stations are to have.

    Of the policies for a type that mean a station, one counts: that of the highest priority, then the narrowest, then
    the oldest. `others`: what becomes of roots of the type that it does not name.
    """

    policy_id: UUID
    name: str
    certificate_type: RootType
    certificate_ids: tuple[str, ...]
    stations: Selector = Selector()
    priority: int = 0
    others: Others = "keep"
    created_at: datetime


def wanted(policies: Iterable[Policy], station: Station) -> Mapping[RootType, Policy]:
    """Return the policy that counts for each type; types without one are nobody's business."""
    found: dict[RootType, Policy] = {}
    for policy in sorted(policies, key=_rank):
        if policy.stations.fits(station):
            found[policy.certificate_type] = policy
    return found


def _rank(policy: Policy) -> tuple[int, tuple[bool, int], float, str]:
    """Return what is greatest of the one that counts."""
    return policy.priority, policy.stations.narrowness, -policy.created_at.timestamp(), str(policy.policy_id)
