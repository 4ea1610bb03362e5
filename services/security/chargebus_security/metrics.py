"""What security measures of itself.

| name | unit | what |
|---|---|---|
| chargebus.security.forgotten | {station} | stations that are not kept any more |
| chargebus.security.expiring | {certificate} | certificates that were told to run out, by the threshold in `days` |
| chargebus.security.status.calls | {call} | calls for the status of certificates, by `action` and `how` |
| chargebus.security.trust.reports | {report} | what came of asking stations what they have, by `outcome` |
| chargebus.security.trust.changes | {change} | roots installed and deleted, by `what` and `outcome` |
| chargebus.security.status.lookups | s | how long responders and lists took, by `source` (OCSP, CRL) and `status` |
| chargebus.security.requests | {request} | stations' CSRs, by `outcome` (taken, refused) and `reason` |
| chargebus.security.signed | {request} | by `authority` and `outcome`: signed, waiting, refused, failed |
| chargebus.security.brought | {certificate} | by `outcome`: installed, declined, signed (to be sent again), failed |
| chargebus.security.renewals | {request} | stations asked to renew a certificate |
| chargebus.security.credentials | {station} | of campaigns, by `kind` (rotation, upgrade) and `state` |
| chargebus.security.revoked | {certificate} | certificates revoked, by `reason` |
| chargebus.security.contracts.requests | {request} | of vehicles, by `outcome` (given, failed, refused, …) |
| chargebus.security.contracts.checks | {check} | certificates, by `status` and `how`; `outcome`: expired, error |
| chargebus.security.contracts.pool | s | how long the pool of contracts took, by `outcome` (asked, failed) |
| chargebus.security.hsm | s | how long the hardware security module took, by `outcome`: answered, failed |
"""

from opentelemetry.metrics import get_meter


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.security")
        self.forgotten = meter.create_counter("chargebus.security.forgotten", "{station}")
        self.expiring = meter.create_counter("chargebus.security.expiring", "{certificate}")
        self.requests = meter.create_counter("chargebus.security.requests", "{request}")
        self.signed = meter.create_counter("chargebus.security.signed", "{request}")
        self.brought = meter.create_counter("chargebus.security.brought", "{certificate}")
        self.renewals = meter.create_counter("chargebus.security.renewals", "{request}")
        self.revoked = meter.create_counter("chargebus.security.revoked", "{certificate}")
        self._credentials = meter.create_counter("chargebus.security.credentials", "{station}")
        self._status_calls = meter.create_counter("chargebus.security.status.calls", "{call}")
        self._reports = meter.create_counter("chargebus.security.trust.reports", "{report}")
        self._changes = meter.create_counter("chargebus.security.trust.changes", "{change}")
        self._hsm = meter.create_histogram("chargebus.security.hsm", "s")
        self._lookups = meter.create_histogram("chargebus.security.status.lookups", "s")
        self._contracts = meter.create_counter("chargebus.security.contracts.requests", "{request}")
        self._checks = meter.create_counter("chargebus.security.contracts.checks", "{check}")
        self._pool = meter.create_histogram("chargebus.security.contracts.pool", "s")

    def contract_asked(self, outcome: str) -> None:
        """Count a vehicle's request for a contract that is over."""
        self._contracts.add(1, {"outcome": outcome})

    def gave_up(self, action: str, outcome: str) -> None:
        """Count a call that waited, and nobody waits for any more (expired), or that our code failed at (error)."""
        if action == "Authorize":
            self._checks.add(1, {"outcome": outcome})
        elif action == "Get15118EVCertificate":
            self._contracts.add(1, {"outcome": outcome})
        else:
            self._status_calls.add(1, {"action": action, "how": outcome})

    def contract_checked(self, status: str, how: str) -> None:
        """Count a contract certificate that was shown: its state was known, or was asked for."""
        self._checks.add(1, {"status": status, "how": how})

    def pool_asked(self, outcome: str, seconds: float) -> None:
        """Note how long the pool of contracts took, with all tries."""
        self._pool.record(seconds, {"outcome": outcome})

    def credentials_changed(self, kind: str, state: str) -> None:
        """Count a station of a campaign that has come to another state."""
        self._credentials.add(1, {"kind": kind, "state": state})

    def trust_reported(self, outcome: str) -> None:
        """Count an answer to what a station has, or that there was none."""
        self._reports.add(1, {"outcome": outcome})

    def trust_changed(self, what: str, outcome: str) -> None:
        """Count a root that a station was to install or to delete."""
        self._changes.add(1, {"what": what, "outcome": outcome})

    def hsm_asked(self, outcome: str, seconds: float) -> None:
        """Note how long the hardware security module took for what it was asked."""
        self._hsm.record(seconds, {"outcome": outcome})

    def status_answered(self, action: str, how: str) -> None:
        """Count a call for the status of certificates that was answered: of what was known, or was asked for it."""
        self._status_calls.add(1, {"action": action, "how": how})

    def status_asked(self, source: str, status: str, seconds: float) -> None:
        """Note what a responder or a list told, and how long that took."""
        self._lookups.record(seconds, {"source": source, "status": status})
