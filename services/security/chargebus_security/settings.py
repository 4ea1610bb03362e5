"""What an operator may change of security."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

AuthorityName = Literal["", "built-in", "est"]
Named = Literal["station_id", "serial_number"]


class EstSettings(ServiceSettings):
    """An authority elsewhere that speaks EST: `SECURITY_EST_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="SECURITY_EST_", extra="ignore", frozen=True)

    url: str = Field(
        default="", description="an EST server, such as `https://est.example.com/.well-known/est`, with its label"
    )
    v2g_url: str = Field(default="", description="where it signs what is used towards vehicles; empty: at the same")
    username: str = Field(default="", description="who one is there, where it asks for a password")
    password: SecretStr = Field(default=SecretStr(""), description="the password for that")
    ca: Path | None = Field(
        default=None, description="a PEM file of the authorities that its own certificate may come from"
    )
    certificate: Path | None = Field(default=None, description="a PEM file with a client certificate and its chain")
    key: Path | None = Field(default=None, description="a PEM file with the key of that")
    timeout_s: float = Field(default=30.0, gt=0, le=300, description="how long it may take to answer")

    @field_validator("url", "v2g_url")
    @classmethod
    def _is_https(cls, url: str) -> str:
        if url and not url.startswith("https://"):
            raise ValueError("it begins with https://: RFC 7030 knows nothing else")
        return url

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("SECURITY_EST_CERTIFICATE and SECURITY_EST_KEY go together")
        return self


class HsmSettings(ServiceSettings):
    """The hardware security module that has the built-in authority's key: `SECURITY_HSM_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="SECURITY_HSM_", extra="ignore", frozen=True)

    module: Path | None = Field(
        default=None,
        description="the PKCS#11 library of the hardware security module that has the built-in authority's key; empty: "
        "the key is in a file",
    )
    token: str = Field(default="", description="the label of the token there")
    key: str = Field(default="chargebus-issuing", min_length=1, description="the label of the key in it")
    pin: SecretStr = Field(default=SecretStr(""), description="the PIN of the token")
    pin_file: Path | None = Field(
        default=None, description="a file with the PIN instead, which may change while the service runs"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.module is None:
            return self
        if not self.token:
            raise ValueError("SECURITY_HSM_TOKEN says which token of SECURITY_HSM_MODULE has the key")
        if bool(self.pin.get_secret_value()) == (self.pin_file is not None):
            raise ValueError("a token needs SECURITY_HSM_PIN or SECURITY_HSM_PIN_FILE, one of the two")
        return self


class SigningSettings(ServiceSettings):
    """Who signs for stations, and what: `SECURITY_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="SECURITY_", extra="ignore", frozen=True)

    station_authority: AuthorityName = Field(
        default="", description="who signs stations' certificates: `built-in` or `est`; empty: nobody"
    )
    v2g_authority: AuthorityName = Field(
        default="", description="who signs what stations use towards vehicles: `built-in` or `est`; empty: nobody"
    )
    ca_folder: Path = Field(
        default=Path("/var/lib/chargebus/ca"),
        description="the folder of the built-in authority's key and certificates, which are made where there are none",
    )
    ca_organization: str = Field(
        default="Chargebus", min_length=1, max_length=64, description="whose authority is made there"
    )
    pki_url: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        description="how everybody reaches `/pki` here, such as `http://csms.example.com/pki`: certificates of the "
        "built-in authority name it for its revocation list and OCSP",
    )
    csr_names: Annotated[tuple[Named, ...], NoDecode] = Field(
        default=("station_id",),
        min_length=1,
        description="what the common name of a station's request has to be: `station_id`, `serial_number` (what the "
        "station says itself, if no other has that for id or serial number), or one of both, with a comma between",
    )
    csr_organization: str = Field(default="", description="what its organization has to be; empty: anything")
    certificate_days: float = Field(
        default=365.0, gt=0, le=3650, description="how many days stations' certificates of the built-in authority last"
    )
    v2g_certificate_days: float = Field(
        default=90.0, gt=0, le=3650, description="how many days those last that are used towards vehicles"
    )
    renew_before_days: float = Field(
        default=30.0, gt=0, description="how many days before its end a station is asked to renew a certificate"
    )
    renewals_per_minute: int = Field(default=60, ge=1, le=6000, description="how many stations are asked to")
    requests_per_hour: int = Field(
        default=20, ge=1, description="how many new requests of a station are taken in an hour"
    )
    certificates_per_station: int = Field(
        default=100, ge=1, description="how many certificates of a station, neither ended nor revoked, there may be"
    )
    request_wait_h: float = Field(
        default=24.0, gt=0, description="how many hours an authority or an absent station is waited for"
    )
    chain_limit: int = Field(
        default=10000, ge=1000, le=10000, description="how many characters of a chain stations take"
    )
    sign_every_s: float = Field(default=0.5, gt=0, description="how often requests are looked for")

    @field_validator("csr_names", mode="before")
    @classmethod
    def _names(cls, names: Any) -> Any:  # noqa: ANN401 - whatever the environment has
        return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else names


_ENVIRONMENT: Final = SettingsConfigDict(env_prefix="SECURITY_", extra="ignore", frozen=True)


