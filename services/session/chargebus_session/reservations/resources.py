"""The JSON of reservations over HTTP."""

from datetime import datetime
from typing import Annotated, Literal

from chargebus_runtime.http import WHOLE, Input, UtcDatetime
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from chargebus_session.reservations.domain.reservation import ANY_EVSE, Reservation
from chargebus_session.reservations.domain.room import Place, Wanted
from chargebus_session.resources import PLAIN, TokenText

StateName = Literal["asked", "reserved", "unknown", "refused", "used", "cancelled", "expired", "removed"]
Group = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=36, pattern=PLAIN)]
ConnectorType = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[\x21-\x7e]+$")]


class ReservationIn(Input):
    """Keep an EVSE, any with a connector of a type, or any at all, for a token, its group, or both."""

    station_id: Annotated[str, Field(min_length=1, max_length=255, pattern=PLAIN)]
    evse_id: Annotated[int, Field(ge=1, lt=2**31), WHOLE] | None = Field(
        default=None, description="Left out: any; of OCPP 1.6 it is the connector"
    )
    connector_type: ConnectorType | None = Field(
        default=None, description="As OCPP 2.x writes it, such as cCCS2; OCPP 1.6 cannot say it"
    )
    id_token: TokenText | None = Field(default=None, description="Left out: a token of the group stands for it")
    group_id: Group | None = Field(default=None, description="Whoever has a token of this group may use it, too")
    expires_at: UtcDatetime = Field(description="Until when", examples=["2035-01-01T12:00:00Z"])

    def wanted(self) -> Wanted:
        """Return it as the domain knows it."""
        place = Place(self.evse_id or ANY_EVSE, self.connector_type or "")
        return Wanted(self.station_id, place, self.id_token or "", self.group_id or "", self.expires_at)


def _for_somebody(wanted: ReservationIn) -> ReservationIn:
    if wanted.id_token is None and wanted.group_id is None:
        raise ValueError("say for whom: id_token, group_id, or both")
    return wanted


FittingReservation = Annotated[ReservationIn, AfterValidator(_for_somebody)]


class ReservationOut(BaseModel):
    """A reservation, in the state that it came to at `changed_at`.

    `reason` says why, as a word: what the station answered (Occupied, Faulted, Unavailable, Rejected, Accepted), what
    it told by itself (Expired, Removed, NoTransaction), an error's code, or undeliverable, expired and timed_out of a
    command, boot, time, operator, token_refused, no_answer, station_removed; of a use by what it was told:
    reservation_id, id_token, group_id.
    """

    reservation_id: int
    station_id: str
    evse_id: int | None = Field(description="null: any")
    connector_type: str | None = Field(description="null: any")
    id_token: str
    group_id: str | None = Field(description="null: for the token alone")
    expires_at: datetime
    state: StateName
    reason: str
    detail: str
    created_at: datetime
    changed_at: datetime
    reserved_at: datetime | None = Field(description="When the station last said yes")
    cancelling: bool = Field(description="It is to be cancelled, and its station has not said so yet")
    set_anew: int = Field(description="How often its station was told it again and took it: after a boot, or silence")
    session_id: str | None = Field(description="The session that used it")
    command_id: str = Field(description="The newest command about it, at /v1/commands")

    @classmethod
    def of(cls, reservation: Reservation) -> "ReservationOut":
        """Return a reservation as callers see it."""
        return cls(
            reservation_id=reservation.reservation_id,
            station_id=reservation.station_id,
            evse_id=reservation.evse_id or None,
            connector_type=reservation.connector_type or None,
            id_token=reservation.id_token,
            group_id=reservation.group_id or None,
            expires_at=reservation.expires_at,
            state=reservation.state,
            reason=reservation.reason,
            detail=reservation.detail,
            created_at=reservation.created_at,
            changed_at=reservation.changed_at,
            reserved_at=reservation.reserved_at,
            cancelling=reservation.is_open and bool(reservation.cancel_reason),
            set_anew=reservation.set_anew,
            session_id=reservation.session_id or None,
            command_id=reservation.command_id,
        )


class ReservedEvse(BaseModel):
    """An EVSE that a station told of."""

    evse_id: int
    connector_types: list[str] = Field(description="In lower case, as far as somebody says them")
    statuses: list[str] = Field(description="What its connectors said last, in OCPP 2.x's words")
    reservation_id: int | None = Field(description="The reservation that keeps this very EVSE")


class StationReservations(BaseModel):
    """What is reserved at a station now, beside its EVSEs."""

    station_id: str
    evses: list[ReservedEvse]
    reservations: list[ReservationOut] = Field(description="All that are open: asked, reserved, unknown")
