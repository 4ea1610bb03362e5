"""Owns the JSON of the HTTP API."""

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
import msgspec
from chargebus_events.registry import Rating, Registration, UnknownStations
from chargebus_ocppj import identities
from chargebus_ocppj.connectors import CONNECTOR_TYPES
from chargebus_ocppj.versions import Version
from chargebus_runtime.http import WHOLE, Input, WholeNumber
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from chargebus_device.statuses.domain import STATION, Place, Status, evse_status, station_status


def _identity(given: str) -> str:
    if (objection := identities.objection(given)) is not None:
        raise ValueError(objection)
    return given


# The pattern says most of it; what else is no character, no pattern can say.
StationId = Annotated[
    str,
    StringConstraints(max_length=identities.MAX_LENGTH, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$"),
    AfterValidator(_identity),
]
CHOSEN: Final = (
    "16 to 40 printable ASCII characters, or 8 to 40 bytes of any value as hexadecimal digits; "
    "left out, one is generated and shown once"
)
ChosenPassword = Annotated[str, StringConstraints(pattern=r"^([\x20-\x7e]{16,40}|([0-9a-fA-F]{2}){8,40})$")]
Name = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f]*$")]
LabelText = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f]*$")]
# pydantic's schema says what names may look like, not that there are no others.
Labels = Annotated[dict[LabelText, LabelText], Field(max_length=50, json_schema_extra={"additionalProperties": False})]


def _connector_type(given: str) -> str:
    if given and given not in CONNECTOR_TYPES:
        raise ValueError(f"must be one of {', '.join(CONNECTOR_TYPES)}, or empty")
    return given


ConnectorType = Annotated[
    str, AfterValidator(_connector_type), Field(json_schema_extra={"enum": ["", *CONNECTOR_TYPES]})
]


def _time_zone(given: str) -> str:
    if given:
        try:
            ZoneInfo(given)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as Europe
            raise ValueError("no such time zone: one such as Europe/Amsterdam") from None
    return given


TimeZone = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f]*$"), AfterValidator(_time_zone)]


CertificateIdentity = Annotated[
    str,
    StringConstraints(
        max_length=identities.MAX_LENGTH,
        pattern=r"^([^\x00-\x20\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f])?)?$",
    ),
]
# A serial number, or a SHA-256 fingerprint: hexadecimal digits, colons where somebody likes them.
CertificatePin = Annotated[str, StringConstraints(max_length=128, pattern=r"^[0-9A-Fa-f]+(:[0-9A-Fa-f]+)*$")]
CertificatePins = Annotated[list[CertificatePin], Field(max_length=10)]


class RatingIn(Input):
    """What an EVSE, or a connector of it, is built for: the least of what is said of it is what it can give."""

    evse_id: WholeNumber = Field(
        default=0, ge=0, le=100_000, description="0: all of the station's that nothing else is said of"
    )
    connector_id: WholeNumber = Field(default=0, ge=0, le=100_000, description="0: the EVSE as a whole")
    max_power_w: Annotated[float, Field(ge=100, le=100_000_000)] | None = None
    connector_type: ConnectorType = Field(default="", description="As OCPP 2.x names it; empty: not known")
    phases: Annotated[int, Field(ge=0, le=3), WHOLE] | None = Field(
        default=None, description="Phases that are connected; 0: direct current"
    )


Ratings = Annotated[list[RatingIn], Field(max_length=100)]


