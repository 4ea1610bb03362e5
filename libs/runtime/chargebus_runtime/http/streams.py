"""Bodies that a route takes in a stream, whatever their size."""

from collections.abc import AsyncIterator

from fastapi import Request

from chargebus_runtime.http.layers import UNBOUNDED


async def streamed(request: Request) -> AsyncIterator[bytes]:
    """Yield a call's body as it comes, of any length: the route bounds it.

    Raises:
        ClientDisconnect: it broke off.
    """
    request.scope[UNBOUNDED] = True
    async for chunk in request.stream():
        if chunk:
            yield chunk
