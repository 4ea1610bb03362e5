"""The tables of signing: SignCertificate in, CertificateSigned and TriggerMessage out, and what comes of them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from chargebus_calls import Routes, Row
from chargebus_commanding import Form, Intents, Outcome, Transaction

from chargebus_security.authorities.domain.profiles import STATION, V2G20
from chargebus_security.inventory.operations import Inventory
from chargebus_security.metrics import Metrics
from chargebus_security.signing import store, v16, v21, v201
from chargebus_security.signing.block import SignCertificates
from chargebus_security.signing.domain import request as life
from chargebus_security.signing.domain.policy import Refusal
from chargebus_security.signing.domain.request import CertificateRequest, Patience, Told
from chargebus_security.signing.payload import SignCertificate

SIGNED: Final = "certificate"
TRIGGER: Final = "certificate-request"

_V16: Final[Row[SignCertificate, Refusal | None]] = Row(v16.sign_certificate, SignCertificates, v16.answered)
_V201: Final[Row[SignCertificate, Refusal | None]] = Row(v201.sign_certificate, SignCertificates, v201.answered)

ROUTES: Final[Routes] = {
    ("1.6", "SignCertificate"): _V16,
    ("2.0.1", "SignCertificate"): _V201,
    ("2.1", "SignCertificate"): _V201,
}


def certificate_forms(request: CertificateRequest) -> tuple[Form, ...]:
    """Return the forms that bring a certificate, in the versions that know its type."""
    forms = [Form.of(("2.1",), "CertificateSigned", v21.certificate_signed(request))]
    if request.certificate_type != V2G20:
        forms.append(Form.of(("2.0.1",), "CertificateSigned", v201.certificate_signed(request)))
    if request.certificate_type == STATION:
        forms.append(Form.of(("1.6",), "CertificateSigned", v16.certificate_signed(request)))
    return tuple(forms)


def trigger_forms(certificate_type: str) -> tuple[Form, ...]:
    """Return the forms in which a station is asked to send a CSR, in the versions that know the type.

    Spec: OCPP 2.0.1 A02.FR.01, F06; OCPP 1.6 security white paper A02
    """
    ways = (
        ("1.6", "ExtendedTriggerMessage", v16.TRIGGERS),
        ("2.0.1", "TriggerMessage", v201.TRIGGERS),
        ("2.1", "TriggerMessage", v21.TRIGGERS),
    )
    return tuple(
        Form.of((version,), action, {"requestedMessage": words[certificate_type]})
        for version, action, words in ways
        if certificate_type in words
    )


class Outcomes:
    """Takes what stations say of their certificates."""

    def __init__(self, patience: Patience, inventory: Inventory, metrics: Metrics) -> None:
        self._patience = patience
        self._inventory = inventory
        self._metrics = metrics

    @property
    def intents(self) -> Intents:
        """What is done about the outcomes of each intent."""
        return {SIGNED: self.brought, TRIGGER: _nothing}

    async def brought(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Take what came of certificates that were sent."""
        known = await store.lock(tx.connection, {UUID(outcome.subject) for outcome in outcomes})
        before = dict(known)
        for outcome in outcomes:
            request = known.get(UUID(outcome.subject))
            if request is not None:
                known[request.request_id] = life.told(request, _told(outcome), self._patience, tx.now)
        changed = [each for number, each in known.items() if each != before[number]]
        await store.keep(tx.connection, changed)
        installed = [each for each in changed if each.state == "installed"]
        await store.replaced(tx.connection, [each.request_id for each in installed])
        for each in installed:
            await self._inventory.installed(tx, each.chain)
        for each in changed:
            self._metrics.brought.add(1, {"outcome": each.state})


def _told(outcome: Outcome) -> Told:
    return Told(outcome.name in ("answered", "refused"), outcome.status, outcome.why)


async def _nothing(_tx: Transaction, _outcomes: Sequence[Outcome]) -> None:
    """Do nothing: the CSR comes by itself."""
