"""The JSON of roots on stations over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from chargebus_commanding import Asked, Outcome
from chargebus_runtime.http import Input, WholeNumber
from pydantic import BaseModel, ConfigDict, Field

from chargebus_security.inventory.domain.certificate import RootType
from chargebus_security.inventory.domain.hashes import HashAlgorithm
from chargebus_security.trust.domain.policy import Others, Policy, Selector
from chargebus_security.trust.domain.station import Entry, Facts, TrustStation, Verdict

_NO_NUL = r"^[^\x00]*$"
_StationId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
_Type = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,50}$")]
_Label = Annotated[str, Field(max_length=255, pattern=_NO_NUL)]
CertificateIdIn = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="From /v1/certificates")]
_NOBODY = UUID(int=0)


class SelectorIn(Input):
    """Which stations are meant: those of which all of it is true; if nothing is said, every station."""

    station_ids: Annotated[list[_StationId], Field(default_factory=list, max_length=10_000)]
    labels: Annotated[dict[_Label, _Label], Field(default_factory=dict, max_length=20)]
    vendor: str = Field(default="", max_length=255, pattern=_NO_NUL)
    model: str = Field(default="", max_length=255, pattern=_NO_NUL)


class PolicyIn(Input):
    """The roots of one type that some stations are to have."""

    name: str = Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")
    certificate_type: RootType
    certificate_ids: Annotated[list[CertificateIdIn], Field(max_length=20)]
    stations: SelectorIn = Field(default_factory=lambda: SelectorIn.model_validate({}))
    priority: WholeNumber = Field(default=0, ge=-1000, le=1000, description="Of those that mean a station, the highest")
    others: Others = Field(default="keep", description="What becomes of roots of the type that it does not name")

    def policy(self) -> Policy:
        """Return it as the domain knows it, without an id."""
        meant = self.stations
        stations = Selector(tuple(dict.fromkeys(meant.station_ids)), meant.labels, meant.vendor, meant.model)
        return Policy(
            policy_id=_NOBODY,
            name=self.name,
            certificate_type=self.certificate_type,
            certificate_ids=tuple(dict.fromkeys(self.certificate_ids)),
            stations=stations,
            priority=self.priority,
            others=self.others,
            created_at=datetime.min.replace(tzinfo=UTC),
        )


class SelectorOut(BaseModel):
    """Which stations are meant."""

    model_config = ConfigDict(from_attributes=True)

    station_ids: list[str]
    labels: dict[str, str]
    vendor: str
    model: str


class PolicyOut(BaseModel):
    """The roots of one type that some stations are to have."""

    model_config = ConfigDict(from_attributes=True)

    policy_id: UUID
    name: str
    certificate_type: str
    certificate_ids: list[str]
    stations: SelectorOut
    priority: int
    others: Others
    created_at: datetime


class TrustStationOut(BaseModel):
    """A station as the certificates on it go."""

    model_config = ConfigDict(from_attributes=True)

    station_id: str
    drift: int = Field(description="How many roots it lacks, or has though they are not wanted")
    asking: str = Field(description="What it is being asked: report, install, delete; empty: nothing")
    reported_at: datetime | None = Field(description="When it told last what it has")
    report_at: datetime | None = Field(description="When it is asked next")
    is_able: bool = Field(description="Whether it knows the messages; it is tried again after a boot")
    detail: str = Field(description="Why it did not tell")


class NamedOut(BaseModel):
    """A certificate as a station names it."""

    model_config = ConfigDict(from_attributes=True)

    hash_algorithm: HashAlgorithm
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


class ChangeOut(BaseModel):
    """What was tried to change, and what came of it last."""

    model_config = ConfigDict(from_attributes=True)

    what: str
    outcome: str = Field(description="asked, accepted (and not seen yet), refused")
    told: str = Field(description="The station's own word, or why there is none")
    tries: int
    changed_at: datetime
    retry_at: datetime | None


class EntryOut(BaseModel):
    """A certificate that a station has, or is to have, under a type."""

    certificate_type: str
    certificate_id: str
    verdict: Verdict = Field(
        description="as wanted; missing (it is installed); not wanted (it is deleted); kept (not wanted, and it must "
        "stay); other (nobody's business)"
    )
    reason: str
    subject: str = Field(description="Empty: only stations know it")
    not_after: datetime | None
    named: NamedOut | None = Field(description="As the station names it; null: it does not have it")
    children: list[NamedOut] = Field(description="What is below it in its chain")
    change: ChangeOut | None

    @classmethod
    def of(cls, entry: Entry, facts: Facts) -> "EntryOut":
        """Return an entry as callers see it."""
        has = entry.installed
        known = facts.by_id.get(entry.certificate_id) if has is None else facts.named.get(has.hash_key)
        children: Any = () if has is None else has.children
        return cls(
            certificate_type=entry.certificate_type,
            certificate_id=entry.certificate_id,
            verdict=entry.verdict,
            reason=entry.reason,
            subject="" if known is None else known.subject,
            not_after=None if known is None else known.not_after,
            named=None if has is None else NamedOut.model_validate(has.named),
            children=[NamedOut.model_validate(each) for each in children],
            change=None if entry.change is None else ChangeOut.model_validate(entry.change),
        )


class StationCertificatesOut(TrustStationOut):
    """What a station has beside what it is to have."""

    items: list[EntryOut]

    @classmethod
    def of(cls, station: TrustStation, entries: list[Entry], facts: Facts) -> "StationCertificatesOut":
        """Return a station as callers see it."""
        shown = TrustStationOut.model_validate(station).model_dump()
        return cls(**shown, items=[EntryOut.of(each, facts) for each in entries])


class HolderOut(BaseModel):
    """A station that has a certificate."""

    station_id: str
    certificate_type: str
    reported_at: datetime


class WaitIn(Input):
    """How long a station, and its answer, are waited for."""

    wait: bool = Field(default=False, description="Answer when the station has, not at once")
    ttl_s: float = Field(default=10.0, ge=0, le=60, description="How long it may wait for the station")


class ReportIn(WaitIn):
    """Ask a station what it has: of these types, or of all."""

    certificate_types: Annotated[list[_Type], Field(default_factory=list, max_length=10)]


class InstallIn(WaitIn):
    """Have a station install a root."""

    certificate_type: RootType
    certificate_id: CertificateIdIn


class AskedOut(BaseModel):
    """A command that a station was asked, and what came of it."""

    command_id: str
    station_id: str
    outcome: str | None = Field(
        description="null: it is on its way; answered, refused, timed_out, undeliverable, expired"
    )
    status: str | None = Field(description="The station's own word")
    reason: str | None

    @classmethod
    def of(cls, asked: Asked, ended: Outcome | None) -> "AskedOut":
        """Return a command as callers see it."""
        return cls(
            command_id=asked.command_id,
            station_id=asked.station_id,
            outcome=ended.name if ended else None,
            status=ended.status or None if ended else None,
            reason=ended.why or None if ended else None,
        )


class ReportsOut(BaseModel):
    """The commands that ask a station what it has: one, or in OCPP 1.6 one for each type."""

    items: list[AskedOut]
