"""What a station decides about a command of the CSMS, whatever the version says it in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_station.effects import (
    Effect,
    FirmwareOrder,
    LimitsChanged,
    LogOrder,
    Message,
    Reboot,
    RefreshStatus,
    Reply,
    StartCharge,
    StopCharge,
    status,
)
from chargebus_station.firmware_image import certificate_of
from chargebus_station.profile_rules import Capabilities, Refusal, refusal
from chargebus_station.profiles import CSO, Profile, RateUnit
from chargebus_station.registration import Status
from chargebus_station.state import Evse, Operability, Reservation, StationState
from chargebus_station.transaction import IdToken, StopCause, StopReason, Trigger
from chargebus_station.transaction_queue import TransactionQueue
from chargebus_station.transfers import Way

COMPOSITE_REACH_S: Final = 7 * 24 * 3600
MAX_PERIODS: Final = 24


class ListUpdate(StrEnum):
    """How a local list is sent. Spec: OCPP 2.0.1 UpdateEnumType."""

    FULL = "Full"
    DIFFERENTIAL = "Differential"


@dataclass(frozen=True)
class CommandDecider:
    """Where commands are decided: the station's state at one moment."""

    state: StationState
    queue: TransactionQueue
    registered: Status
    now: datetime

    def evses(self, evse_id: int) -> list[Evse]:
        """Return the EVSE of this number, all of them for 0, none for an unknown one."""
        if evse_id == 0:
            return list(self.state.evses.values())
        evse = self.state.evses.get(evse_id)
        return [] if evse is None else [evse]

    def start(
        self,
        evse_id: int | None,
        token: IdToken,
        group: str = "",
        remote_start_id: int | None = None,
        profile: Profile | None = None,
    ) -> Reply:
        """Start a charge from afar, on this EVSE or on the first one that can, under a profile if one comes along.

        Spec: OCPP 1.6 5.11; OCPP 2.0.1 B02.FR.05, F01.FR.08 to FR.11, F01.FR.20 to FR.26, F02.FR.01, K05.FR.01
        """
        if self.registered is not Status.ACCEPTED or (profile is not None and profile.purpose != "TxProfile"):
            return status("Rejected")
        for evse in self.evses(evse_id or 0):
            reservation = self.state.reserved_for(evse.id, self.now)
            reserved = reservation is not None and not _serves(reservation, token.text, group)
            if (evse.free or evse.awaits_token) and not reserved:
                payload: dict[str, object] = {"status": "Accepted"}
                if evse.transaction is not None:
                    payload["transactionId"] = evse.transaction.transaction_id
                if profile is not None:
                    self.state.profiles.install(replace(profile, evse_id=evse.id), self.now)
                return Reply(payload, (StartCharge(evse.id, token, remote_start_id),))
        return status("Rejected")

    def stop(self, transaction_id: str) -> Reply:
        """Stop a transaction from afar. Spec: OCPP 1.6 5.12; OCPP 2.0.1 B02.FR.05, F03.FR.07, F03.FR.08."""
        evse = self.state.transaction(transaction_id)
        if evse is None or self.registered is not Status.ACCEPTED:
            return status("Rejected")
        return status("Accepted", StopCharge(evse.id, StopCause(Trigger.REMOTE_STOP, StopReason.REMOTE)))

    def change_availability(self, evse_id: int, operability: Operability) -> Reply:
        """Put EVSEs out of service or back; one that charges follows when it is done.

        Spec: OCPP 1.6 5.2; OCPP 2.0.1 G03.FR.03 to FR.05, G04.FR.04 to FR.06
        """
        evses = self.evses(evse_id)
        if not evses:
            return status("Rejected")
        for evse in evses:
            evse.operability = operability
        if operability is Operability.INOPERATIVE and any(evse.transaction is not None for evse in evses):
            return status("Scheduled", RefreshStatus())
        return status("Accepted", RefreshStatus())

    def reset_at_once(self, reason: StopReason) -> Reply:
        """Restart now, transactions or not. Spec: OCPP 1.6 5.14; OCPP 2.0.1 B12.FR.04."""
        return status("Accepted", Reboot(reason))

    def reset_when_idle(self) -> Reply:
        """Restart when nobody charges any more. Spec: OCPP 2.0.1 B12.FR.03."""
        busy = any(evse.transaction is not None for evse in self.state.evses.values())
        return status("Scheduled" if busy else "Accepted", Reboot(None))

    def reset_evse(self, evse_id: int, reason: StopReason | None) -> Reply:
        """Restart one EVSE: at once for a reason, or when it is idle.

        Spec: OCPP 2.0.1 B11.FR.08, B12.FR.07, B12.FR.08
        """
        evse = self.state.evses.get(evse_id)
        if evse is None:
            return status("Rejected")
        if evse.transaction is None:
            return status("Accepted", RefreshStatus())
        if reason is None:
            return status("Scheduled", RefreshStatus())
        return status("Accepted", StopCharge(evse_id, StopCause(Trigger.RESET_COMMAND, reason)))

    def reserve(self, reservation: Reservation) -> Reply:
        """Keep an EVSE for a driver. Spec: OCPP 1.6 5.13; OCPP 2.0.1 H01.FR.04 to FR.18."""
        evse = self.state.evses.get(reservation.evse_id)
        if evse is None:
            return status("Rejected")
        other = self.state.reserved_for(evse.id, self.now)
        refusal = self._unreservable(evse)
        if refusal is None and other is not None and other.id != reservation.id:
            refusal = "Occupied"
        if refusal is not None:
            return status(refusal)
        self.state.reservations[reservation.id] = reservation
        return status("Accepted", RefreshStatus())

    def _unreservable(self, evse: Evse) -> str | None:
        if evse.faulted:
            return "Faulted"
        if evse.operability is Operability.INOPERATIVE:
            return "Unavailable"
        return "Occupied" if evse.occupied else None

    def cancel_reservation(self, reservation_id: int) -> Reply:
        """Give a reserved EVSE back. Spec: OCPP 1.6 5.1; OCPP 2.0.1 H02.FR.01, H02.FR.02."""
        if self.state.reservations.pop(reservation_id, None) is None:
            return status("Rejected")
        return status("Accepted", RefreshStatus())

    def update_local_list(self, kind: ListUpdate, version: int, entries: Mapping[str, str | None]) -> Reply:
        """Replace or change the local list; a token without a status is taken off it.

        Spec: OCPP 1.6 5.15; OCPP 2.0.1 D01.FR.04 to FR.17
        """
        if kind is ListUpdate.DIFFERENTIAL and version <= self.state.local_list_version:
            return status("VersionMismatch")
        if kind is ListUpdate.FULL:
            self.state.local_list.clear()
        for token, word in entries.items():
            if word is None:
                self.state.local_list.pop(token, None)
            else:
                self.state.local_list[token] = word
        self.state.local_list_version = version
        return status("Accepted")

    def unlock(self, evse_id: int) -> tuple[Effect, ...]:
        """Return what follows from unlocking a connector. Spec: OCPP 1.6 5.18."""
        cause = StopCause(Trigger.UNLOCK_COMMAND, StopReason.UNLOCK_COMMAND)
        return (StopCharge(evse_id, cause),) if self.state.evses[evse_id].occupied else ()

    def update_firmware(self, payload: Mapping[str, Any], tells_by: str) -> Reply:
        """Install firmware; what is loaded for another order is given up, what is being installed is not.

        Spec: OCPP 2.0.1 L01.FR.12, L01.FR.21 to FR.24; OCPP 1.6 security white paper, SignedUpdateFirmware
        """
        known, firmware = self.state.firmware, payload["firmware"]
        if known.installing:
            return status("Rejected")
        pem = firmware.get("signingCertificate", "")
        if pem:
            certificate = certificate_of(pem)
            # Simulated time lies behind that of whoever made it: only its end can be told.
            if certificate is None or self.now > certificate.not_valid_after_utc:
                return status("InvalidCertificate")
        order = FirmwareOrder(
            location=firmware["location"],
            tells_by=tells_by,
            request_id=payload["requestId"],
            retrieve_at=parse_timestamp(firmware["retrieveDateTime"]),
            install_at=_instant(firmware.get("installDateTime")),
            certificate=pem,
            signature=firmware.get("signature", ""),
            retries=payload.get("retries", 0),
            retry_interval_s=payload.get("retryInterval", 30),
        )
        return status("Accepted" if known.order is None else "AcceptedCanceled", order)

    def send_log(self, payload: Mapping[str, Any], way: Way) -> Reply:
        """Send a log; one that is on its way is given up. Spec: OCPP 2.0.1 N01.FR.12; OCPP 1.6 security white paper."""
        name = f"{self.state.station_id}.log"[:255]
        order = LogOrder(
            location=payload["log"]["remoteLocation"],
            name=name,
            kind=payload["logType"],
            action="GetLog",
            tells_by="LogStatusNotification",
            way=way,
            request_id=payload["requestId"],
            retries=payload.get("retries", 0),
            retry_interval_s=payload.get("retryInterval", 30),
        )
        running = self.state.log_upload.order
        word = "Accepted" if running is None else "AcceptedCanceled"
        return Reply({"status": word, "filename": name}, (order,))

    def what_goes_on(self, action: str) -> Message:
        """Return the status of an update or of a log's upload as it is now. Spec: OCPP 2.0.1 F06.FR.05, F06.FR.16."""
        doing = self.state.firmware if action == "FirmwareStatusNotification" else self.state.log_upload
        if doing.order is None or doing.status == "Idle":
            return Message(action, {"status": "Idle"})
        number = {} if doing.order.request_id is None else {"requestId": doing.order.request_id}
        return Message(doing.order.tells_by, {"status": doing.status, **number})

    def set_profile(self, profile: Profile, able: Capabilities) -> Refusal | None:
        """Install a charging profile, or return why not."""
        held = self.state.profiles.held
        refused = refusal(profile, able, held, self.state.evses.get(profile.evse_id))
        if refused is None:
            self.state.profiles.install(profile, self.now)
        return refused

    def clear_profiles(self, wanted: Callable[[Profile], bool]) -> Reply:
        """Remove those that are wanted of the CSMS's own profiles. Spec: OCPP 1.6 5.5; OCPP 2.0.1 K10."""
        cleared = self.state.profiles.clear(lambda profile: profile.source == CSO and wanted(profile), self.now)
        return status("Accepted", LimitsChanged()) if cleared else status("Unknown")

    def composite(self, evse_id: int, duration_s: int, unit: RateUnit) -> list[tuple[int, float]]:
        """Return (start in seconds, limit) of the coming time, in W or A, from the EVSE or all of them (0).

        Spec: OCPP 2.0.1 K08.FR.02 to FR.06; OCPP 1.6 5.7
        """
        evses = self.evses(evse_id)
        until = self.now + timedelta(seconds=min(duration_s, COMPOSITE_REACH_S))
        instants = {
            at for evse in evses for at in self.state.profiles.changes(self.state.moment(evse, self.now), until)
        }
        periods: list[tuple[int, float]] = []
        for at in (self.now, *sorted(instants)):
            limit = round(sum(self._capped(evse, at, unit) for evse in evses), 1)
            if not periods or periods[-1][1] != limit:
                periods.append((round((at - self.now).total_seconds()), limit))
        return periods[:MAX_PERIODS]

    def _capped(self, evse: Evse, at: datetime, unit: RateUnit) -> float:
        limit, most_w = self.state.limit(evse, at), evse.outlet.max_power_w
        if unit is RateUnit.WATTS:
            return min(limit.watts(evse.outlet), most_w)
        return min(limit.amperes(evse.outlet), evse.outlet.amperes(most_w))


def _serves(reservation: Reservation, token: str, group: str) -> bool:
    return token == reservation.token or (group != "" and group == reservation.group)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_timestamp(text)
