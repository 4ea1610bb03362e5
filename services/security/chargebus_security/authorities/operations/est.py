"""An authority elsewhere that speaks EST over HTTPS.

Spec: RFC 7030 (simpleenroll, cacerts), RFC 8951
"""

import asyncio
import base64
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
from chargebus_certificates.proof import UNREADABLE
from chargebus_runtime.clock import Clock
from cryptography import x509

from chargebus_security.authorities.domain import enrolment
from chargebus_security.authorities.domain.profiles import EST, STATION, Answer, Later, Profile
from chargebus_security.authorities.domain.requests import SigningRequest

log = logging.getLogger(__name__)

_MOST_BYTES: Final = 1024 * 1024
_WRONG: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, *UNREADABLE)
_AUTHORITIES_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class EstOptions:
    """Where the server is, and how one is known to it.

    Attributes:
        url: `https://est.example.com/.well-known/est`, with a label behind it where the server has several authorities.
        v2g_url: where what is used towards vehicles is signed; empty: at `url`.
        ca: a file with the authorities that its certificate may come from; None: the system's.
        certificate, key: a client certificate. Files are read anew with each connection.
        timeout_s: how long it may take to answer.
    """

    url: str
    v2g_url: str = ""
    username: str = ""
    password: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    timeout_s: float = 30.0


class Est:
    """Enrols at an EST server."""

    name = EST

    def __init__(self, options: EstOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._authorities: dict[str, tuple[datetime, tuple[x509.Certificate, ...]]] = {}

    async def sign(self, request: SigningRequest, profile: Profile) -> Answer:
        """Enrol; whatever does not work is asked for again later."""
        url = self._url(profile.certificate_type)
        try:
            async with asyncio.timeout(2 * self._options.timeout_s), await self._client() as client:
                status, headers, content = await self._exchange(
                    client, "POST", f"{url}/simpleenroll", enrolment.body(request)
                )
                came = enrolment.enrolled(status, headers, content, request, self._clock())
                if not isinstance(came, x509.Certificate):
                    return came
                return enrolment.chained(came, await self._known(client, url))
        except _WRONG as error:
            return Later(f"the EST server at {url}: {error or type(error).__name__}")

    async def certificates(self) -> Sequence[x509.Certificate]:
        """Return what the server says are its own certificates, roots last; nothing, where it does not say it."""
        try:
            async with await self._client() as client:
                known = await self._known(client, self._options.url)
                return sorted(known, key=lambda each: each.issuer == each.subject)
        except _WRONG as error:
            log.warning("the EST server at %s does not tell its certificates: %s", self._options.url, error)
            return ()

    async def _known(self, client: httpx.AsyncClient, url: str) -> tuple[x509.Certificate, ...]:
        """Return the server's own certificates, as they were not long ago."""
        known = self._authorities.get(url)
        if known is None or self._clock() - known[0] > _AUTHORITIES_FOR:
            status, _, content = await self._exchange(client, "GET", f"{url}/cacerts")
            if status != httpx.codes.OK:
                raise ValueError(f"its cacerts: HTTP {status}")
            known = self._authorities[url] = self._clock(), enrolment.certificates(content)
        return known[1]

    async def _exchange(
        self, client: httpx.AsyncClient, method: str, url: str, body: bytes = b""
    ) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"} if body else {}
        if self._options.username:
            pair = f"{self._options.username}:{self._options.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        async with client.stream(method, url, headers=headers, content=body) as answer:
            content = b""
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise ValueError(f"it answers with more than {_MOST_BYTES} bytes")
            return answer.status_code, answer.headers, content

    async def _client(self) -> httpx.AsyncClient:
        tls = await asyncio.to_thread(self._tls)  # the system's authorities take long to read
        return httpx.AsyncClient(verify=tls, timeout=self._options.timeout_s, trust_env=False)

    def _tls(self) -> ssl.SSLContext:
        options = self._options
        tls = ssl.create_default_context(cafile=None if options.ca is None else str(options.ca))
        if options.certificate is not None:
            tls.load_cert_chain(options.certificate, options.key)
        return tls

    def _url(self, certificate_type: str) -> str:
        v2g = certificate_type not in (STATION, "")
        return (self._options.v2g_url if v2g and self._options.v2g_url else self._options.url).rstrip("/")
