"""OCPP 2.0.1: the message that reserves, and what stations tell of reservations; 2.1 says it in the same words."""

from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_session.payload import timestamp
from chargebus_session.reservations.domain.reservation import Reservation, StatusUpdate
from chargebus_session.tokens.v201 import CENTRAL


class _ReservationStatusUpdate(Payload, frozen=True):
    reservation_id: int
    reservation_update_status: str


_read_update = reader(_ReservationStatusUpdate)


def reserve_now(reservation: Reservation) -> dict[str, object]:
    """Return ReserveNow; a token without a type is one of ours.

    Spec: OCPP 2.0.1 H01 (no EVSE: any; connectorType: any with such a connector), H03 (groupIdToken)
    """
    group = {"idToken": reservation.group_id, "type": CENTRAL} if reservation.group_id else None
    return {
        "id": reservation.reservation_id,
        "expiryDateTime": timestamp(reservation.expires_at),
        "connectorType": reservation.connector_type or None,
        "idToken": {"idToken": reservation.id_token, "type": reservation.id_token_type or CENTRAL},
        "evseId": reservation.evse_id or None,
        "groupIdToken": group,
    }


def status_update(frame: Frame) -> StatusUpdate:
    """Read a ReservationStatusUpdate."""
    told = _read_update(frame.payload)
    return StatusUpdate(frame.station_id, told.reservation_id, clean(told.reservation_update_status))
