"""What is to be found out of a contract certificate that a station shows, and what is said of it then. Pure.

A station that validates chains itself sends the names of their certificates, by hashes; one that does not (it lacks the
root, and may leave it to the CSMS) sends the chain.

Spec: OCPP 2.0.1 and 2.1 C07, ISO15118Ctrlr.CentralContractValidationAllowed
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal

import msgspec
from chargebus_certificates.responses import responder
from chargebus_events.frames import ContractCheck
from cryptography import x509

from chargebus_security.contracts.domain.chain import Authorities, check_name, find_issuers, find_path
from chargebus_security.contracts.domain.shown import read_chain
from chargebus_security.contracts.errors import RefusedContractError
from chargebus_security.inventory.domain.hashes import hash_data, keys_of
from chargebus_security.inventory.errors import UnreadableCertificateError
from chargebus_security.status.domain.asked import Found, Question

EMAID: Final = "emaid"

Away = Literal["refuse", "accept"]
"""What becomes of a contract whose state nobody can tell now."""


class Link(msgspec.Struct, frozen=True):
    """A certificate of a chain: how its state may be asked, in this order, and who issued it, where that is known."""

    ways: tuple[Question, ...]
    issuer: x509.Certificate | None = None


class Shown(msgspec.Struct, frozen=True):
    """What a station shows of a contract.

    Attributes:
        token: the idToken, and `token_type` its type.
        chain: the certificates, in PEM; empty where the station has validated them itself.
        named: those of the chain, and where their state may be asked.
    """

    token: str
    token_type: str
    chain: str = ""
    named: tuple[Question, ...] = ()


class Policy(msgspec.Struct, frozen=True):
    """What an operator says.

    Attributes:
        local: stations' own validation counts, of which they tell by hashes.
        away: what becomes of a contract if nobody can tell its state.
        uncertified: an eMAID counts of which neither a chain nor hashes are shown.
    """

    local: bool = True
    away: Away = "refuse"
    uncertified: bool = False


def to_ask(shown: Shown, authorities: Authorities, policy: Policy, now: datetime) -> list[Link]:
    """Return whose state is to be asked, certificate by certificate.

    Raises:
        RefusedContractError: whatever comes of that.
    """
    if shown.token_type.casefold() != EMAID:
        raise RefusedContractError("CertChainError", f"the idToken is no eMAID, but of type {shown.token_type}")
    if shown.chain:
        return _of_chain(shown, authorities, now)
    if not shown.named:
        if policy.uncertified:
            return []
        raise RefusedContractError("NoCertificateAvailable", "neither a chain nor hashes of one are shown")
    if not policy.local:
        raise RefusedContractError(
            "NoCertificateAvailable", "no chain is shown, and stations' own validation counts not"
        )
    return _of_names(shown.named, authorities, now)


def verdict(asked: Sequence[Link], found: Mapping[Question, Found], policy: Policy) -> ContractCheck:
    """Return what is said of a contract certificate, by what was found of its chain."""
    states = [_state(link, found) for link in asked]
    if "Revoked" in states:
        return ContractCheck("CertificateRevoked", "a certificate of the chain is revoked")
    if "Unknown" in states:
        return ContractCheck("CertChainError", "the responder of a certificate of the chain does not know it")
    if "Failed" in states and policy.away == "refuse":
        why = next((each.why for each in found.values() if each.why), "nobody says whether the chain is revoked")
        return ContractCheck("CertChainError", why)
    return ContractCheck("Accepted")


def is_told(link: Link, found: Mapping[Question, Found]) -> bool:
    """Tell whether the state of a certificate is known, or all are known to know nothing of it who could say it."""
    states = [found[each].status if each in found else "Failed" for each in link.ways]
    return "Revoked" in states or "Good" in states or (bool(states) and set(states) == {"Unknown"})


def _state(link: Link, found: Mapping[Question, Found]) -> str:
    states = [found[each].status for each in link.ways if each in found]
    return next((each for each in ("Revoked", "Good", "Unknown") if each in states), "Failed")


def _of_chain(shown: Shown, authorities: Authorities, now: datetime) -> list[Link]:
    try:
        certificates = read_chain(shown.chain)
    except UnreadableCertificateError as error:
        raise RefusedContractError("CertChainError", f"the chain cannot be read: {error}") from error
    path = find_path(certificates, authorities, now)
    check_name(path[0], shown.token)
    told = {each.named.key: each for each in shown.named}
    return [_link(each, issuer, told) for each, issuer in pairwise(path)]


def _of_names(named: Sequence[Question], authorities: Authorities, now: datetime) -> list[Link]:
    """Return whose state is to be asked of a chain that is told by hashes: of who is above those named, too.

    Who has issued what is named has to be known here, and to lead to a root that is trusted: what a responder brings
    along tells of nobody but itself.
    """
    told = {each.named.key: each for each in named}
    links: dict[str, Link] = {}
    for each in named:
        path = find_issuers(each.named, authorities, now)
        links.setdefault(each.named.key, Link((each,), path[0]))
        for certificate, issuer in pairwise(path):
            if told.keys().isdisjoint(keys_of(certificate, issuer)):
                links.setdefault(hash_data(certificate, issuer).key, _link(certificate, issuer, told))
    return list(links.values())


def _link(certificate: x509.Certificate, issuer: x509.Certificate, told: Mapping[str, Question]) -> Link:
    named = hash_data(certificate, issuer)
    url, lists = responder(certificate), _lists(certificate)
    told_urls = next((told[key].urls for key in keys_of(certificate, issuer) if key in told), ())
    responders = told_urls if url is None else (url,)
    by_ocsp = (Question(named, "OCSP", responders),) if responders else ()
    by_list = (Question(named, "CRL", lists),) if lists else ()
    return Link((*by_ocsp, *by_list), issuer)


def _lists(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return ()
    names = [name for point in points for name in point.full_name or ()]
    return tuple(each.value for each in names if isinstance(each, x509.UniformResourceIdentifier))
