"""Who calls, as authenticators tell, and how much of a role a route takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from fastapi import Request

from chargebus_runtime.http.problems import Problem


class Role(IntEnum):
    """What a caller may do; each role may do what the ones before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True)
class Caller:
    """Who is calling."""

    key_id: str
    name: str
    role: Role


class Authenticator(Protocol):
    """One way to tell who calls, such as an API key; the first of an app that knows the caller decides."""

    schemes: Mapping[str, Mapping[str, str]]
    """OpenAPI's security schemes, by name: any one of them will do."""

    challenge: str
    """What `WWW-Authenticate` says of it where nobody knows the caller."""

    async def identify(self, request: Request) -> Caller | None:
        """Return who calls, or None where the request presents nothing of this kind.

        Raises:
            Problem: 401 for what it presents, but is not valid; 503 where that cannot be told yet.
        """
        ...


@dataclass(frozen=True)
class Require:
    """A dependency of a route: lets in callers with at least `role`."""

    role: Role

    async def __call__(self, request: Request) -> Caller:
        """Return who calls.

        Raises:
            Problem: 401: nobody knows the caller; 403: the role is too small; 503: it cannot be told yet.
        """
        caller = await _identify(request, request.app.state.authenticators)
        if caller.role < self.role:
            raise Problem(403, "not allowed", f"This call needs the role {self.role.name.lower()}.")
        return caller


def require(role: Role) -> Require:
    """Return a FastAPI dependency that lets in callers with at least `role`, and is who calls."""
    return Require(role)


async def _identify(request: Request, authenticators: Sequence[Authenticator]) -> Caller:
    for authenticator in authenticators:
        caller = await authenticator.identify(request)
        if caller is not None:
            return caller
    raise unauthenticated(_WANTED, ", ".join(each.challenge for each in authenticators))


def unauthenticated(detail: str, challenge: str) -> Problem:
    """Return the 401 that says `detail` and asks for `challenge`."""
    return Problem(401, "not authenticated", detail, {"WWW-Authenticate": challenge})


_WANTED: Final = (
    "This call needs to know who calls: send a valid API key in the header X-API-Key, or as a bearer token."
)
