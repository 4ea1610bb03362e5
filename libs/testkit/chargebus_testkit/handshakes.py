"""Opening handshakes at an edge, as a station makes them, and what they are answered."""

from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from chargebus_testkit.waiting import eventually

SWITCHED: Final = 101


async def handshake(ocpp_url: str, station_id: str, password: str | None, subprotocol: str = "ocpp1.6") -> int:
    """Return the HTTP status of an opening handshake; without a password no credentials are presented."""
    url = f"{ocpp_url}/{station_id}"
    if password is not None:
        url = url.replace("ws://", f"ws://{station_id}:{password}@")
    try:
        async with connect(url, subprotocols=[Subprotocol(subprotocol)]):
            return SWITCHED
    except InvalidStatus as refused:
        return refused.response.status_code


async def until_let_in(ocpp_url: str, station_id: str, password: str) -> None:
    """Wait until the edge has heard of a station just registered, or of the policy that lets it in.

    Raises:
        NeverError: it never did.
    """

    async def look() -> int:
        return await handshake(ocpp_url, station_id, password)

    await eventually(look, lambda status: status == SWITCHED, what=f"{station_id} let in")
