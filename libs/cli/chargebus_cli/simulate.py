"""`chargebus simulate`: demo data, and a simulated fleet that charges at a running system."""

from dataclasses import dataclass
from pathlib import Path

import httpx

from chargebus_cli.demo import DemoApi

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Target:
    """Where to simulate: `fleet` stations at `ocpp_url` (without a station), their data over `http_url` with `key`.

    `passwords` is the file in which the stations' passwords are kept from one run to the next.
    """

    fleet: int
    ocpp_url: str
    http_url: str
    key: str
    passwords: Path


async def run(target: Target) -> None:
    """Load the demo data and let the fleet charge until cancelled; without a fleet, return at once."""
    headers = {"X-API-Key": target.key}
    async with httpx.AsyncClient(base_url=target.http_url, headers=headers, timeout=_TIMEOUT_S) as client:
        api = DemoApi(client)
        await api.load_tokens()
