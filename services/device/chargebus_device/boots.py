"""Owns handling boots: load the stations, decide each boot, keep what it leaves behind."""

from collections.abc import Sequence

import asyncpg
import msgspec
from chargebus_events.public import STATION_BOOTED, event
from chargebus_events.registry import OnboardingPolicy, Registration
from chargebus_runtime.batch import Batch

from chargebus_device.domain.boot import BootDecision, BootReport, Rules, Station, decide_boot
from chargebus_device.incoming import Incoming
from chargebus_device.metrics import DeviceMetrics
from chargebus_device.routes import BootRoute
from chargebus_device.source import SOURCE
from chargebus_device.store import boots, onboarding

REGISTRATION_HEADER = "registration"

IncomingBoot = Incoming[BootRoute]


class Boots:
    """Answers boots; stations that the onboarding policy lets in are registered by their first one.

    `rules` are those while no onboarding policy is set.
    """

    def __init__(self, rules: Rules, metrics: DeviceMetrics) -> None:
        self._rules = rules
        self._metrics = metrics

    async def handle(self, batch: Batch, incoming: Sequence[IncomingBoot]) -> None:
        """Apply the boots of a batch, in order."""
        if not incoming:
            return
        stations = await boots.load(batch.connection, {boot.frame.station_id for boot in incoming})
        policy = await _policy(batch.connection, stations, incoming)
        rules = self._rules
        if policy is not None:
            rules = msgspec.structs.replace(rules, unknown_stations=policy.unknown_stations)
        created: dict[str, tuple[Station, IncomingBoot]] = {}
        kept: dict[str, tuple[BootReport, Registration]] = {}
        for boot in incoming:
            report = _report(boot)
            decision = decide_boot(stations.get(report.station_id), report, rules, batch.now)
            self._answer(batch, boot, decision)
            if decision.station is None:
                continue
            stations[report.station_id] = decision.station
            if decision.created:
                created[report.station_id] = decision.station, boot
            if decision.booted is not None:
                kept[report.station_id] = report, decision.answer.registration
                booted = event(STATION_BOOTED, f"{boot.frame.id}/booted", SOURCE, batch.now, decision.booted)
                batch.send(booted, because=boot.record)
        if policy is not None:
            await _register(batch, created, policy)
        await boots.keep(batch.connection, list(kept.values()))

    def _answer(self, batch: Batch, boot: IncomingBoot, decision: BootDecision) -> None:
        registration = decision.answer.registration
        header = (REGISTRATION_HEADER, registration.encode())
        boot.answer(batch, boot.route.answer(decision.answer), header)
        self._metrics.boots.add(1, {"version": boot.frame.version, "registration": registration})


async def _policy(
    connection: asyncpg.Connection, stations: dict[str, Station], incoming: Sequence[IncomingBoot]
) -> OnboardingPolicy | None:
    """Return the onboarding policy if it matters: most batches hold known stations only."""
    if all(boot.frame.station_id in stations for boot in incoming):
        return None
    return await onboarding.load(connection)


async def _register(batch: Batch, created: dict[str, tuple[Station, IncomingBoot]], policy: OnboardingPolicy) -> None:
    stations = [station for station, _ in created.values()]
    for registered in await boots.create(batch.connection, stations, policy.password_hash, batch.now):
        batch.send(registered.record(), because=created[registered.station_id][1].record)


def _report(boot: IncomingBoot) -> BootReport:
    frame = boot.frame
    return BootReport(
        station_id=frame.station_id,
        boot=boot.route.read(frame.payload),
        version=frame.version,
        epoch=frame.epoch,
        received_at=frame.received_at,
    )