class StationIn(Input):
    """A station to register."""

    station_id: StationId = Field(description="The identity in the station's OCPP URL, decoded")
    password: ChosenPassword | None = Field(default=None, description=CHOSEN)
    registration: Registration = "accepted"
    versions: list[Version] = Field(default=[], description="OCPP versions it may speak; empty: any")
    security_profile: WholeNumber = Field(default=1, ge=0, le=3, description="The least that it may use")
    certificate_identity: CertificateIdentity = Field(
        default="", description="What its client certificate has to name (profile 3); empty: its `station_id`"
    )
    certificate_pins: CertificatePins = Field(
        default=[],
        description="SHA-256 fingerprints, in hexadecimal digits, of the client certificates that it may have, "
        "whatever they name, or serial numbers of such that name it; empty: any of a trusted authority that names it",
    )
    name: Name = ""
    labels: Labels = Field(default={})
    time_zone: TimeZone = Field(default="", description="Where it stands, by IANA name; empty: UTC")
    strict: bool = Field(default=False, description="Refuse what breaks its schema, and accept nothing of it as meant")
    ratings: Ratings = Field(
        default=[],
        description="What its EVSEs are built for: goes before what it reports itself; of two of a place the last",
    )


class StationsIn(Input):
    """Stations to register in one call; each stands for itself."""

    # An item that is no station is taken as it is: it gets its own result and does not spoil the others.
    stations: list[Annotated[StationIn | Any, Field(union_mode="left_to_right")]] = Field(min_length=1)


class ChangeIn(Input):
    """What to change of a station; what is left out, or null, stays."""

    registration: Registration | None = None
    versions: list[Version] | None = None
    name: Name | None = None
    labels: Labels | None = None
    time_zone: TimeZone | None = None
    strict: bool | None = None
    ratings: Ratings | None = None
    security_profile: Annotated[int, Field(ge=0, le=3), WHOLE] | None = Field(
        default=None, description="The least that it may use; a connection with a lower one is closed"
    )
    certificate_identity: CertificateIdentity | None = None
    certificate_pins: CertificatePins | None = None


class OnboardingIn(Input):
    """What becomes of stations that nobody registered."""

    unknown_stations: UnknownStations
    new_password: bool = Field(default=False, description="Replace the onboarding password by a new one")


class PasswordIn(Input):
    """A new password for a station; it stands beside the older ones until the station has used it."""

    password: ChosenPassword | None = Field(default=None, description=CHOSEN)
    older_valid_s: Annotated[float, Field(ge=0, le=366 * 24 * 3600)] | None = Field(
        default=None,
        description="How long the older ones stay valid at most. Left out: until the station uses the new one; 0: they "
        "end at once, and so does a connection that came in by one of them",
    )


class StationSecret(BaseModel):
    """A password, shown this once; null if the operator chose it."""

    station_id: str
    password: str | None


class BulkItem(BaseModel):
    """What became of one station of a bulk call, in the order of the request."""

    station_id: str | None
    result: Literal["created", "exists", "invalid"]
    password: str | None = Field(default=None, description="The generated password, shown this once")
    detail: str | None = None


class BulkOut(BaseModel):
    """What became of each station of a bulk call."""

    created: int
    exists: int
    invalid: int
    items: list[BulkItem]


class OnboardingOut(BaseModel):
    """The onboarding policy; `password` only in the answer to the call that generated it."""

    unknown_stations: UnknownStations
    updated_at: AwareDatetime | None = None
    password: str | None = None


class StatusOut(BaseModel):
    """The newest report of a place; `detail` is OCPP 1.6's finer status."""

    status: Status
    detail: str = ""
    error_code: str = ""
    info: str = ""
    vendor_id: str = ""
    vendor_error_code: str = ""
    reported_at: datetime


class ConnectorOut(StatusOut):
    """A connector."""

    connector_id: int


class EvseOut(BaseModel):
    """An EVSE: its status follows from its own report, if it made one, and its connectors'."""

    evse_id: int
    status: Status | None
    reported: StatusOut | None = None
    connectors: list[ConnectorOut]


class BootOut(BaseModel):
    """The newest boot: what the station said and what it was told."""

    at: datetime
    version: str
    registration: Registration
    reason: str
    vendor: str
    model: str
    serial_number: str
    firmware_version: str
    iccid: str
    imsi: str
    meter_serial_number: str


