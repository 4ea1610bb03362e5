"""The tables: in which words each version is asked about certificates, and what its answers mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chargebus_commanding import Form, Outcome

from chargebus_security.inventory.domain.hashes import HashData
from chargebus_security.trust import payload, v16, v21, v201
from chargebus_security.trust.domain.station import Installed, Told

Types = tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """The words of a version: its types of roots, how it is asked what it has, and how it says that."""

    types: Mapping[str, str]
    longest: int
    reports: Callable[[Types], list[tuple[Types, dict[str, object]]]]
    installed: Callable[[Mapping[str, Any], Types], list[Installed]]


WORDS: Final[Mapping[str, Words]] = {
    "1.6": Words(v16.TYPES, v16.LONGEST, v16.reports, v16.installed),
    "2.0.1": Words(v201.TYPES, v201.LONGEST, v201.reports, v201.installed),
    "2.1": Words(v21.TYPES, v21.LONGEST, v21.reports, v201.installed),
}
_ALL: Final = tuple(WORDS)
_NOTHING: Final = "NotFound"
_UNSUPPORTED: Final = frozenset({"NotImplemented", "NotSupported"})
_TAKEN: Final = frozenset({"Accepted"})
_GONE: Final = frozenset({"Accepted", "NotFound"})


def report_forms(version: str, types: Types) -> list[tuple[Types, tuple[Form, ...]]]:
    """Return the commands that ask a station of a version what it has, each with the types that it is about."""
    words = WORDS.get(version)
    asked = [] if words is None else words.reports(types)
    return [(about, (Form.of((version,), "GetInstalledCertificateIds", members),)) for about, members in asked]


def install_forms(certificate_type: str, pem: str) -> tuple[Form, ...]:
    """Return the forms that install a root: one for each version that has the type, and room for the certificate."""
    return tuple(
        Form.of((version,), "InstallCertificate", payload.install_certificate(words.types[certificate_type], pem))
        for version, words in WORDS.items()
        if certificate_type in words.types and len(pem) <= words.longest
    )


def delete_forms(named: HashData) -> tuple[Form, ...]:
    """Return the forms that delete a certificate."""
    return (Form.of(_ALL, "DeleteCertificate", payload.delete_certificate(named)),)


def installed_of(outcome: Outcome, types: Types) -> list[Installed] | None:
    """Return what a station says it has; None: it did not say."""
    if outcome.name != "answered":
        return None
    if outcome.status == _NOTHING:
        return []
    words = WORDS.get(outcome.version)
    return None if words is None or outcome.status not in _TAKEN else words.installed(outcome.members, types)


def told_of(outcome: Outcome, *, deletes: bool = False) -> Told:
    """Return what the outcome of a command means; what is not there need not be deleted."""
    if outcome.name == "answered" and outcome.status in (_GONE if deletes else _TAKEN):
        return "accepted"
    if outcome.name == "answered" and not outcome.broken:
        return "refused"
    if outcome.name == "refused":
        return "unsupported" if outcome.error_code in _UNSUPPORTED else "refused"
    return "away" if outcome.name in ("undeliverable", "expired") else "unknown"


def word_of(outcome: Outcome) -> str:
    """Return the station's own word, or why there is none."""
    return ": ".join(filter(None, (outcome.status, outcome.why)))[:500] or outcome.name
