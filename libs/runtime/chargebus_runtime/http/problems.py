"""HTTP errors as problem+json: what was wrong and what to do.

Spec: RFC 9457
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from chargebus_runtime.away import CONFLICT, MAYBE_AWAY, is_away

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_AFTER: Final = {"Retry-After": "5"}

_MEANINGS: Final = {
    400: "The body is not JSON",
    401: "Nobody knows the caller: no valid credentials",
    403: "The caller's role is too small",
    404: "What the path names does not exist",
    409: "It contradicts what is there",
    412: "A version that is not spoken",
    413: "Too much at once: send it in several calls",
    415: "The body is not declared as what it has to be, in most cases JSON",
    416: "There are no such bytes",
    422: "A parameter or the body is not as it should be; `errors` names the fields",
    429: "Too much waits already: try again later",
    460: "The checksum of what was sent differs: nothing of it is kept",
    503: "A server that is needed does not answer: try again after Retry-After",
}
_HEADERS: Final = {
    401: {"WWW-Authenticate": "How to say who calls"},
    503: {"Retry-After": "Seconds until it may be worth another try"},
}


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, such as `query.limit` or `body.stations.0.name`."""

    field: str
    error: str


class ProblemDocument(BaseModel):
    """What went wrong: `title` names the kind of problem, `detail` says what to do about this one.

    Spec: RFC 9457
    """

    type: str = Field(description="Always about:blank: `title` and `status` tell problems apart")
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldError] | None = Field(default=None, description="What is wrong with each field, where any is")


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An HTTP error: `title` names the kind of problem, `detail` says what to do about this one.

    A 503 says when to try again.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        headers: dict[str, str] | None = None,
        errors: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail or ("Some fields are not as they should be; see errors." if errors else "")
        self.headers = headers or (_RETRY_AFTER if status == HTTPStatus.SERVICE_UNAVAILABLE else None)
        self.errors = errors

    def response(self) -> JSONResponse:
        """Return the problem as a response."""
        body: dict[str, object] = {"type": "about:blank", "title": self.title, "status": self.status}
        body |= {"detail": self.detail} if self.detail else {}
        body |= {"errors": [asdict(error) for error in self.errors]} if self.errors else {}
        return JSONResponse(body, self.status, self.headers, media_type=MEDIA_TYPE)


def raises(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare problems that a route may answer with: `@routes.get(path, responses=raises(404, 409))`.

    Those that follow from what a route takes are declared by themselves: 400, 401, 403, 413, 415, 422 and 503.
    """
    return {status: declaration(status) for status in statuses}


def declaration(status: int) -> dict[str, Any]:
    """Return a problem as OpenAPI declares a response."""
    declared: dict[str, Any] = {
        "description": _MEANINGS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}}},
    }
    if status in _HEADERS:
        declared["headers"] = {
            name: {"description": text, "required": True, "schema": {"type": "string"}}
            for name, text in _HEADERS[status].items()
        }
    return declared


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem+json; what is away is told as a server that does not answer."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_error)
    for kind in MAYBE_AWAY:
        app.add_exception_handler(cast(type[Exception], kind), _on_away)


def malformed() -> Problem:
    """Return the 400 of a body that is not JSON."""
    detail = "The body is not JSON in UTF-8: NaN, Infinity and half a surrogate pair are none either."
    return Problem(400, "malformed body", detail)


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    return cast(Problem, error).response()


async def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    errors = cast(RequestValidationError, error).errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return malformed().response()
    fields = [FieldError(".".join(str(part) for part in each["loc"]), each["msg"]) for each in errors]
    return Problem(422, "invalid request", errors=fields).response()


async def _on_http(_request: Request, error: Exception) -> JSONResponse:
    found = cast(HTTPException, error)
    if found.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's, for a body that it cannot read
        return malformed().response()
    title = HTTPStatus(found.status_code).phrase.lower()
    return Problem(found.status_code, title, str(found.detail), dict(found.headers or {})).response()


async def _on_away(_request: Request, error: Exception) -> JSONResponse:
    """Say that the next try may do: a server does not answer, or two calls were in each other's way."""
    if isinstance(error, CONFLICT):
        log.warning("a call failed, as another was in its way: %r", error)
        detail = "Another call changed the same at this moment. Try again."
    elif is_away(error):
        log.warning("a call failed, as a server does not answer: %r", error)
        detail = "A server that this call needs does not answer. Try again in a moment."
    else:
        raise error
    return Problem(503, "not available", detail).response()


async def _on_error(_request: Request, _error: Exception) -> JSONResponse:
    return Problem(500, "internal error", "The server failed; its log says why. Try again.").response()
