"""Session events as the domain sees them: whose transaction a session is, and the register at its start.

The start of an OCPP 1.6 transaction is read here and not from StartTransaction: only `session` gives it an id.
"""

from datetime import datetime

import msgspec

from chargebus_metering.domain.identity import Place
from chargebus_metering.domain.readings import Message, PlaceError, Sample, Samples, whole


class KnownSession(msgspec.Struct, frozen=True):
    """What metering reads of the public `Session`; the rest of the event is skipped, not decoded."""

    session_id: str
    station_id: str
    transaction_id: str
    version: str
    updated_at: datetime
    evse_id: int = 0
    connector_id: int = 0
    started_at: datetime | None = None
    meter_start_wh: float | None = None
    missing: tuple[str, ...] = ()


_session = msgspec.json.Decoder(KnownSession)

# Versions whose transactions begin with a register value in a member of its own, not in a sampled value.
_METER_START_OUTSIDE_SAMPLES = frozenset({"1.6"})


def read_session(payload: bytes) -> KnownSession:
    """Read the body of a session event; a place that cannot be (connector -1) is one that nobody has told."""
    session = _session.decode(payload)
    evse_id, connector_id = _possible(session.evse_id, session.connector_id)
    return msgspec.structs.replace(session, evse_id=evse_id, connector_id=connector_id)


def place_of(session: KnownSession) -> Place:
    """Return the place of a session's readings."""
    return Place(session.station_id, session.evse_id, session.connector_id, session.transaction_id)


def meter_start(session: KnownSession) -> Message | None:
    """Return the register reading of a session's start, if the station told it outside of sampled values.

    Only the event of the start is asked, which `session` sends whenever the start comes; the others repeat it.

    Spec: OCPP 1.6 section 4.8 and StartTransaction.req (meterStart in Wh)
    """
    if session.version not in _METER_START_OUTSIDE_SAMPLES or "started" in session.missing:
        return None
    if session.started_at is None or session.meter_start_wh is None:
        return None
    register = Sample(f"{session.meter_start_wh:.15g}", unit="Wh", context="Transaction.Begin")
    return Message(place_of(session), (Samples(session.started_at.isoformat(), (register,)),))


def _possible(evse_id: int, connector_id: int) -> tuple[int, int]:
    try:
        return whole(evse_id), whole(connector_id)
    except PlaceError:
        return 0, 0
