"""Every service: its name, what it owns and reads, where it is reached; the only place where a service is declared.

Topics are derived from it; the lists of services in pyproject.toml, docker-compose.yml, deploy/gateway.conf and
docs/operations.md are written from it by `make generate`, and `make check` compares them.
"""

import re
from dataclasses import dataclass

HTTP_PORT = 8310


def dashed(name: str) -> str:
    """Return a service's name as topics, hosts and images have it: `smart-charging`."""
    return name.replace("_", "-")


def underscored(name: str) -> str:
    """Return a service's name as Python, databases and settings have it: `smart_charging`."""
    return name.replace("-", "_")


@dataclass(frozen=True)
class Setting:
    """A setting that a service needs wherever it runs in a container, and why."""

    name: str
    value: str
    why: str


@dataclass(frozen=True)
class DeclaredService:
    """A service, or one that is to come.

    Attributes:
        name: in the form of Python and databases.
        about: what it is there for, in a few words.
        planned: it does not exist yet. Its frames are kept for it all the same.
        frames: it owns actions of stations, so that their frames go to a topic of its own.
        listens_to: services whose frames it reads besides.
        parks: it consumes, so it has a topic for what it cannot handle.
        asks: it asks stations for commands, so it has a topic for their outcomes.
        database: it has a database and its migrations.
        paths: what it answers over HTTP: each path and all below it, `{}` for any one part. The longest that fits wins.
        stations_path: where stations connect to it, or fetch and send files.
        stations_port: the port for that.
        volume: it keeps files in /var/lib/chargebus.
        settings: what it needs in a container beyond what every service gets.
    """

    name: str
    about: str
    planned: bool = False
    frames: bool = False
    listens_to: tuple[str, ...] = ()
    parks: bool = False
    asks: bool = False
    database: bool = True
    paths: tuple[str, ...] = ()
    stations_path: str | None = None
    stations_port: int | None = None
    volume: bool = False
    settings: tuple[Setting, ...] = ()

    @property
    def host(self) -> str:
        """Its name in topics, hosts and images."""
        return dashed(self.name)

    @property
    def package(self) -> str:
        """Its Python package; its database has the same name."""
        return f"chargebus_{self.name}"


SERVICES = (
    DeclaredService(
        name="access",
        about="API keys, and who may do what with them",
        paths=("/v1/api-keys",),
        volume=True,
    ),
    DeclaredService(
        name="command",
        about="every command to a station, from the request to its one outcome",
        parks=True,
        paths=("/v1/commands", "/v1/stations/{}/commands"),
    ),
    DeclaredService(
        name="device",
        about="stations: registration, boots, connections, status, variables, configurations, deviations",
        frames=True,
        parks=True,
        asks=True,
        paths=(
            "/v1/stations",
            "/v1/onboarding",
            "/v1/variable-names",
            "/v1/configurations",
            "/v1/configuration-dry-run",
            "/v1/deviations",
            "/v1/deviation-rules",
        ),
    ),
    DeclaredService(
        name="edge",
        about="stations' sockets",
        database=False,
        stations_path="/ocpp",
        stations_port=9310,
        settings=(
            Setting(
                "EDGE_ALLOW_PLAIN_WS",
                "true",
                "Plain ws:// is refused unless it is named. Put TLS in front before anything but a trial.",
            ),
        ),
    ),
    DeclaredService(
        name="firmware",
        about="images, campaigns, logs",
        frames=True,
        parks=True,
        asks=True,
        paths=("/v1/firmware", "/v1/logs", "/v1/stations/{}/logs"),
        stations_path="/files",
        stations_port=8311,
        volume=True,
        settings=(
            Setting(
                "FIRMWARE_FILES_PUBLIC_URL",
                "http://localhost:8311",
                "How stations reach the files. Name what they know, with TLS, before anything but a trial.",
            ),
        ),
    ),
    DeclaredService(
        name="metering",
        about="meter readings of every version, normalised",
        frames=True,
        listens_to=("session",),
        parks=True,
        paths=("/v1/sessions/{}/meter-values",),
    ),
    DeclaredService(
        name="notification",
        about="alerts, subscriptions, display messages",
        frames=True,
        parks=True,
        asks=True,
        paths=(
            "/v1/notification",
            "/v1/alerts",
            "/v1/alert-rules",
            "/v1/silences",
            "/v1/subscriptions",
            "/v1/deliveries",
            "/v1/display-messages",
            "/v1/stations/{}/display-messages",
            "/v1/customer-information",
            "/v1/security-events",
            "/v1/station-events",
        ),
    ),
    DeclaredService(
        name="security",
        about="certificates: authorities, signing, trust, status; stations' credentials",
        frames=True,
        parks=True,
        asks=True,
        paths=(
            "/v1/certificates",
            "/v1/certificate-authorities",
            "/v1/certificate-requests",
            "/v1/trust",
            "/v1/credentials",
            "/v1/security",
            "/v1/stations/{}/certificates",
            "/pki",
        ),
        volume=True,
    ),
    DeclaredService(
        name="session",
        about="tokens, charging sessions, remote start and stop, reservations",
        frames=True,
        listens_to=("metering",),
        parks=True,
        asks=True,
        paths=(
            "/v1/tokens",
            "/v1/sessions",
            "/v1/stations/{}/evses/{}/start",
            "/v1/reservations",
            "/v1/stations/{}/reservations",
        ),
    ),
    DeclaredService(
        name="smart_charging",
        about="sites, limits, plans, profiles",
        frames=True,
        parks=True,
        asks=True,
        paths=(
            "/v1/sites",
            "/v1/grid-series",
            "/v1/stations/{}/charging",
            "/v1/stations/{}/charging-profiles",
            "/v1/stations/{}/evses/{}/composite-schedule",
            "/v1/sessions/{}/charging",
            "/v1/smart-charging",
        ),
    ),
)

RUNNING = tuple(service for service in SERVICES if not service.planned)


def routes() -> list[tuple[str, DeclaredService]]:
    """Return the HTTP paths of all services in the order in which they are tried: the longest first, `{}` last."""
    declared = [(path, service) for service in RUNNING for path in service.paths]
    return sorted(declared, key=lambda route: (-route[0].count("/"), route[0].replace("{}", "~")))


def pattern(path: str) -> str:
    """Return the regular expression of a declared path and all below it, with a query or without."""
    return f"^{path.replace('{}', '[^/?]+')}([/?]|$)"


def serving(path: str) -> DeclaredService | None:
    """Return the service that answers an HTTP path, or None."""
    return next((service for declared, service in routes() if re.match(pattern(declared), path)), None)
