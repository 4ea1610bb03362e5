"""HTTP in, for everybody: the built-in authority's certificates, revocation list and OCSP, where certificates say.

Spec: RFC 5280 4.2.1.13, 4.2.2.1; RFC 6960 appendix A
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import unquote

from chargebus_runtime.http import Problem, streamed
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from fastapi import APIRouter, Request, Response
from fastapi.params import Path

from chargebus_security.authorities.errors import AuthorityAwayError
from chargebus_security.authorities.operations.built_in import BuiltIn

_MOST_BYTES: Final = 4096
_CERTIFICATE: Final = "application/pkix-cert"
_LIST: Final = "application/pkix-crl"
_OCSP: Final = "application/ocsp-response"


def router(authority: BuiltIn) -> APIRouter:
    """Return the routes, which need no key: certificates name them, and answers are signed."""
    routes = APIRouter(tags=["certificates"], include_in_schema=False)

    @routes.get("/issuing.crl")
    async def revocation_list() -> Response:
        try:
            return Response(await authority.revocation_list(), media_type=_LIST)
        except AuthorityAwayError as error:
            raise _away(str(error)) from error

    @routes.get("/issuing.cer")
    async def issuing() -> Response:
        return _certificate(await authority.certificates(), 0)

    @routes.get("/root.cer")
    async def root() -> Response:
        return _certificate(await authority.certificates(), -1)

    @routes.post("/ocsp")
    async def ocsp(request: Request) -> Response:
        asked = b""
        async for chunk in streamed(request):
            asked += chunk
            if len(asked) > _MOST_BYTES:
                raise Problem(413, "content too large", f"An OCSP request has {_MOST_BYTES} bytes at most here.")
        return Response(await authority.ocsp(asked), media_type=_OCSP)

    @routes.get("/ocsp/{asked:path}")
    async def ocsp_in_address(asked: Annotated[str, Path(max_length=2 * _MOST_BYTES)]) -> Response:
        try:
            der = base64.b64decode(unquote(asked), validate=True)
        except (binascii.Error, ValueError):
            der = b""
        return Response(await authority.ocsp(der), media_type=_OCSP)

    return routes


def _certificate(own: Sequence[x509.Certificate], at: int) -> Response:
    if not own:
        raise _away("the authority has no certificate yet")
    return Response(own[at].public_bytes(serialization.Encoding.DER), media_type=_CERTIFICATE)


def _away(why: str) -> Problem:
    return Problem(503, "authority away", f"Ask again later: {why}.")
