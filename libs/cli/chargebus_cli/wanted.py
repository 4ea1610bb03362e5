"""What the user asks of `chargebus run`."""

from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Wanted:
    """What the user asks for: simulated stations, some at a depot; two ports; and where everything is kept."""

    fleet: int
    depot: int
    ocpp_port: int
    http_port: int
    data: Path

    @property
    def ocpp_url(self) -> str:
        """Where stations connect; a station appends its identity."""
        return f"ws://{HOST}:{self.ocpp_port}/ocpp"

    @property
    def http_url(self) -> str:
        """Where the HTTP API is."""
        return f"http://{HOST}:{self.http_port}"
