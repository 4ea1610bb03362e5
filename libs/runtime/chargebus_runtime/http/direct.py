"""Calls with a body that are answered at once, where there is nothing to object to: past most of what FastAPI does.

To find what a route takes, to check it, and to write its answer, FastAPI needs some 0.4 ms of CPU, several times what a
short call needs otherwise. For a route that is called often, `directly` takes a function that answers such calls as
nearly all are; whatever that leaves, FastAPI answers as ever, so that it alone says what is wrong with a call. A route
is declared, checked and documented once: what the function takes must be what the route would take, and its answer the
same.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from chargebus_runtime.http.checks import is_json
from chargebus_runtime.http.layers import has_slash_inside

_PLAIN_JSON: Final = "application/json"

Direct = Callable[[Request, bytes], Awaitable[Response | None]]
"""Answers a call with its body, which is JSON; None: FastAPI is to answer. It may raise a `Problem`."""


def directly(answer: Direct) -> type[APIRoute]:
    """Return the class of a route whose calls `answer` answers, as far as it takes them."""

    class DirectRoute(APIRoute):
        """A route that is looked at by FastAPI only where there is something to look at."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            with_care = super().get_route_handler()

            async def handle(request: Request) -> Response:
                body = await _plain_body(request)
                response = await answer(request, body) if body else None
                return await with_care(request) if response is None else response

            return handle

    return DirectRoute


async def _plain_body(request: Request) -> bytes:
    """Return the body of a call that `CheckedCall` lets through as it stands; else nothing."""
    scope = request.scope
    if scope["query_string"] or "\0" in scope["path"] or has_slash_inside(scope["path"]):
        return b""
    if request.headers.get("content-type") != _PLAIN_JSON:
        return b""
    try:
        body = await request.body()
    except ClientDisconnect:
        return b""
    return body if is_json(body) else b""
