"""The HTTP API of a whole system, wherever each service serves its part of it."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self

import httpx
from chargebus_events.services import serving

from chargebus_testkit.service_process import Place

Json = dict[str, Any]

_PAGE: Final = 500
_TIMEOUT_S: Final = 60.0
_LIMITS: Final = httpx.Limits(keepalive_expiry=1)  # a server that ends an idle connection just then would be no answer


class ApiError(AssertionError):
    """The API answered with an error where a test needs success; the message shows the problem."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class Api:
    """Calls a system's HTTP API with one API key; an empty key presents none.

    Args:
        places: returns where services run at this moment.
        key: the API key.
    """

    def __init__(self, places: Callable[[], Sequence[Place]], key: str) -> None:
        self._places = places
        headers = {"X-API-Key": key} if key else {}
        self._client = httpx.AsyncClient(headers=headers, timeout=_TIMEOUT_S, limits=_LIMITS)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Call a path such as `/v1/tokens` and return whatever is answered.

        What only reads is asked once more where its connection breaks: on a busy machine we may write to an idle one
        just as the server ends it.
        """
        try:
            return await self._client.request(method, self._url(path), **options)
        except (httpx.ReadError, httpx.RemoteProtocolError):
            if method != "GET":
                raise
        return await self._client.request(method, self._url(path), **options)

    async def call(self, method: str, path: str, body: object = None, **query: object) -> Any:  # noqa: ANN401 - JSON
        """Call a path, with a query in it or beside it, and return the answer's JSON.

        Raises:
            ApiError: the answer is an error.
        """
        params = {name: value for name, value in query.items() if value is not None}
        response = await self.request(method, path, json=body, params=params or None)
        if response.is_error:
            raise ApiError(f"{method} {path}: {response.status_code} {response.text}", response.status_code)
        return response.json() if response.content else None

    async def items(self, path: str, **query: object) -> AsyncIterator[Json]:
        """Yield the items of all pages of a list."""
        cursor = None
        while True:
            found = await self.call("GET", path, limit=_PAGE, cursor=cursor, **query)
            for item in found["items"]:
                yield item
            cursor = found.get("next")
            if cursor is None:
                return

    async def register(self, station_ids: Iterable[str]) -> dict[str, str]:
        """Register stations and return their passwords."""
        stations = [{"station_id": station_id} for station_id in station_ids]
        answer = await self.call("POST", "/v1/stations/bulk", {"stations": stations})
        return {item["station_id"]: item["password"] for item in answer["items"]}

    async def add_token(self, id_token: str, **more: object) -> Json:
        """Add a token that may charge."""
        added: Json = await self.call("POST", "/v1/tokens", {"id_token": id_token, **more})
        return added

    async def command(self, station_id: str, action: str, payload: Json, **more: object) -> httpx.Response:
        """Ask for a command; without more, wait for its outcome."""
        body = {"action": action, "payload": payload, **more}
        return await self.request("POST", f"/v1/stations/{station_id}/commands", json=body)

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self._client.aclose()

    def _url(self, path: str) -> str:
        service = serving(path)
        for place in self._places():
            if service is None or service.name in place.services:
                return place.http_url + path
        message = f"no {service.name if service else 'service'} runs that could serve {path}"
        raise httpx.ConnectError(message)
