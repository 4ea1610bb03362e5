"""OCPP 1.6: the messages that reserve and cancel; an EVSE is the connector of its number."""

from chargebus_session.payload import timestamp
from chargebus_session.reservations.domain.reservation import Reservation


def reserve_now(reservation: Reservation) -> dict[str, object]:
    """Return ReserveNow; connector 0 is any (a station takes it where ReserveConnectorZeroSupported is true).

    Spec: OCPP 1.6 5.13, 6.43
    """
    return {
        "connectorId": reservation.evse_id,
        "expiryDate": timestamp(reservation.expires_at),
        "idTag": reservation.id_token,
        "parentIdTag": reservation.group_id or None,
        "reservationId": reservation.reservation_id,
    }


def cancel_reservation(reservation: Reservation) -> dict[str, object]:
    """Return CancelReservation, which is the same in all versions.

    Spec: OCPP 1.6 5.1; OCPP 2.0.1 H02
    """
    return {"reservationId": reservation.reservation_id}
