"""Boots of a batch: each answered by its station's registration or the onboarding policy; what they leave is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec
from chargebus_calls import Answer, Block, Call
from chargebus_events.frames import Frame
from chargebus_events.public import STATION_BOOTED, event
from chargebus_events.record import Received
from chargebus_events.registry import OnboardingPolicy, Registration
from chargebus_runtime.batch import Batch

from chargebus_device.boots import store
from chargebus_device.boots.domain import Boot, BootDecision, BootReport, Rules, Station, completed, decide_boot
from chargebus_device.deviations.domain import Make
from chargebus_device.metrics import Metrics
from chargebus_device.names import SOURCE
from chargebus_device.registration.store import descriptions, onboarding

REGISTRATION_HEADER: Final = "registration"
"""Tells the edge what the station was told: it lets an accepted one do what a pending one may not."""


def report(read: Callable[[bytes], Boot], frame: Frame) -> BootReport:
    """Read a boot.

    Raises:
        msgspec.MsgspecError: the payload cannot be read.
    """
    return BootReport(
        station_id=frame.station_id,
        boot=read(frame.payload),
        version=frame.version,
        epoch=frame.epoch,
        received_at=frame.received_at,
    )


@dataclass
class BootState:
    """What deciding the boots of a batch needs, and what came of them, the newest of each station.

    `policy` is read only where a station is not registered: most batches hold known stations only.
    """

    now: datetime
    rules: Rules
    stations: dict[str, Station]
    policy: OnboardingPolicy | None
    created: dict[str, tuple[Station, Received]] = field(default_factory=dict)
    kept: dict[str, tuple[BootReport, Registration]] = field(default_factory=dict)
    makes: dict[str, tuple[Make, Received]] = field(default_factory=dict)
    booted: list[tuple[Call[BootReport], BootDecision]] = field(default_factory=list)


class Boots(Block[BootReport, BootState]):
    """Answers boots; stations that the onboarding policy lets in are registered by their first one.

    `rules` are those while no onboarding policy is set.
    """

    def __init__(self, rules: Rules, metrics: Metrics) -> None:
        self._rules = rules
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[BootReport]]) -> BootState:
        """Return the stations that boot, and the policy if one of them is not registered."""
        station_ids = {call.request.station_id for call in calls}
        stations = await store.load(batch.connection, station_ids)
        policy = None if station_ids <= stations.keys() else await onboarding.load(batch.connection)
        rules = self._rules
        if policy is not None:
            rules = msgspec.structs.replace(rules, unknown_stations=policy.unknown_stations)
        return BootState(batch.now, rules, stations, policy)

    def decide(self, state: BootState, call: Call[BootReport]) -> Answer:
        """Decide a boot, and note what it leaves behind."""
        before = state.stations.get(call.request.station_id)
        report = completed(before, call.request)
        decision = decide_boot(before, report, state.rules, state.now)
        registration = decision.answer.registration
        self._metrics.boots.add(1, {"version": report.version, "registration": registration})
        if decision.station is not None:
            state.stations[report.station_id] = decision.station
            if decision.created:
                state.created[report.station_id] = decision.station, call.record
            if decision.booted is not None:
                state.kept[report.station_id] = report, registration
                if before is None or before.last_boot is None or before.last_boot.boot.make != report.boot.make:
                    state.makes[report.station_id] = report.boot.make, call.record
                state.booted.append((call, decision))
        return call.answered(decision.answer, (REGISTRATION_HEADER, registration.encode()))

    async def save(self, batch: Batch, state: BootState) -> None:
        """Register who came in by the policy, keep the newest boots and makes, tell of them."""
        if state.policy is not None:
            stations = [station for station, _ in state.created.values()]
            registered = await store.create(batch.connection, stations, state.policy.password_hash, batch.now)
            for station in registered:
                batch.send(station.record(), because=state.created[station.station_id][1])
            created = [station.station_id for station in registered]
            for told in await descriptions.tell(batch.connection, created, batch.now):
                batch.send(told, because=state.created[str(told.key)][1])
        await store.keep(batch.connection, list(state.kept.values()))
        makes = {station_id: make for station_id, (make, _) in state.makes.items()}
        for station in await store.note_makes(batch.connection, makes, batch.now):
            batch.send(station.record(), because=state.makes[station.station_id][1])
        for call, decision in state.booted:
            if decision.booted is not None:
                booted = event(STATION_BOOTED, f"{call.frame.id}/booted", SOURCE, batch.now, decision.booted)
                batch.send(booted, because=call.record)
