"""A pool of contracts elsewhere, asked by the open interface that the market's pools have (OPCP) over HTTP.

    POST <url>/v1/ccp/signedContractData
    {"certificateInstallationReq": "<base64>", "xsdMsgDefNamespace": "urn:iso:15118:2:2013:MsgDef"}
    200 {"CCPResponse": {"emaidContent": [{"messageDef": {"certificateInstallationRes": "<base64>", "emaid": "…"}}]}}

Who asks shows a bearer token: one that is set, or one that an OAuth server gives for a client's id and secret.

Spec: Open Plug&Charge Protocol, Contract Certificate Pool; RFC 6749 4.4; RFC 6750
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec
from chargebus_outbound.client import Client, OutboundError, Reply

from chargebus_security.contracts.domain.provisioning import CertificateRequest, Contract
from chargebus_security.contracts.errors import PoolAwayError, ProvisioningError

_PATH: Final = "/v1/ccp/signedContractData"
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_AGAIN: Final = (408, 425, 429, 500, 502, 503, 504)
_EARLIER_S: Final = 60.0
"""How long before its end a token is not shown any more."""


class PoolOptions(msgspec.Struct, frozen=True):
    """Where a pool is, and as whom it is asked; without `token_url` the token is `token`."""

    url: str
    token: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""


class _Message(msgspec.Struct, rename="camel"):
    certificate_installation_res: str
    emaid: str = ""


class _Content(msgspec.Struct, rename="camel"):
    message_def: _Message


class _Contents(msgspec.Struct, rename="camel"):
    emaid_content: list[_Content]


class _Answer(msgspec.Struct):
    contents: _Contents = msgspec.field(name="CCPResponse")


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 3600.0


_answer: Final = msgspec.json.Decoder(_Answer).decode
_token: Final = msgspec.json.Decoder(_Token).decode


class HttpPool:
    """Asks a pool; each request once."""

    def __init__(self, client: Client, options: PoolOptions) -> None:
        self._client = client
        self._options = options
        self._url = options.url.rstrip("/") + _PATH
        self._held = ""
        self._held_until = 0.0
        self._renewing = asyncio.Lock()

    async def contracts(self, request: CertificateRequest) -> Sequence[Contract]:
        """Return what the pool has for a vehicle."""
        body = msgspec.json.encode(
            {"certificateInstallationReq": request.exi, "xsdMsgDefNamespace": request.schema_version}
        )
        token = await self._shown()
        reply = await self._asked(self._url, _JSON | {"Authorization": f"Bearer {token}"}, body, "the pool")
        if reply.status == _UNAUTHORIZED:
            self._forget(token)
            raise PoolAwayError("the pool does not take our token (401)")
        if reply.status == _NOT_FOUND:
            raise ProvisioningError("the pool has no contract for this vehicle (404)")
        if reply.status != _OK:
            kind = PoolAwayError if reply.status in _AGAIN else ProvisioningError
            raise kind(f"the pool answered {reply.status}")
        try:
            found = _answer(reply.body).contents.emaid_content
        except msgspec.MsgspecError as error:
            raise ProvisioningError(f"the pool's answer cannot be read: {error}") from error
        return [
            Contract(each.message_def.certificate_installation_res, each.message_def.emaid)
            for each in found
            if each.message_def.certificate_installation_res
        ]

    async def _shown(self) -> str:
        """Return the token to show."""
        if not self._options.token_url:
            return self._options.token
        async with self._renewing:
            if time.monotonic() >= self._held_until:
                await self._renew()
            return self._held

    async def _renew(self) -> None:
        asked = {
            "grant_type": "client_credentials",
            "client_id": self._options.client_id,
            "client_secret": self._options.client_secret,
        }
        reply = await self._asked(self._options.token_url, _FORM, urlencode(asked).encode(), "the server of tokens")
        if reply.status != _OK:
            raise PoolAwayError(f"the server of tokens answered {reply.status}")
        try:
            given = _token(reply.body)
        except msgspec.MsgspecError as error:
            raise ProvisioningError(f"what the server of tokens gave cannot be read: {error}") from error
        self._held, self._held_until = given.access_token, time.monotonic() + given.expires_in - _EARLIER_S

    def _forget(self, token: str) -> None:
        if token == self._held:
            self._held_until = 0.0

    async def _asked(self, url: str, headers: Mapping[str, str], body: bytes, whom: str) -> Reply:
        try:
            return await self._client.post(url, headers, body)
        except OutboundError as error:
            raise PoolAwayError(f"{whom} gave no answer: {error}") from error
