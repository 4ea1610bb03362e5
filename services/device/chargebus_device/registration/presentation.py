"""Turns rows into the JSON of the HTTP API."""

import itertools
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

import asyncpg
import msgspec

from chargebus_device.registration.resources import (
    BootOut,
    ConnectionOut,
    ConnectorOut,
    EvseOut,
    StationDetail,
    StationOut,
    StatusOut,
)
from chargebus_device.statuses.domain import STATION, Place, Status, evse_status, station_status

Rows = Sequence[asyncpg.Record]

_labels = msgspec.json.Decoder(dict[str, str]).decode


def station(row: asyncpg.Record, statuses: Rows) -> StationOut:
    """Return a station for a list; `statuses` are the reports of its places."""
    return StationOut(**_fields(row, statuses))


def detail(row: asyncpg.Record, statuses: Rows) -> StationDetail:
    """Return a station with its EVSEs; `statuses` are the reports of its places, in order."""
    known = _known(statuses)
    own = next((status for status in statuses if _place(status) == STATION), None)
    places = [status for status in statuses if status["evse_id"]]
    return StationDetail(
        **_fields(row, statuses),
        reported=None if own is None else _status(own),
        evses=[
            _evse(evse_id, evse_status(evse_id, known), list(reports))
            for evse_id, reports in itertools.groupby(places, key=itemgetter("evse_id"))
        ],
    )


def by_station(statuses: Iterable[asyncpg.Record]) -> dict[str, list[asyncpg.Record]]:
    """Group reports of places by station."""
    grouped: dict[str, list[asyncpg.Record]] = {}
    for status in statuses:
        grouped.setdefault(status["station_id"], []).append(status)
    return grouped


def _fields(row: asyncpg.Record, statuses: Rows) -> dict[str, Any]:
    return {
        "station_id": row["station_id"],
        "name": row["name"],
        "labels": _labels(row["labels"]),
        "registration": row["registration"],
        "versions": row["versions"],
        "security_profile": row["security_profile"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "status": station_status(_known(statuses)),
        "connection": _connection(row),
        "boot": None if row["booted_at"] is None else _boot(row),
    }


def _connection(row: asyncpg.Record) -> ConnectionOut:
    return ConnectionOut(
        connected=row["connected"],
        version=row["version"] or "",
        security_profile=row["used_security_profile"],
        remote_address=row["remote_address"] or "",
        changed_at=row["changed_at"],
        last_seen_at=row["last_seen_at"],
    )


def _boot(row: asyncpg.Record) -> BootOut:
    same = {name: row[name] for name in BootOut.model_fields if name in row}
    return BootOut(**same | {"at": row["booted_at"], "version": row["boot_version"], "registration": row["told"]})


def _evse(evse_id: int, status: Status | None, reports: Rows) -> EvseOut:
    own = next((report for report in reports if not report["connector_id"]), None)
    return EvseOut(
        evse_id=evse_id,
        status=status,
        reported=None if own is None else _status(own),
        connectors=[
            ConnectorOut(connector_id=report["connector_id"], **_report(report))
            for report in reports
            if report["connector_id"]
        ],
    )


def _status(row: asyncpg.Record) -> StatusOut:
    return StatusOut(**_report(row))


def _report(row: asyncpg.Record) -> dict[str, Any]:
    return {name: row[name] for name in StatusOut.model_fields}


def _place(row: asyncpg.Record) -> Place:
    return Place(row["evse_id"], row["connector_id"])


def _known(statuses: Rows) -> dict[Place, Status]:
    return {_place(row): row["status"] for row in statuses}
