"""Sessions as metering knows them: whose transaction a session is, and the register at its start."""

from datetime import datetime
from typing import Final

import msgspec

from chargebus_metering.domain.identity import Place
from chargebus_metering.domain.readings import Message, PlaceError, Sample, Samples, whole

METER_START_OUTSIDE_SAMPLES: Final = frozenset({"1.6"})
"""Versions whose transactions begin with a register value in a member of its own, not in a sampled value."""


class KnownSession(msgspec.Struct, frozen=True, kw_only=True):
    """What metering knows of a session."""

    session_id: str
    station_id: str
    transaction_id: str
    version: str
    evse_id: int = 0
    connector_id: int = 0
    started_at: datetime | None = None
    meter_start_wh: float | None = None
    missing: tuple[str, ...] = ()


def place_of(session: KnownSession) -> Place:
    """Return the place of a session's readings."""
    return Place(session.station_id, session.evse_id, session.connector_id, session.transaction_id)


def meter_start(session: KnownSession) -> Message | None:
    """Return the register reading of a session's start, if the station told it outside of sampled values.

    Only the event of the start is asked, which `session` sends whenever the start comes; the others repeat it.

    Spec: OCPP 1.6 section 4.8 and StartTransaction.req (meterStart in Wh)
    """
    if session.version not in METER_START_OUTSIDE_SAMPLES or "started" in session.missing:
        return None
    if session.started_at is None or session.meter_start_wh is None:
        return None
    register = Sample(f"{session.meter_start_wh:.15g}", unit="Wh", context="Transaction.Begin")
    return Message(place_of(session), (Samples(session.started_at.isoformat(), (register,)),))


def possible(evse_id: int, connector_id: int) -> tuple[int, int]:
    """Return a place as it was told, or 0 and 0 where it cannot be."""
    try:
        return whole(evse_id), whole(connector_id)
    except PlaceError:
        return 0, 0
