"""A limit that somebody else than the CSMS puts on the station: a local energy management system, a grid operator."""

from dataclasses import dataclass
from typing import Final

from chargebus_station.profiles import Period, Profile, RateUnit

FIRST_ID: Final = -1
"""External profiles have ids of their own, below those of the CSMS. Spec: OCPP 2.1 ChargingProfileType"""


@dataclass(frozen=True)
class ExternalLimit:
    """A limit in amperes on each phase, of the station (EVSE 0) or one EVSE.

    `source` is one of those of OCPP (EMS, SO, Other); `critical` says that the grid is in danger.
    """

    limit_a: float
    evse_id: int = 0
    source: str = "EMS"
    critical: bool = False

    @property
    def profile(self) -> Profile:
        """The profile by which it acts. Spec: OCPP 2.0.1 K11 to K14 (ChargingStationExternalConstraints)."""
        return Profile(
            id=FIRST_ID - self.evse_id,
            evse_id=self.evse_id,
            purpose="ChargingStationExternalConstraints",
            stack_level=0,
            kind="Absolute",
            unit=RateUnit.AMPERES,
            periods=(Period(0, self.limit_a),),
            source=self.source,
        )
