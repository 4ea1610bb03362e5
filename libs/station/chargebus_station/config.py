"""What a virtual station is: its identity, its outlets, and how it treats its network."""

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote

from chargebus_ocppj.versions import Version

from chargebus_station.backoff import Backoff
from chargebus_station.charging import Outlet
from chargebus_station.charging_habits import ChargingHabits
from chargebus_station.habits import Habit

AC_22: Final = Outlet(max_power_w=22_000, phases=3)
AC_11: Final = Outlet(max_power_w=11_000, phases=3)
AC_7: Final = Outlet(max_power_w=7_400, phases=1)
DC_150: Final = Outlet(max_power_w=150_000, phases=0)


@dataclass(frozen=True)
class Model:
    """What the station says of itself when it boots."""

    vendor: str = "Chargebus"
    model: str = "Virtual 22"
    serial_number: str = ""
    firmware: str = "1.0.0"


class Resend(StrEnum):
    """The message id of a message that is sent again; stations in the field do both."""

    NEW_ID = "new id"
    SAME_ID = "same id"


@dataclass(frozen=True)
class Network:
    """How the station treats its network; real seconds.

    `answer_timeout_s` is how long it waits for the answer to a CALL.
    """

    answer_timeout_s: float = 30.0
    open_timeout_s: float = 10.0
    ping_interval_s: float | None = 20.0
    resend: Resend = Resend.NEW_ID
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True)
class Tls:
    """What a station speaks TLS with; its files are read at each connection, so what is replaced there counts then.

    Attributes:
        ca_file: the roots that it trusts, in PEM.
        certificate, key: its own, for security profile 3; the certificate with its chain.
    """

    ca_file: Path
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what the next connection speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ca_file)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


class EnergyUnit(StrEnum):
    """The unit in which a station writes energy; the field has both."""

    WH = "Wh"
    KWH = "kWh"


@dataclass(frozen=True)
class StationConfig:
    """One station.

    Attributes:
        url: the CSMS's OCPP address without the identity, `ws://127.0.0.1:9310/ocpp`, or `wss://…` with `tls`.
        password: for HTTP Basic (security profiles 1 and 2); None connects without credentials.
        outlets: EVSE 1 first; each has one connector.
        settings: values that differ from the version's defaults, by variable name (`Component.Variable`, or a 1.6 key).
        seed: of everything random in the station: message ids, transaction ids, jitter.
        register_wh: what the meters show at first.
        reboot_s: simulated seconds that a reboot takes.
        habits: what it does otherwise than its schemas have it.
        charging_habits: what it does its own way about charging profiles.
        secure_url: where it connects with security profile 2 or 3 in OCPP 1.6, which says no address; None: nowhere.
        read_only: variables that the CSMS may not set, by the names of `settings`.
        tls: what it speaks TLS with, where the address asks for it; None: with the roots that the system trusts.
    """

    station_id: str
    version: Version
    url: str
    password: str | None = field(default=None, repr=False)
    outlets: tuple[Outlet, ...] = (AC_22,)
    model: Model = field(default_factory=Model)
    network: Network = field(default_factory=Network)
    settings: dict[str, str] = field(default_factory=dict)
    local_tokens: tuple[str, ...] = ()
    seed: int | str = 0
    register_wh: int = 0
    energy_unit: EnergyUnit = EnergyUnit.WH
    reboot_s: float = 30.0
    history_keep: int | None = None
    habits: frozenset[Habit] = frozenset()
    charging_habits: ChargingHabits = frozenset()
    tls: Tls | None = None
    secure_url: str | None = None
    read_only: frozenset[str] = frozenset()

    @property
    def address(self) -> str:
        """The URL with the identity, percent-encoded. Spec: OCPP-J 1.6 3.1.1; OCPP 2.0.1 Part 4, 3.1.1."""
        return f"{self.url.rstrip('/')}/{quote(self.station_id, safe='')}"
