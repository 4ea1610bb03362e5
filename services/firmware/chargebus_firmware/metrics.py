"""What firmware measures of itself.

| name | unit | what |
|---|---|---|
| chargebus.firmware.forgotten | {station} | stations that are not kept any more |
| chargebus.firmware.received | By | bytes of images that came in |
| chargebus.firmware.contents | {image} | contents of images, by outcome: ready or refused |
| chargebus.firmware.transferred | By | bytes that went over links of stations, by purpose |
| chargebus.firmware.refused_transfers | {request} | requests on links that were refused, by purpose and status |
| chargebus.firmware.updates | {update} | updates that ended, by `verdict` and `reason`; judged anew, one counts again |
| chargebus.firmware.open_updates | {update} | updates that are not over, by `state`; every copy reports all |
| chargebus.firmware.update.duration | s | from the request to the new version, of those that succeeded |
| chargebus.firmware.campaign.changes | {change} | changes of campaigns' states and waves, by `state` |
| chargebus.firmware.campaign.stations | {station} | stations of campaigns in another state, by `state` and `reason` |
| chargebus.firmware.log_uploads | {upload} | uploads of logs, by `transport` and `end`: complete, or why not |
| chargebus.firmware.log_bytes | By | bytes of logs that were received whole |
| chargebus.firmware.logs_given_up | {log} | logs that never came, by `reason` |
| chargebus.firmware.logs_expired | {log} | logs whose files were deleted after their time |
| chargebus.firmware.stray_log_statuses | {message} | statuses of logs that were not asked for, by `version` |
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Observation, get_meter


class CampaignStation(Protocol):
    """A station in a campaign."""

    @property
    def state(self) -> str: ...  # noqa: D102 - see `campaigns`
    @property
    def reason(self) -> str: ...  # noqa: D102


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.firmware")
        self.received = meter.create_counter("chargebus.firmware.received", "By")
        self.contents = meter.create_counter("chargebus.firmware.contents", "{image}")
        self.transferred = meter.create_counter("chargebus.firmware.transferred", "By")
        self.refused_transfers = meter.create_counter("chargebus.firmware.refused_transfers", "{request}")
        self.forgotten = meter.create_counter("chargebus.firmware.forgotten", "{station}")
        self.campaign_changes = meter.create_counter("chargebus.firmware.campaign.changes", "{change}")
        self._campaign_stations = meter.create_counter("chargebus.firmware.campaign.stations", "{station}")
        self.log_uploads = meter.create_counter("chargebus.firmware.log_uploads", "{upload}")
        self.log_bytes = meter.create_counter("chargebus.firmware.log_bytes", "By")
        self.logs_given_up = meter.create_counter("chargebus.firmware.logs_given_up", "{log}")
        self.logs_expired = meter.create_counter("chargebus.firmware.logs_expired", "{log}")
        self.stray_log_statuses = meter.create_counter("chargebus.firmware.stray_log_statuses", "{message}")
        self._open: Mapping[str, int] = {}
        meter.create_observable_gauge("chargebus.firmware.open_updates", [self._observe_open], "{update}")
        self._updates = meter.create_counter("chargebus.firmware.updates", "{update}")
        self._durations = meter.create_histogram("chargebus.firmware.update.duration", "s")

    def update_ended(self, verdict: str, reason: str) -> None:
        """Count an update that ended."""
        self._updates.add(1, {"verdict": verdict, "reason": reason})

    def count_open(self, by_state: Mapping[str, int]) -> None:
        """Note how many updates are not over, for the gauge; a state in which there are none any more has none."""
        self._open = {**dict.fromkeys(self._open, 0), **by_state}

    def _observe_open(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {"state": state}) for state, count in self._open.items()]

    def update_took(self, seconds: float) -> None:
        """Note how long an update took that succeeded."""
        self._durations.record(seconds)

    def count_members(self, changed: Iterable[CampaignStation]) -> None:
        """Count stations of campaigns that have changed; those that wait are not news."""
        for station in changed:
            if station.state != "waiting":
                self._campaign_stations.add(1, {"state": station.state, "reason": station.reason})
