"""HTTP errors as problem+json: what was wrong and what to do.

Spec: RFC 9457
"""

import logging
from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chargebus_runtime.away import MAYBE_AWAY, is_away

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An HTTP error: `title` names the kind of problem, `detail` says what to do about this one."""

    def __init__(self, status: int, title: str, detail: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers

    def response(self) -> JSONResponse:
        """Return the problem as a response."""
        return problem_response(self.status, self.title, self.detail, self.headers)


def problem_response(
    status: int, title: str, detail: object = "", headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return a problem+json response; `detail` is text, or a list of what is wrong with each field."""
    body = {"type": "about:blank", "title": title, "status": status}
    if isinstance(detail, str):
        body |= {"detail": detail} if detail else {}
    else:
        body |= {"detail": "Some fields are not as they should be; see errors.", "errors": detail}
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem+json; what is away is told as a server that does not answer."""

    async def on_problem(_request: Request, error: Exception) -> JSONResponse:
        return error.response() if isinstance(error, Problem) else _unexpected()

    async def on_invalid(_request: Request, error: Exception) -> JSONResponse:
        errors = error.errors() if isinstance(error, RequestValidationError) else []
        fields = [{"field": ".".join(str(part) for part in e["loc"]), "error": e["msg"]} for e in errors]
        return problem_response(422, "invalid request", fields)

    async def on_http(_request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            return _unexpected()
        title = HTTPStatus(error.status_code).phrase.lower()
        return problem_response(error.status_code, title, str(error.detail), dict(error.headers or {}))

    async def on_away(_request: Request, error: Exception) -> JSONResponse:
        if not is_away(error):
            raise error
        log.warning("a call failed, as a server does not answer: %r", error)
        detail = "A server that this call needs does not answer. Try again in a moment."
        return problem_response(503, "not available", detail, {"Retry-After": "5"})

    async def on_error(_request: Request, _error: Exception) -> JSONResponse:
        return _unexpected()

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_error)
    for kind in MAYBE_AWAY:
        app.add_exception_handler(cast(type[Exception], kind), on_away)


def _unexpected() -> JSONResponse:
    return problem_response(500, "internal error", "The server failed; its log says why. Try again.")
