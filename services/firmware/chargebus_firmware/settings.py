"""What an operator may change of firmware."""

from pathlib import Path
from typing import Final, Self

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

_LAST_PORT: Final = 65535


class FilesSettings(ServiceSettings):
    """Where stations fetch and send files: `FIRMWARE_FILES_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="FIRMWARE_FILES_", extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="where stations fetch and send files, by links of their own")
    port: int = Field(default=8311, ge=0, le=65535, description="the port for that; 0: any that is free")
    public_url: str = Field(
        default="",
        description="how stations reach it, such as `https://files.example.com`; empty: by the two above",
    )
    tls_certificate: Path | None = Field(
        default=None, description="a PEM file with the certificate and its chain: links are HTTPS then"
    )
    tls_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="the port of HTTPS beside plain HTTP on FIRMWARE_FILES_PORT; without it that is HTTPS alone",
    )
    tls_public_url: str = Field(
        default="", description="how stations reach HTTPS then, such as `https://files.example.com`"
    )
    tls_key: Path | None = Field(default=None, description="a PEM file with the key of the certificate")
    link_bytes_per_s: float = Field(
        default=4 * 1024 * 1024, gt=0, description="how many bytes a second go over one link at most"
    )
    all_bytes_per_s: float = Field(
        default=64 * 1024 * 1024, gt=0, description="how many go over all links of a process together"
    )
    transfers: int = Field(default=500, ge=1, description="how many files a process transfers at once; more wait")

    @field_validator("public_url", "tls_public_url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("it begins with http:// or https://")
        return url.rstrip("/")

    @property
    def is_double(self) -> bool:
        """Whether HTTP and HTTPS are served side by side."""
        return self.tls_port is not None

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("FIRMWARE_FILES_TLS_CERTIFICATE and FIRMWARE_FILES_TLS_KEY go together")
        if self.is_double and self.tls_certificate is None:
            raise ValueError("FIRMWARE_FILES_TLS_PORT needs FIRMWARE_FILES_TLS_CERTIFICATE and FIRMWARE_FILES_TLS_KEY")
        if self.tls_public_url and not (self.is_double and self.tls_public_url.startswith("https://")):
            raise ValueError("FIRMWARE_FILES_TLS_PUBLIC_URL begins with https://, and needs FIRMWARE_FILES_TLS_PORT")
        if self.is_double and self.public_url.startswith("https://"):
            raise ValueError("with FIRMWARE_FILES_TLS_PORT, FIRMWARE_FILES_PUBLIC_URL is that of plain HTTP")
        return self


class UpdateSettings(ServiceSettings):
    """Each is set by the environment variable `FIRMWARE_UPDATES_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="FIRMWARE_UPDATES_", extra="ignore", frozen=True)

    unsigned: bool = Field(
        default=False,
        description="stations of OCPP 1.6 that know no signed firmware get a signed image all the same",
    )
    wait_h: float = Field(default=24.0, gt=0, description="how many hours a station that is away is waited for")
    answer_s: float = Field(default=60.0, gt=0, le=600, description="how long a station may take to answer the request")
    silent_s: float = Field(
        default=4 * 3600.0, gt=0, description="how long it may say nothing of an update before that is given up"
    )
    boot_s: float = Field(
        default=1800.0, gt=0, description="how long it may take after the installation to boot with a version"
    )
    work_h: float = Field(
        default=24.0, ge=0, description="how long one that was given up while it installed gets no other update"
    )
    sweep_s: float = Field(default=1.0, gt=0, description="how often updates are looked at that wait for something")
    keep_days: float = Field(
        default=730.0, gt=0, description="how many days updates, and publications that are over, are kept"
    )


class LoginSettings(ServiceSettings):
    """Where stations reach the same files over FTP and SFTP: `FIRMWARE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="FIRMWARE_", extra="ignore", frozen=True)

    ftp_port: int | None = Field(
        default=None, ge=1, le=65535, description="the port of FTP; without one it is not served"
    )
    ftp_passive_ports: str = Field(
        default="50000-50099",
        pattern=r"^[0-9]{1,5}-[0-9]{1,5}$",
        description="the ports of its data connections, the first and the last: stations open them all to this host",
    )
    sftp_port: int | None = Field(
        default=None, ge=1, le=65535, description="the port of SFTP; without one it is not served"
    )
    sftp_host_key: Path | None = Field(
        default=None, description="a file with the private key by which stations know the host (OpenSSH or PEM)"
    )
    public_host: str = Field(
        default="",
        description="the name or IPv4 address by which stations reach FTP and SFTP; empty: FIRMWARE_FILES_HOST",
    )

    @property
    def passive_ports(self) -> range:
        """The ports of FTP's data connections."""
        first, last = map(int, self.ftp_passive_ports.split("-"))
        return range(first, last + 1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.sftp_port is not None and self.sftp_host_key is None:
            raise ValueError(
                "FIRMWARE_SFTP_PORT needs FIRMWARE_SFTP_HOST_KEY: ssh-keygen -t ed25519 -N '' -f FILE makes one"
            )
        if not self.passive_ports or self.passive_ports[0] < 1 or self.passive_ports[-1] > _LAST_PORT:
            raise ValueError("FIRMWARE_FTP_PASSIVE_PORTS are a first and a last port, such as 50000-50099")
        return self


class LogsSettings(ServiceSettings):
    """How logs of stations are taken and kept: `FIRMWARE_LOGS_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="FIRMWARE_LOGS_", extra="ignore", frozen=True)

    max_bytes: int = Field(default=256 * 1024 * 1024, ge=1, description="how many bytes the file of a log may have")
    wait_s: float = Field(
        default=3600.0,
        gt=0,
        description="how long the file of a log is waited for; for as long again it is still taken",
    )
    stalled_s: float = Field(
        default=120.0, gt=0, description="after how long without a word an upload is taken for one that broke off"
    )
    keep_days: float = Field(default=30.0, gt=0, description="how many days files of logs are kept")


class ImagesSettings(ServiceSettings):
    """Images and their uploads: `FIRMWARE_IMAGES_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="FIRMWARE_IMAGES_", extra="ignore", frozen=True)

    max_bytes: int = Field(default=4 * 1024**3, gt=0, description="how many bytes an image has at most")
    upload_keep_hours: float = Field(
        default=24.0, gt=0, description="how long an upload may stand still before it is given up"
    )
    tidy_every_s: float = Field(
        default=10.0,
        gt=0,
        description="how often uploads are finished and given up, and objects without a name deleted",
    )


class FirmwareSettings(ServiceSettings):
    """Each is set by the environment variable `FIRMWARE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="FIRMWARE_", extra="ignore", frozen=True)

    keep_days: float = Field(
        default=90.0, gt=0, description="how many days a station that is not heard any more is kept"
    )
    campaigns_keep_days: float = Field(
        default=730.0, gt=0, description="how many days a campaign is kept after its end, with its stations"
    )
    forget_every_s: float = Field(default=60.0, gt=0, description="how often what is kept no longer is looked for")
    files: FilesSettings = Field(default_factory=FilesSettings)
    updates: UpdateSettings = Field(default_factory=UpdateSettings)
    logins: LoginSettings = Field(default_factory=LoginSettings)
    logs: LogsSettings = Field(default_factory=LogsSettings)

    images: ImagesSettings = Field(default_factory=ImagesSettings)
