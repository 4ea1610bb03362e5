"""The built-in authority: it signs with a key in a file or a module, and tells over HTTP what it has revoked.

Signatures are made in a thread of their own, one after the other: a module may take its time, or none.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from cryptography import x509
from cryptography.x509 import ocsp

from chargebus_security.authorities import store
from chargebus_security.authorities.domain import issuing
from chargebus_security.authorities.domain.issuing import AuthorityFilesError, Issuer, Revocation
from chargebus_security.authorities.domain.profiles import BUILT_IN, Answer, Later, Profile, Signed
from chargebus_security.authorities.domain.requests import SigningRequest
from chargebus_security.authorities.errors import AuthorityAwayError
from chargebus_security.authorities.operations.files import AuthorityFiles

T = TypeVar("T")

_LOOKED_AT_FOR: Final = timedelta(seconds=5)
_LIST_FOR: Final = issuing.CRL_FOR / 2
_ANSWER_FOR: Final = timedelta(minutes=5)
_ANSWERS_KEPT: Final = 10_000
_WITHIN_S: Final = 20.0
"""How long a signature is waited for."""


@dataclass(frozen=True)
class _Seen:
    """What was revoked, by number and time, and when it was last seen that this is so."""

    of: store.Revocations
    at: datetime


@dataclass(frozen=True)
class _Made:
    """A revocation list or an OCSP answer: of whom, and of what was revoked, and when it was made."""

    of: tuple[x509.Certificate, store.Revocations | Revocation | None]
    made_at: datetime
    der: bytes


class BuiltIn:
    """An authority for trials, and for operators without a PKI."""

    name = BUILT_IN

    def __init__(self, files: AuthorityFiles, database: Database, clock: Clock) -> None:
        self._files = files
        self._database = database
        self._clock = clock
        self._seen: _Seen | None = None
        self._list: _Made | None = None
        self._building = asyncio.Lock()
        self._answers: OrderedDict[tuple[bytes, ...], _Made] = OrderedDict()
        self._signatures = ThreadPoolExecutor(1, thread_name_prefix="signing certificates")

    async def sign(self, request: SigningRequest, profile: Profile) -> Answer:
        """Return the certificate for a request."""
        now = self._clock()

        def issue(issuer: Issuer) -> Answer:
            if now >= issuer.certificate.not_valid_after_utc:
                return Later(f"the authority's own certificate ran out at {issuer.certificate.not_valid_after_utc}")
            return Signed((issuing.issue(issuer, request, profile, now), *issuer.intermediates))

        try:
            return await self._signed(issue)
        except AuthorityAwayError as error:
            return Later(str(error))

    async def certificates(self) -> Sequence[x509.Certificate]:
        """Return its own certificates, the root last; none, where there are none yet."""
        if self._files.have_changed:
            with suppress(AuthorityAwayError):
                await self._signed(lambda issuer: issuer)
        return self._files.certificates()

    async def revocation_list(self) -> bytes:
        """Return the list of what was revoked, in DER: made anew, by one at a time, where something was revoked.

        Raises:
            AuthorityAwayError: it cannot be signed now, and the last is over.
        """
        async with self._building:
            known = self._list
            try:
                known = self._list = await self._newest(known)
            except AuthorityAwayError:
                if known is None or self._clock() - known.made_at >= issuing.CRL_FOR:
                    raise
        return known.der

    async def _newest(self, known: _Made | None) -> _Made:
        now = self._clock()
        of = await self._own(), await self._revocations(now)
        if known is not None and known.of == of and now - known.made_at <= _LIST_FOR:
            return known
        async with self._database.pool.acquire() as connection:
            revoked = [_revocation(each) for each in await store.revoked(connection, BUILT_IN, now)]
        return _Made(of, now, await self._signed(lambda issuer: issuing.revocation_list(issuer, revoked, now)))

    async def ocsp(self, der: bytes) -> bytes:
        """Return the answer to an OCSP request, in DER; one without a nonce is kept for others that ask the same."""
        try:
            request = issuing.asked_about(der)
            own = await self._own()
            if not issuing.is_about(own, request):
                return issuing.not_ours()
        except (issuing.UnreadableOcspError, ValueError):
            return issuing.malformed()
        except AuthorityAwayError:
            return issuing.try_later()
        now = self._clock()
        async with self._database.pool.acquire() as connection:
            found = await store.find(connection, BUILT_IN, f"{request.serial_number:x}")
        revoked = None if found is None or found.revoked_at is None else _revocation(found)
        is_known = found is not None
        of = own, revoked
        name = _name(request)
        kept = None if name is None else self._answers.get(name)
        if kept is not None and kept.of == of and now - kept.made_at <= _ANSWER_FOR:
            return kept.der
        try:
            answer = await self._signed(
                lambda issuer: issuing.ocsp_answer(issuer, request, lambda: (is_known, revoked), now)
            )
        except AuthorityAwayError:
            return issuing.try_later()
        if name is not None and is_known:
            self._keep(name, _Made(of, now, answer))
        return answer

    def _keep(self, name: tuple[bytes, ...], answer: _Made) -> None:
        self._answers[name] = answer
        self._answers.move_to_end(name)
        if len(self._answers) > _ANSWERS_KEPT:
            self._answers.popitem(last=False)

    async def _own(self) -> x509.Certificate:
        own = await self.certificates()
        if not own:
            raise AuthorityAwayError("the authority has no certificate yet")
        return own[0]

    async def _revocations(self, now: datetime) -> store.Revocations:
        """Return what was revoked, as it was a few seconds ago at most."""
        seen = self._seen
        if seen is None or now - seen.at > _LOOKED_AT_FOR:
            async with self._database.pool.acquire() as connection:
                of = await store.revocations(connection, BUILT_IN, now)
            seen = self._seen = _Seen(of, now)
        return seen.of

    async def _signed(self, sign: Callable[[Issuer], T]) -> T:
        """Return what is signed.

        Raises:
            AuthorityAwayError: it cannot be now.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_WITHIN_S):
                return await loop.run_in_executor(self._signatures, lambda: sign(self._files.issuer()))
        except AuthorityFilesError as error:
            raise AuthorityAwayError(str(error)) from error
        except TimeoutError as error:
            raise AuthorityAwayError(f"nothing was signed within {_WITHIN_S:.0f} s") from error


def _name(request: ocsp.OCSPRequest) -> tuple[bytes, ...] | None:
    """Return what is the same for all that ask the same; None: it is to be answered by itself, as it has a nonce."""
    if len(request.extensions):
        return None
    serial = f"{request.serial_number:x}".encode()
    return request.issuer_name_hash, request.issuer_key_hash, serial, request.hash_algorithm.name.encode()


def _revocation(certificate: store.IssuedCertificate) -> Revocation:
    assert certificate.revoked_at is not None  # noqa: S101 - only such are asked for
    return Revocation(
        int(certificate.serial_number, 16), certificate.revoked_at, certificate.revocation_reason or "unspecified"
    )
