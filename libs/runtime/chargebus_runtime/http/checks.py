"""What every call is held to before its route sees it: parameters that are known and canonical, a body that is JSON."""

import re
import types
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Path, Query
from fastapi.routing import APIRoute

from chargebus_runtime.http.layers import restore_slashes
from chargebus_runtime.http.problems import FieldError, Problem, malformed

_JSON: Final = re.compile(r"application/([^;]+\+)?json", re.ASCII | re.IGNORECASE)
_WHOLE: Final = r"-?(0|[1-9][0-9]*)"
_FORMS: Final[Mapping[type, tuple[re.Pattern[str], str]]] = {
    bool: (re.compile(r"true|false"), "is true or false"),
    int: (re.compile(_WHOLE), "is a whole number such as 12"),
    float: (re.compile(_WHOLE + r"(\.[0-9]+)?([eE][+-]?[0-9]+)?"), "is a number such as 12 or 0.5"),
}


@dataclass(frozen=True)
class _Parameters:
    """What a route takes: the types of its parameters, by name."""

    route: APIRoute
    path: Mapping[str, object]
    query: Mapping[str, object]


class CheckedCall:
    """A dependency of every route of a service; FastAPI and pydantic would let all of this through.

    Refused are parameters that a route does not know or that are given twice, numbers and booleans in other words
    than JSON's (`yes`, `+5`, `1_0`), NUL, which no database takes, and bodies with NaN, Infinity, numbers beyond a
    double's, half a surrogate pair, or of another type than JSON.
    """

    def __init__(self) -> None:
        self._known: dict[int, _Parameters] = {}

    async def __call__(self, request: Request) -> None:
        """Let the call pass.

        Raises:
            Problem: 400, 415: the body; 422: the address or a parameter.
        """
        if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
            raise Problem(422, "invalid request", "The address has a NUL character (%00).")
        restore_slashes(request.scope)
        route: APIRoute = request.scope["route"]
        errors = list(_wrong(request, self._parameters(route)))
        if errors:
            raise Problem(422, "invalid request", errors=errors)
        if route.body_field is not None:
            _check_json(await request.body(), request.headers.get("content-type", ""))

    def _parameters(self, route: APIRoute) -> _Parameters:
        known = self._known.get(id(route))
        if known is None:
            fields = get_flat_params(route.dependant)
            known = _Parameters(
                route,
                {field.alias: field.field_info.annotation for field in fields if isinstance(field.field_info, Path)},
                {field.alias: field.field_info.annotation for field in fields if isinstance(field.field_info, Query)},
            )
            self._known[id(route)] = known
        return known


def _wrong(request: Request, known: _Parameters) -> Iterator[FieldError]:
    given = request.query_params.multi_items()
    for name, times in Counter(name for name, _ in given).items():
        if name not in known.query:
            takes = ", ".join(sorted(known.query)) or "none"
            yield FieldError(f"query.{name}", f"is not a parameter of this call; it takes {takes}")
        elif times > 1 and not _repeats(known.query[name]):
            yield FieldError(f"query.{name}", "is given more than once")
    path: Mapping[str, Any] = request.path_params
    for place, types_, values in (("query", known.query, given), ("path", known.path, path.items())):
        for name, text in values:
            form = _form(types_[name]) if name in types_ else None
            if form is not None and not form[0].fullmatch(text):
                yield FieldError(f"{place}.{name}", form[1])


def _repeats(annotation: object) -> bool:
    return get_origin(annotation) is list or any(get_origin(each) is list for each in get_args(annotation))


def _form(annotation: object) -> tuple[re.Pattern[str], str] | None:
    """Return how the text of a parameter of this type looks, None for any."""
    if get_origin(annotation) is Annotated:
        return _form(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        [*others] = [each for each in get_args(annotation) if each is not types.NoneType]
        return _form(others[0]) if len(others) == 1 else None
    return _FORMS.get(annotation) if isinstance(annotation, type) else None


def is_json(body: bytes) -> bool:
    """Tell whether a body is JSON, and nothing that only some take for it."""
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):  # msgspec's errors and UnicodeError are ValueErrors
        return False
    return True


def _check_json(body: bytes, content_type: str) -> None:
    if not body:
        return
    if not _JSON.fullmatch(content_type.partition(";")[0].strip()):
        raise Problem(
            415, "unsupported media type", "Send the body as JSON, and say so: Content-Type: application/json."
        )
    if not is_json(body):
        raise malformed()
