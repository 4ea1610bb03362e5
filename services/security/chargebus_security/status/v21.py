"""OCPP 2.1: what it adds: the status of a whole chain, by OCSP and by lists of revoked certificates."""

from collections.abc import Sequence
from typing import Final

from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader
from chargebus_ocppj.timestamps import format_timestamp

from chargebus_security.status import v201
from chargebus_security.status.domain.asked import Found, Question, Source
from chargebus_security.status.v201 import CertificateHashData, Questions

LONGEST: Final = 18_000


class _StatusRequestInfo(Payload, frozen=True, rename="camel"):
    certificate_hash_data: CertificateHashData
    source: Source
    urls: tuple[str, ...]


class _GetCertificateChainStatus(Payload, frozen=True, rename="camel"):
    certificate_status_requests: tuple[_StatusRequestInfo, ...]


_read: Final = reader(_GetCertificateChainStatus)


def answer(_questions: Questions, found: Sequence[Found]) -> dict[str, object]:
    """Return what the responder answered to GetCertificateStatus; 2.1 allows longer answers."""
    return v201.told(found[0], LONGEST)


def chain_asked(frame: Frame) -> Questions:
    """Read a GetCertificateChainStatus."""
    requests = _read(frame.payload).certificate_status_requests
    return tuple(Question(each.certificate_hash_data.named, each.source, each.urls) for each in requests)


def chain_answer(questions: Questions, found: Sequence[Found]) -> dict[str, object]:
    """Return the status of each certificate that was asked about, in the same order; Failed where nobody said it.

    Spec: OCPP 2.1 M07.FR.01 to FR.08
    """
    return {
        "certificateStatus": [
            {
                "certificateHashData": question.named.members(),
                "source": question.source,
                "status": each.status,
                "nextUpdate": format_timestamp(each.next_update),
            }
            for question, each in zip(questions, found, strict=True)
        ]
    }
