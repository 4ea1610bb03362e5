"""OpenAPI says what is answered: the problems that follow from what a route takes, and how callers say who they are."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext

from chargebus_runtime.http.callers import Authenticator, Require, Role
from chargebus_runtime.http.checks import CheckedCall
from chargebus_runtime.http.problems import ProblemDocument, declaration

_REFERENCE: Final = "#/components/schemas/{model}"
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")


def complete(document: dict[str, Any], routes: Iterable[RouteContext], authenticators: Sequence[Authenticator]) -> None:
    """Complete FastAPI's `document`, in place."""
    schemes = {name: dict(scheme) for each in authenticators for name, scheme in each.schemes.items()}
    components = document.setdefault("components", {})
    components["securitySchemes"] = schemes
    _declare_model(components.setdefault("schemas", {}))
    for route in routes:
        if not isinstance(route.original_route, APIRoute) or not route.include_in_schema:
            continue
        calls = list(_calls(route.dependant))
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            responses = operation["responses"]
            responses.pop("422", None)
            responses |= {
                str(status): declaration(status) for status in _statuses(calls, has_body=bool(route.body_field))
            }
            operation["responses"] = dict(sorted(responses.items()))
            if any(isinstance(call, Require) for call in calls):
                operation["security"] = [{name: []} for name in schemes]


def _declare_model(schemas: dict[str, Any]) -> None:
    model = ProblemDocument.model_json_schema(ref_template=_REFERENCE, mode="serialization")
    schemas |= model.pop("$defs", {})
    schemas[ProblemDocument.__name__] = model
    for name in _FASTAPIS_OWN:
        schemas.pop(name, None)


def _calls(dependant: Dependant) -> Iterator[object]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)


def _statuses(calls: Sequence[object], *, has_body: bool) -> Iterator[int]:
    roles = [call.role for call in calls if isinstance(call, Require)]
    if roles:
        yield 401
    if any(role > min(Role) for role in roles):  # every caller has the least
        yield 403
    if any(isinstance(call, CheckedCall) for call in calls):
        yield from (400, 413, 415, 422, 503) if has_body else (422, 503)
