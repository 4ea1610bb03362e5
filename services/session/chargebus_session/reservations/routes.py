"""The tables: what stations tell of reservations, and in which words each version is asked for one."""

from typing import Final

from chargebus_calls import Routes, Row
from chargebus_commanding import Form

from chargebus_session.reservations import v16, v201
from chargebus_session.reservations.block import StatusUpdates
from chargebus_session.reservations.domain.reservation import Reservation, StatusUpdate
from chargebus_session.tokens import v16 as tokens_v16
from chargebus_session.tokens import v21 as tokens_v21
from chargebus_session.tokens import v201 as tokens_v201

_UPDATE: Final[Row[StatusUpdate, None]] = Row(v201.status_update, StatusUpdates)

ROUTES: Final[Routes] = {("2.0.1", "ReservationStatusUpdate"): _UPDATE, ("2.1", "ReservationStatusUpdate"): _UPDATE}

_ALL: Final = ("1.6", "2.0.1", "2.1")
_LIMITS: Final = {"2.0.1": tokens_v201.ID_TOKEN_LIMIT, "2.1": tokens_v21.ID_TOKEN_LIMIT}


def reserve_forms(reservation: Reservation) -> tuple[Form, ...]:
    """Return the forms of a reservation: none for a version that has no words for it.

    OCPP 1.6 reserves no type of connector, and its tokens are shorter.
    """
    forms = [
        Form.of((version,), "ReserveNow", v201.reserve_now(reservation))
        for version, limit in _LIMITS.items()
        if len(reservation.id_token) <= limit
    ]
    is_short = max(len(reservation.id_token), len(reservation.group_id)) <= tokens_v16.ID_TAG_LIMIT
    if is_short and not reservation.connector_type:
        forms.append(Form.of(("1.6",), "ReserveNow", v16.reserve_now(reservation)))
    return tuple(forms)


def cancel_forms(reservation: Reservation) -> tuple[Form, ...]:
    """Return the form of a cancellation, which all versions share."""
    return (Form.of(_ALL, "CancelReservation", v16.cancel_reservation(reservation)),)