class StatusSettings(ServiceSettings):
    """How the status of certificates is asked for stations."""

    model_config = _ENVIRONMENT

    status_within_s: float = Field(
        default=10.0, gt=0, le=60, description="how long a responder, or a list of revoked certificates, may take"
    )
    status_at_once: int = Field(
        default=64, ge=1, le=1000, description="how many of them a process asks at the same time"
    )
    status_keep_s: float = Field(
        default=3600.0, gt=0, le=604_800, description="how long an answer counts that does not say how long itself"
    )
    status_allowed_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description='JSON list of networks that are not public, and are asked all the same: ["10.1.0.0/16"]',
    )


class ContractSettings(ServiceSettings):
    """Where vehicles' contracts come from, and how they are checked."""

    model_config = _ENVIRONMENT

    contracts_pool: Literal["", "http", "test"] = Field(
        default="",
        description="where vehicles' contract certificates come from: `http` (a pool of the market), `test` (one for "
        "trials with virtual vehicles); empty: from nowhere",
    )
    contracts_url: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        description="where that pool is, such as `https://open.plugncharge.example.com`: `/v1/ccp/signedContractData` "
        "is added",
    )
    contracts_token: SecretStr = Field(default=SecretStr(""), description="the bearer token that is shown there")
    contracts_token_url: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        description="where such tokens are given for the id and secret of a client (OAuth 2); empty: the one above is",
    )
    contracts_client_id: str = Field(default="", description="the id of that client")
    contracts_client_secret: SecretStr = Field(default=SecretStr(""), description="its secret")
    contracts_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description='JSON list of networks that are not public where the pool may be: ["10.1.0.0/16"]'
    )
    contracts_within_s: float = Field(
        default=30.0, gt=0, le=100, description="how long a vehicle may be kept waiting for the pool"
    )
    contracts_at_once: int = Field(
        default=16, ge=1, le=1000, description="how many requests a process has under way there at the same time"
    )
    contracts_per_hour: int = Field(
        default=30, ge=1, description="how many requests of a station are taken in an hour; others fail at once"
    )
    contracts_local: bool = Field(
        default=True,
        description="stations' own validation of a contract's chain counts, of which they tell by hashes only (local "
        "validation); false: they have to show the chain",
    )
    contracts_uncertified: bool = Field(
        default=False,
        description="an eMAID counts in Authorize of which neither a chain nor hashes are shown: the station's word "
        "alone; false: it is refused",
    )
    contracts_away: Literal["refuse", "accept"] = Field(
        default="refuse",
        description="what becomes of a contract certificate of which nobody says now whether it is revoked: "
        "`refuse` or `accept`",
    )
    contracts_check_within_s: float = Field(
        default=5.0, gt=0, le=30, description="how long responders may take while a driver waits"
    )
    contracts_test_vehicles: dict[str, str] = Field(
        default_factory=dict,
        description="JSON object of the vehicles that `test` knows: ids of provisioning certificates, each with its "
        'eMAID: {"WMIV1234567890ABCD": "DE8AAC123456780"}',
    )

    @model_validator(mode="after")
    def _has_pool(self) -> Self:
        if self.contracts_pool == "http" and not self.contracts_url:
            raise ValueError("where the pool is `http`, SECURITY_CONTRACTS_URL says where it is")
        return self


class TrustSettings(ServiceSettings):
    """How roots on stations are kept as they are wanted."""

    model_config = _ENVIRONMENT

    trust_at_once: int = Field(
        default=20, ge=1, description="how many stations are asked for something about certificates each second"
    )
    trust_settle_s: float = Field(
        default=30.0, ge=0, description="how long after a boot a station is asked which certificates it has"
    )
    trust_report_every_h: float = Field(
        default=24.0, ge=0, description="how often it is asked again, in hours; 0: only after a boot or a change"
    )
    trust_everybody: bool = Field(
        default=False, description="stations for which no roots are wanted are asked, too, which certificates they have"
    )


class SecuritySettings(ServiceSettings):
    """Each is set by the environment variable `SECURITY_<NAME>`."""

    model_config = _ENVIRONMENT

    keep_days: float = Field(
        default=730.0,
        gt=0,
        description="how many days a station that is not heard any more, a request for a certificate, and a "
        "station's certificate that has ended, are kept",
    )
    forget_every_s: float = Field(default=60.0, gt=0, description="how often such stations are looked for")
    expiring_days: tuple[float, ...] = Field(
        default=(60.0, 30.0, 14.0, 7.0, 1.0, 0.0),
        description="JSON list of how many days before its end it is told that a certificate runs out",
    )
    status: StatusSettings = Field(default_factory=StatusSettings)
    trust: TrustSettings = Field(default_factory=TrustSettings)
    contracts: ContractSettings = Field(default_factory=ContractSettings)
    signing: SigningSettings = Field(default_factory=SigningSettings)
    est: EstSettings = Field(default_factory=EstSettings)
    hsm: HsmSettings = Field(default_factory=HsmSettings)

    @model_validator(mode="after")
    def _knows_est(self) -> Self:
        if "est" in (self.signing.station_authority, self.signing.v2g_authority) and not self.est.url:
            raise ValueError("where `est` signs, SECURITY_EST_URL says where it is")
        return self
