"""Certificates that were issued: listed, searched, revoked."""

from collections.abc import Mapping, Sequence

from chargebus_runtime.database import Database
from cryptography import x509

from chargebus_security.authorities import store
from chargebus_security.authorities.domain.profiles import BUILT_IN
from chargebus_security.authorities.errors import NotRevocableError, UnknownAuthorityError, UnknownCertificateError
from chargebus_security.authorities.operations.signing import Authority
from chargebus_security.authorities.store import Filter, IssuedCertificate, Numbered
from chargebus_security.metrics import Metrics


class Issued:
    """The operations; `authorities` are those there are here, by name."""

    def __init__(self, database: Database, authorities: Mapping[str, Authority], metrics: Metrics) -> None:
        self._database = database
        self._authorities = authorities
        self._metrics = metrics

    @property
    def names(self) -> Sequence[str]:
        """The authorities there are."""
        return sorted(self._authorities)

    async def certificates_of(self, authority: str) -> Sequence[x509.Certificate]:
        """Return an authority's own certificates.

        Raises:
            UnknownAuthorityError: there is no such authority here.
        """
        if authority not in self._authorities:
            raise UnknownAuthorityError(
                f"There is no authority {authority!r} here; there are: {', '.join(self.names) or 'none'}. "
                "See SECURITY_STATION_AUTHORITY."
            )
        return await self._authorities[authority].certificates()

    async def page(self, wanted: Filter, before: int | None, limit: int) -> Sequence[Numbered]:
        """Return up to `limit` certificates, the newest first."""
        async with self._database.pool.acquire() as connection:
            return await store.page(connection, wanted, before, limit)

    async def find(self, authority: str, serial_number: str) -> IssuedCertificate:
        """Return a certificate.

        Raises:
            UnknownCertificateError: there is no such one.
        """
        async with self._database.pool.acquire() as connection:
            return _there(await store.find(connection, authority, serial_number), serial_number)

    async def revoke(self, authority: str, serial_number: str, reason: str) -> IssuedCertificate:
        """Revoke a certificate of the built-in authority; one that was revoked before stays so, as it was.

        Raises:
            UnknownCertificateError: there is no such one.
            NotRevocableError: it comes from elsewhere.
        """
        async with self._database.transaction() as tx:
            found = _there(await store.find(tx.connection, authority, serial_number), serial_number)
            if authority != BUILT_IN:
                raise NotRevocableError(
                    f"The certificate {serial_number} comes from {authority!r}: revoke it there. EST cannot."
                )
            revoked = await store.revoke(tx.connection, (authority, serial_number), tx.now, reason)
        if revoked is not None:
            self._metrics.revoked.add(1, {"reason": reason})
        return revoked or found


def _there(found: IssuedCertificate | None, serial_number: str) -> IssuedCertificate:
    if found is None:
        raise UnknownCertificateError(f"No certificate {serial_number} was issued.")
    return found
