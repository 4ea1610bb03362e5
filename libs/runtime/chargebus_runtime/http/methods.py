"""Which methods a path takes: for a method that it does not, and for OPTIONS.

Spec: RFC 9110 9.3.7, 15.5.6
"""

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.routing import iter_route_contexts

from chargebus_runtime.http.problems import Problem

_FILES: Final = {"GET"}  # what a mounted folder takes


def install(app: FastAPI) -> None:
    """Make `app` answer OPTIONS, and every 405, with all methods of the path in `Allow`."""

    async def on_method(request: Request, _error: Exception) -> Response:
        allow = {"Allow": ", ".join(sorted(_allowed(app, request.scope["path"])))}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=allow)
        detail = f"This path takes {allow['Allow']}."
        return Problem(405, "method not allowed", detail, allow).response()

    app.add_exception_handler(405, on_method)


def _allowed(app: FastAPI, path: str) -> set[str]:
    methods: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.methods and route.path_regex.match(path):
            methods |= route.methods
    methods = methods or _FILES
    return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
