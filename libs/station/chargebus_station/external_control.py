"""What happens when somebody else than the CSMS limits the station, or the driver asks for priority: it is told."""

from chargebus_station.core import Core
from chargebus_station.device_model import Setting
from chargebus_station.effects import Message
from chargebus_station.external_limits import ExternalLimit
from chargebus_station.reporter import Reporter
from chargebus_station.running_visits import RunningVisits
from chargebus_station.state import Evse


class ExternalControl:
    """The local side of smart charging of one station."""

    def __init__(self, core: Core, reporter: Reporter, visits: RunningVisits) -> None:
        self._core = core
        self._reporter = reporter
        self._visits = visits

    def limit(self, external: ExternalLimit) -> None:
        """Obey a limit of somebody else, and tell it. Spec: OCPP 2.0.1 K11, K12."""
        core, now = self._core, self._core.clock.now()
        before = self._allowed_a()
        core.state.profiles.install(external.profile, now)
        with_schedule = core.settings.flag(Setting.LIMITS_WITH_SCHEDULES)
        self._changed(before, core.dialect.limit_set(external, now, with_schedule=with_schedule))

    def lift(self, external: ExternalLimit) -> None:
        """Forget that limit, and tell it. Spec: OCPP 2.0.1 K13."""
        core, before = self._core, self._allowed_a()
        core.state.profiles.clear(lambda profile: profile.id == external.profile.id, core.clock.now())
        self._changed(before, core.dialect.limit_cleared(external))

    def prioritize(self, evse_id: int, *, activated: bool) -> None:
        """Let the driver ask for priority charging, or no longer, and tell it. Spec: OCPP 2.1 K20."""
        core, transaction = self._core, self._core.state.evses[evse_id].transaction
        if transaction is None or transaction.transaction_id is None:
            return
        (core.state.priority.add if activated else core.state.priority.discard)(transaction.transaction_id)
        payload = {"transactionId": transaction.transaction_id, "activated": activated}
        core.messages.put(Message("NotifyPriorityCharging", payload))
        self._visits.look_again()

    def _changed(self, before: dict[int, float], messages: tuple[Message, ...]) -> None:
        """Tell what changed, if that is enough (LimitChangeSignificance). Spec: OCPP 2.0.1 K12.FR.02, FR.03."""
        core, after = self._core, self._allowed_a()
        least = float(core.settings.text(Setting.LIMIT_SIGNIFICANCE_PERCENT)) / 100
        changed = {
            evse_id for evse_id, amperes in after.items() if abs(amperes - before[evse_id]) > least * before[evse_id]
        }
        if changed and core.online:
            for message in messages:
                core.messages.put(message)
        for evse in core.state.evses.values():
            if evse.id in changed:
                self._reporter.rate_changed(evse)
        self._visits.look_again()

    def _allowed_a(self) -> dict[int, float]:
        now = self._core.clock.now()

        def amperes(evse: Evse) -> float:
            most_a = evse.outlet.amperes(evse.outlet.max_power_w)
            return min(self._core.state.limit(evse, now).amperes(evse.outlet), most_a)

        return {evse.id: amperes(evse) for evse in self._core.state.evses.values()}