class ConnectionOut(BaseModel):
    """The newest connection; `changed_at` is when it opened or ended.

    `last_seen_at` is the newest sign of life that is known: a few minutes behind the station's messages at most.
    `deviations` tell what its opening request was forgiven.
    """

    connected: bool
    version: str = ""
    security_profile: int | None = None
    remote_address: str = ""
    deviations: list[str] = []
    changed_at: datetime | None = None
    last_seen_at: datetime | None = None


class PasswordOut(BaseModel):
    """How far a change of a station's password is."""

    changed_at: datetime | None = Field(description="When an operator last gave one, ended some or took some back")
    used_at: datetime | None = Field(description="When the station first came in with the newest; null: not yet")
    unused: int = Field(description="How many it was given that it has not used, beside the one that it has")
    older_until: datetime | None = Field(description="When the older ones end, whatever it has used; null: never")


class StationOut(BaseModel):
    """A station in a list; `status` follows from what its EVSEs and it itself reported."""

    station_id: str
    name: str
    labels: dict[str, str]
    time_zone: str
    registration: Registration
    versions: list[str]
    security_profile: int
    certificate_identity: str
    certificate_pins: list[str]
    strict: bool
    created_at: datetime
    updated_at: datetime
    status: Status | None
    connection: ConnectionOut
    boot: BootOut | None
    password_change: PasswordOut


class RatingOut(BaseModel):
    """What an EVSE (connector 0), or a connector of it, is built for; EVSE 0: all that nothing else is said of."""

    evse_id: int
    connector_id: int
    max_power_w: float | None
    connector_type: str
    phases: int | None


class StationDetail(StationOut):
    """A station with its EVSEs and connectors; `reported_ratings` are its own words, `ratings` go before them."""

    ratings: list[RatingOut]
    reported_ratings: list[RatingOut]
    reported: StatusOut | None
    evses: list[EvseOut]


class StationCreated(StationDetail):
    """A station just registered; `password` is the generated one, shown this once."""

    password: str | None


Rows = Sequence[asyncpg.Record]

_labels = msgspec.json.Decoder(dict[str, str]).decode
_read_ratings = msgspec.json.Decoder(tuple[Rating, ...]).decode


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
        ratings=_ratings(row["ratings"]),
        reported_ratings=_ratings(row["reported_ratings"]),
        reported=None if own is None else _status(own),
        evses=[
            _evse(evse_id, evse_status(evse_id, known), list(reports))
            for evse_id, reports in itertools.groupby(places, key=itemgetter("evse_id"))
        ],
    )


def ratings_of(given: Iterable[RatingIn]) -> tuple[Rating, ...]:
    """Return ratings as they are kept; of two of one place the last one counts."""
    ratings = {(each.evse_id, each.connector_id): Rating(**each.model_dump()) for each in given}
    return tuple(ratings[place] for place in sorted(ratings))


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
        "time_zone": row["time_zone"],
        "registration": row["registration"],
        "versions": row["versions"],
        "security_profile": row["security_profile"],
        "certificate_identity": row["certificate_identity"],
        "certificate_pins": row["certificate_pins"],
        "strict": row["strict"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "status": station_status(_known(statuses)),
        "connection": _connection(row),
        "boot": None if row["booted_at"] is None else _boot(row),
        "password_change": PasswordOut(
            changed_at=row["password_changed_at"],
            used_at=row["password_used_at"],
            unused=row["unused_passwords"],
            older_until=row["older_passwords_until"],
        ),
    }


def _ratings(stored: str) -> list[RatingOut]:
    return [RatingOut(**msgspec.structs.asdict(each)) for each in _read_ratings(stored)]


def _connection(row: asyncpg.Record) -> ConnectionOut:
    return ConnectionOut(
        connected=row["connected"],
        version=row["version"] or "",
        security_profile=row["used_security_profile"],
        remote_address=row["remote_address"] or "",
        deviations=row["deviations"] or [],
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
