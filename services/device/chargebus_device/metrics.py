"""Owns the metrics of the device service.

| name | unit | what |
|---|---|---|
| chargebus.device.boots | {boot} | boots answered, by `version` and `registration` |
| chargebus.device.status.changes | {change} | changes of status, by `version` and new `status` |
| chargebus.device.status.outdated | {report} | status reports dropped, as older than what was known, by `version` |
| chargebus.device.registry.repairs | {record} | records that the registry topic lacked or had wrong |
| chargebus.device.variables.requests | {request} | what was asked about variables, at its end, by `kind` and `result` |
| chargebus.device.variables.set | {variable} | variables that stations were to set, by what became of it (`status`) |
| chargebus.device.variables.parts | {part} | parts of reports, by whether they were waited for (`asked`) |
| chargebus.device.variables.unread | {variable} | variables of reports that could not be read |
| chargebus.device.variables.dropped | {variable} | variables beyond the 20,000 that are kept of a station |
| chargebus.device.configurations.variables | {variable} | variables that stations were to change, by `verdict` |
| chargebus.device.configurations.held | {configuration} | configurations held, as a station did not come back |
| chargebus.device.stations | {station} | registered stations, by `registration`; every copy reports all of them |
| chargebus.device.connected | {station} | connected stations, by `version`; every copy reports all of them |
"""

from collections.abc import Iterable, Mapping

from opentelemetry.metrics import CallbackOptions, Observation, get_meter


class Metrics:
    """The instruments of the table above."""

    def __init__(self) -> None:
        meter = get_meter("chargebus.device")
        self.boots = meter.create_counter("chargebus.device.boots", "{boot}")
        self.status_changes = meter.create_counter("chargebus.device.status.changes", "{change}")
        self.status_outdated = meter.create_counter("chargebus.device.status.outdated", "{report}")
        self.registry_repairs = meter.create_counter("chargebus.device.registry.repairs", "{record}")
        self.variable_requests = meter.create_counter("chargebus.device.variables.requests", "{request}")
        self.variables_set = meter.create_counter("chargebus.device.variables.set", "{variable}")
        self.report_parts = meter.create_counter("chargebus.device.variables.parts", "{part}")
        self.unread_variables = meter.create_counter("chargebus.device.variables.unread", "{variable}")
        self.dropped_variables = meter.create_counter("chargebus.device.variables.dropped", "{variable}")
        self.configured = meter.create_counter("chargebus.device.configurations.variables", "{variable}")
        self.configurations_held = meter.create_counter("chargebus.device.configurations.held", "{configuration}")
        self._stations: Mapping[str, int] = {}
        self._connected: Mapping[str, int] = {}
        meter.create_observable_gauge("chargebus.device.stations", [self._observe_stations], "{station}")
        meter.create_observable_gauge("chargebus.device.connected", [self._observe_connected], "{station}")

    def count_stations(self, by_registration: Mapping[str, int], connected_by_version: Mapping[str, int]) -> None:
        """Note how many stations there are, for the gauges."""
        self._stations = by_registration
        self._connected = connected_by_version

    def _observe_stations(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {"registration": name}) for name, count in self._stations.items()]

    def _observe_connected(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {"version": name}) for name, count in self._connected.items()]
