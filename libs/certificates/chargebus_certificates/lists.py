"""What a list of revoked certificates (CRL) proves of a certificate of its issuer.

Spec: RFC 5280 5.2, 6.3.3
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509

from chargebus_certificates.proof import LONGEST, UNREADABLE, NoProofError, Proof, counts_until, signing_key


@dataclass
class RevocationList:
    """A list of all that its issuer has revoked; the numbers are taken out once: a large one is long to look through.

    Attributes:
        crl: the list.
        serials: what was revoked.
        points: where it is to be had, by its own word; a list for others than these says nothing. Empty: it is for all.
    """

    crl: x509.CertificateRevocationList
    serials: frozenset[int]
    points: frozenset[str] = frozenset()
    _signed_by: set[bytes] = field(default_factory=set)

    def is_of(self, issuer: x509.Certificate) -> bool:
        """Tell whether an authority has signed it; once it is known to have, it is not computed again."""
        if self.crl.issuer != issuer.subject:
            return False
        name = issuer.tbs_certificate_bytes
        if name in self._signed_by:
            return True
        try:
            is_signed = _may_sign(issuer) and self.crl.is_signature_valid(signing_key(issuer))
        except (NoProofError, *UNREADABLE):  # it is signed in a way that is not known here
            return False
        if is_signed:
            self._signed_by.add(name)
        return is_signed

    def proof(self, serial_number: int, now: datetime, keep: timedelta) -> Proof:
        """Return what it proves of a certificate of whom it is of; one that does not say until when counts for `keep`.

        A list that is over tells still what it has: nobody takes a revocation back.

        Raises:
            NoProofError: it does not count now.
        """
        begins, ends = self.crl.last_update_utc, self.crl.next_update_utc
        if serial_number in self.serials:
            return Proof("Revoked", min(max(ends or now, now + keep), now + LONGEST))
        return Proof("Good", counts_until(begins, ends, now, keep))

    def covers(self, certificate: x509.Certificate) -> bool:
        """Tell whether it is a list for this certificate: issuers may have several, each for a part.

        Spec: RFC 5280 6.3.3 (b) (2) (i)
        """
        named = _points(certificate) if self.points else frozenset()
        return not named or self.is_at(named)

    def is_at(self, points: Iterable[str]) -> bool:
        """Tell whether it is a list for certificates that name these points, one at least."""
        return not self.points or not self.points.isdisjoint(points)


def read(content: bytes) -> RevocationList:
    """Read a list of revoked certificates, in DER or PEM.

    Raises:
        NoProofError: it is none, or holds only a part of what its issuer has revoked.
    """
    load = x509.load_pem_x509_crl if content.lstrip().startswith(b"-----BEGIN") else x509.load_der_x509_crl
    try:
        crl = load(content)
        crl.issuer.rfc4514_string()
        points = frozenset[str]()
        for extension in crl.extensions:
            if why := _part(extension):
                raise NoProofError(f"it holds only {why}")
            if isinstance(extension.value, x509.IssuingDistributionPoint):
                points = _urls(extension.value.full_name)
        return RevocationList(crl, frozenset(entry.serial_number for entry in crl), points)
    except UNREADABLE as error:
        raise NoProofError(f"it is no list of revoked certificates: {error}") from error


def _part(extension: x509.Extension[x509.ExtensionType]) -> str:
    """Return of what only a list tells; empty: of all that its issuer has revoked, or it is not this that says so."""
    value = extension.value
    if isinstance(value, x509.DeltaCRLIndicator):
        return "what has changed since another"
    if not isinstance(value, x509.IssuingDistributionPoint):
        return f"what {extension.oid.dotted_string} means, which is not known here" if extension.critical else ""
    if value.indirect_crl:
        return "what others than its issuer have issued, too"
    if value.only_some_reasons:
        return "what was revoked for some reasons"
    users, authorities = value.only_contains_user_certs, value.only_contains_ca_certs
    return "one kind of certificates" if users or authorities or value.only_contains_attribute_certs else ""


def _may_sign(issuer: x509.Certificate) -> bool:
    """Tell whether an authority is one that signs lists. Spec: RFC 5280 6.3.3 (f)."""
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _points(certificate: x509.Certificate) -> frozenset[str]:
    """Return where the lists for a certificate are to be had, by its word."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        return frozenset[str]().union(*(_urls(each.full_name) for each in points))
    except (x509.ExtensionNotFound, *UNREADABLE):
        return frozenset()


def _urls(names: list[x509.GeneralName] | None) -> frozenset[str]:
    return frozenset(each.value for each in names or () if isinstance(each, x509.UniformResourceIdentifier))
