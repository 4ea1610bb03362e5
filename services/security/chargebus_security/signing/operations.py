"""What is done about requests by time and over HTTP: signed, sent, renewed, shown."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import UniqueViolationError
from chargebus_commanding import Ask, Asked, Commanding
from chargebus_runtime.database import Database, Transaction
from chargebus_runtime.tasks import DueWork
from cryptography.hazmat.primitives import hashes

from chargebus_security.authorities import store as issued
from chargebus_security.authorities.domain.profiles import BUILT_IN, Answer, Later, Refused, Signed, pem, serial_hex
from chargebus_security.authorities.domain.requests import UnreadableRequestError, read
from chargebus_security.authorities.operations.signing import Authority
from chargebus_security.authorities.store import IssuedCertificate
from chargebus_security.inventory.domain.certificate import MOST, printable
from chargebus_security.inventory.errors import UnreadableCertificateError
from chargebus_security.inventory.operations import Inventory
from chargebus_security.metrics import Metrics
from chargebus_security.signing import store
from chargebus_security.signing.domain import request as life
from chargebus_security.signing.domain.policy import Policy
from chargebus_security.signing.domain.request import Certificate, CertificateRequest, Patience
from chargebus_security.signing.errors import UnknownRequestError, UnknownTargetError, UnsuitedError
from chargebus_security.signing.routes import SIGNED, TRIGGER, certificate_forms, trigger_forms
from chargebus_security.signing.store import Filter, Numbered
from chargebus_security.stations import store as stations

log = logging.getLogger(__name__)

_SIGNED_AT_ONCE: Final = 8
_SENT_AT_ONCE: Final = 50
_PRUNED_AT_ONCE: Final = 1000
_ASK_TTL_S: Final = 30.0
_TRIGGER_TTL_S: Final = 10.0
_RENEW_AGAIN: Final = timedelta(days=1)

COMBINED_KIND: Final = "CombinedCertificate"
"""What the inventory calls a certificate for both uses, which has no type in OCPP."""


@dataclass(frozen=True)
class Signing:
    """How signing is done: by what policy and authorities, how patiently.

    Attributes:
        claim: how long an authority may take with a request before another copy asks it.
        answer_s: how long a station may take to say what it makes of a certificate.
        chain_limit: how many characters a chain may have.
        renewals: how many stations are asked at once to renew.
        keep: how long requests are kept.
    """

    policy: Policy
    authorities: Mapping[str, Authority]
    patience: Patience
    claim: timedelta
    answer_s: float
    chain_limit: int
    renewals: int
    keep: timedelta


class Requests:
    """Requests for certificates."""

    def __init__(
        self, database: Database, commanding: Commanding, signing: Signing, inventory: Inventory, metrics: Metrics
    ) -> None:
        self._database = database
        self._commanding = commanding
        self._signing = signing
        self._inventory = inventory
        self._metrics = metrics
        self._to_send = DueWork(database, _SENT_AT_ONCE, self._take_signed, self._send)
        self._to_renew = DueWork(database, signing.renewals, self._take_renewals, self._renew)

    # What time does

    async def sign(self) -> None:
        """Have signed what waits: a few at once, each kept by itself; who is killed meanwhile leaves it to others."""
        while True:
            async with self._database.transaction() as tx:
                until = tx.now + self._signing.claim
                claimed = await store.claim(tx.connection, tx.now, until, _SIGNED_AT_ONCE)
            await asyncio.gather(*map(self._sign, claimed))
            if len(claimed) < _SIGNED_AT_ONCE:
                return

    async def send(self) -> None:
        """Send stations the certificates that are there for them."""
        await self._to_send.sweep()

    async def renew(self) -> None:
        """Ask some stations whose certificates end soon for a new request."""
        await self._to_renew.sweep_some()

    async def prune(self) -> None:
        """Drop what is older than it is kept."""
        async with self._database.transaction() as tx:
            before = tx.now - self._signing.keep
            await store.prune(tx.connection, before, _PRUNED_AT_ONCE)
            await issued.prune(tx.connection, before, _PRUNED_AT_ONCE)
            await self._inventory.prune(tx, before, _PRUNED_AT_ONCE)

    async def answer(self, request: CertificateRequest, name: str) -> Answer:
        """Return what an authority makes of a request; whatever is wrong with it is a reason to ask again."""
        authority = self._signing.authorities.get(name)
        if authority is None:
            return Refused("no authority signs such certificates here any more")
        try:
            checked = read(request.csr)
        except UnreadableRequestError as error:
            return Refused(str(error))
        try:
            answer = await authority.sign(checked, self._signing.policy.profile(request.certificate_type))
        except Exception as error:
            log.exception("the authority %s fails with the request of %s", name, request.station_id)
            answer = Later(f"the authority fails: {error or type(error).__name__}")
        if isinstance(answer, Later):
            log.warning("the authority %s does not sign for %s yet: %s", name, request.station_id, answer.why)
        return answer

    async def _sign(self, request: CertificateRequest) -> None:
        name = self._signing.policy.authorities.get(request.certificate_type, "")
        answer = await self.answer(request, name)
        try:
            await self._take(request, name, answer)
        except UniqueViolationError as error:
            await self._take(request, name, Refused(f"the certificate that came cannot be kept: {error}"))

    async def _take(self, request: CertificateRequest, name: str, answer: Answer) -> None:
        """Keep what an authority answered; a certificate that nobody waits for any more is on record all the same."""
        async with self._database.transaction() as tx:
            held = (await store.lock(tx.connection, [request.request_id])).get(request.request_id)
            after = held
            if held is not None and held.state == "waiting":
                after = await self._after(tx, held, name, answer)
            elif isinstance(answer, Signed):  # another copy had it, or the station wants another by now
                await issued.add(tx.connection, _left_over(_issued(request, name, answer, tx), tx.now))
            if after is not None:
                await store.keep(tx.connection, [msgspec.structs.replace(after, claimed_until=None)])
        self._metrics.signed.add(1, {"authority": name, "outcome": "dropped" if after is None else after.state})

    async def _after(
        self, tx: Transaction, request: CertificateRequest, name: str, answer: Answer
    ) -> CertificateRequest:
        """Return a request after the authority's answer, and keep the certificate."""
        if isinstance(answer, Later):
            return life.put_off(request, answer.why, answer.at, self._signing.patience, tx.now)
        if isinstance(answer, Refused):
            return life.refused(request, answer.why, tx.now)
        whole = [pem(each) for each in answer.chain]
        chain = life.cut(whole, self._signing.chain_limit)
        if not chain:
            why = f"its certificate has {len(whole[0])} characters, too many to be sent"
            return await self._unusable(tx, request, name, answer, why)
        kind = request.certificate_type or COMBINED_KIND
        try:
            await self._inventory.issued(tx, "".join(whole[:MOST]), kind, request.station_id)
        except UnreadableCertificateError as error:
            return await self._unusable(tx, request, name, answer, f"its certificate is worth nothing: {error}")
        await issued.add(tx.connection, _issued(request, name, answer, tx))
        leaf = answer.leaf
        certificate = Certificate(name, serial_hex(leaf), chain, leaf.not_valid_before_utc, leaf.not_valid_after_utc)
        return life.signed(request, certificate, tx.now)

    async def _unusable(
        self, tx: Transaction, request: CertificateRequest, name: str, answer: Signed, why: str
    ) -> CertificateRequest:
        """Return a request whose certificate goes to nobody; it is on record, since it is valid all the same."""
        await issued.add(tx.connection, _left_over(_issued(request, name, answer, tx), tx.now))
        return life.refused(request, why, tx.now)

    async def _take_signed(self, tx: Transaction, limit: int) -> Sequence[CertificateRequest]:
        return await store.take_due(tx.connection, tx.now, limit)

    async def _send(self, tx: Transaction, due: Sequence[CertificateRequest]) -> int:
        for request in due:
            await self._commanding.ask(
                tx,
                Ask(
                    request.station_id,
                    SIGNED,
                    certificate_forms(request),
                    timeout_s=self._signing.answer_s,
                    ttl_s=_ASK_TTL_S,
                    subject=str(request.request_id),
                ),
            )
        await store.keep(tx.connection, [life.sent(request, tx.now) for request in due])
        return len(due)

    async def _take_renewals(self, tx: Transaction, limit: int) -> Sequence[CertificateRequest]:
        return await store.take_renewals(tx.connection, tx.now, limit)

    async def _renew(self, tx: Transaction, due: Sequence[CertificateRequest]) -> int:
        for request in due:
            await self._trigger(tx, request.station_id, request.certificate_type)
        await store.put_off_renewals(tx.connection, [each.request_id for each in due], tx.now + _RENEW_AGAIN)
        self._metrics.renewals.add(len(due))
        return len(due)

    async def _trigger(self, tx: Transaction, station_id: str, certificate_type: str) -> Asked:
        forms = trigger_forms(certificate_type)
        ask = Ask(station_id, TRIGGER, forms, timeout_s=self._signing.answer_s, ttl_s=_TRIGGER_TTL_S)
        return await self._commanding.ask(tx, ask)

    # What HTTP does

    async def ask_for(self, station_id: str, certificate_type: str) -> Asked:
        """Ask a station for a CSR, as it is asked for one that ends soon.

        Raises:
            UnknownTargetError: there is no such station.
            UnsuitedError: its version of OCPP does not know such certificates.
        """
        async with self._database.transaction() as tx:
            station = (await stations.find(tx.connection, [station_id])).get(station_id)
            if station is None or not station.is_registered:
                raise UnknownTargetError(
                    f"No station {station_id!r} is known here. Register it with POST /v1/stations first."
                )
            version = station.ocpp_version
            if version and not any(version in form.versions for form in trigger_forms(certificate_type)):
                kind = certificate_type or "certificates for both uses"
                raise UnsuitedError(f"The station speaks OCPP {version}, which does not know {kind}.")
            return await self._trigger(tx, station_id, certificate_type)

    async def page(self, wanted: Filter, before: int | None, limit: int) -> Sequence[Numbered]:
        """Return up to `limit` requests, the newest first."""
        async with self._database.pool.acquire() as connection:
            return await store.page(connection, wanted, before, limit)

    async def find(self, request_id: UUID) -> CertificateRequest:
        """Return a request.

        Raises:
            UnknownRequestError: there is no such one.
        """
        async with self._database.pool.acquire() as connection:
            found = await store.find(connection, request_id)
        if found is None:
            raise UnknownRequestError(f"There is no request {request_id}.")
        return found


def _left_over(certificate: IssuedCertificate, now: datetime) -> IssuedCertificate:
    """Return a certificate that came and goes to nobody: ours to revoke if it is ours."""
    if certificate.authority != BUILT_IN:
        return certificate
    return msgspec.structs.replace(certificate, revoked_at=now, revocation_reason="superseded")


def _issued(request: CertificateRequest, authority: str, answer: Signed, tx: Transaction) -> IssuedCertificate:
    leaf = answer.leaf
    return IssuedCertificate(
        authority=authority,
        serial_number=serial_hex(leaf),
        request_id=request.request_id,
        station_id=request.station_id,
        certificate_type=request.certificate_type,
        subject=printable(leaf.subject),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        chain="".join(pem(each) for each in answer.chain),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        issued_at=tx.now,
    )
