"""Owns wiring the device service: the only place where its settings are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import asyncpg
from chargebus_calls import Block, Frames, Topic, consumer, tell_nobody
from chargebus_commanding import Commanding
from chargebus_commanding.outcomes import Apply
from chargebus_events.record import Received
from chargebus_events.topics import CREDENTIALS, DEVIATIONS, PRESENCE
from chargebus_runtime.batch import Batch
from chargebus_runtime.caught_up import CaughtUp
from chargebus_runtime.clock import Clock
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.database import Database
from chargebus_runtime.kafka_clock import KafkaClock
from chargebus_runtime.process import Process, Service
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.tasks import every
from fastapi import APIRouter

from chargebus_device.boots.block import Boots
from chargebus_device.boots.domain import Rules
from chargebus_device.configurations import api as configurations_api
from chargebus_device.configurations import tasks as configurations_tasks
from chargebus_device.configurations.domain.compared import Proof
from chargebus_device.configurations.handlers import Booted as ConfiguredBoots
from chargebus_device.configurations.operations.following import Following
from chargebus_device.configurations.operations.following import Pace as ConfigurationPace
from chargebus_device.configurations.operations.wanting import Configurations
from chargebus_device.connections.handlers import PresenceLog, hear
from chargebus_device.connections.tasks import EdgeLife, LifeRules
from chargebus_device.deviations.api import router as deviation_routes
from chargebus_device.deviations.handlers import DeviationLog
from chargebus_device.deviations.tasks import Retention
from chargebus_device.metrics import Metrics
from chargebus_device.names import SERVICE
from chargebus_device.ratings.block import Ratings
from chargebus_device.registration.api import router
from chargebus_device.registration.handlers import note_used_passwords, take_changes
from chargebus_device.registration.operations import BulkLimits, Registrar
from chargebus_device.registration.tasks import Census, Descriptions, PasswordExpiry, RegistryKeeper, RegistryLog
from chargebus_device.routes import ROUTES
from chargebus_device.settings import ConfigurationSettings, DeviceSettings
from chargebus_device.statuses.block import Statuses
from chargebus_device.variables import api as variables_api
from chargebus_device.variables import tasks as variables_tasks
from chargebus_device.variables.block import Reports
from chargebus_device.variables.handlers import Booted
from chargebus_device.variables.operations.looking import Variables
from chargebus_device.variables.operations.reading import Pace, Reading
from chargebus_device.variables.operations.requests import INTENT, Requests

SIGN_OF_LIFE_S: Final = 0.25
PRESENCE_S: Final = 0.03
DEVIATIONS_S: Final = 1.0
RETENTION_S: Final = 3600.0
EXPIRY_EVERY_S: Final = 5.0
DESCRIBE_EVERY_S: Final = 1.0
DESCRIBED_AT_ONCE: Final = 500
DESCRIBED_AGAIN_AFTER: Final = timedelta(days=60)


@dataclass(frozen=True)
class CommandSide:
    """What asking for commands needs of the process: Kafka's time, and what secrets are sealed with."""

    kafka_clock: KafkaClock
    sealing: Sealing


@dataclass(frozen=True)
class Asked:
    """What asks stations about their variables, and takes what they tell."""

    commanding: Commanding
    requests: Requests
    reading: Reading
    following: Following
    reports: Reports


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(DeviceSettings)
    dead_after = timedelta(seconds=settings.edges.edge_dead_after_s)
    database = process.database(SERVICE, "chargebus_device")
    metrics = Metrics()
    registry_log = RegistryLog()
    life = EdgeLife(database, process.edges, LifeRules(dead_after, settings.edges.sweep_every_s), process.clock)
    rules = Rules("refuse", settings.boots.heartbeat_interval_s, settings.boots.boot_retry_s)
    news = CaughtUp((PRESENCE,), database, process.kafka, process.producer)
    descriptions = Descriptions(database, DESCRIBED_AGAIN_AFTER, DESCRIBED_AT_ONCE)
    commands = CommandSide(process.edges.kafka_clock, process.sealing)
    asked = asking(database, commands, metrics, settings)
    limits = BulkLimits(settings.bulk.bulk_stations, settings.bulk.bulk_chosen_passwords)
    return Service(
        SERVICE,
        database=database,
        consumer=consumed(PresenceLog(life), Boots(rules, metrics), Statuses(metrics), asked, process.clock),
        views=(process.edges.view, registry_log.view),
        routers={"/v1": routes(database, Registrar(database, limits, news), asked)},
        tasks=(
            *asked.commanding.tasks,
            *variables_tasks.tasks(asked.requests, asked.reading),
            *configurations_tasks.tasks(asked.following),
            RegistryKeeper(database, process.producer, registry_log, metrics).run,
            life.run,
            news.run,
            every(EXPIRY_EVERY_S, "ending older passwords", PasswordExpiry(database).sweep),
            every(DESCRIBE_EVERY_S, "describing stations", descriptions.tell_some),
            every(settings.census_every_s, "counting stations", Census(database, metrics).count),
            every(
                RETENTION_S,
                "deleting old deviations",
                Retention(database, timedelta(days=settings.keep_deviations_days)).sweep,
            ),
        ),
    )


def asking(database: Database, commands: CommandSide, metrics: Metrics, settings: DeviceSettings) -> Asked:
    """Return what asks stations about their variables."""
    intents: dict[str, Apply] = {}
    commanding = Commanding(SERVICE, database, intents, commands.kafka_clock, commands.sealing)
    requests = Requests(database, commanding, metrics)
    intents[INTENT] = requests.answered  # which asks for the next piece
    read = settings.variables
    pace = Pace(read.variables_in_flight, timedelta(seconds=read.variables_settle_s))
    reading = Reading(database, requests, pace, timedelta(days=read.variables_keep_days))
    following = Following(database, requests, metrics, configuration_pace(settings.configurations))
    requests.ended["configuration"] = following.ended
    requests.heard.append(following.heard)
    return Asked(commanding, requests, reading, following, Reports(metrics, Ratings(), requests.changed))


def configuration_pace(settings: ConfigurationSettings) -> ConfigurationPace:
    """Return how stations are brought to what configurations want, as it is set."""
    after, within = settings.configuration_proof_s, settings.configuration_lost_s
    return ConfigurationPace(
        settings.configuration_at_once,
        settings.configuration_in_flight,
        timedelta(seconds=settings.configuration_settle_s),
        Proof(timedelta(seconds=after), timedelta(seconds=after + within)),
    )


def consumed(presence: PresenceLog, boots: Boots, statuses: Statuses, asked: Asked, clock: Clock) -> ConsumerSpec:
    """Return what the service consumes: presence, then boots, which may register stations, then statuses and reports.

    Deviations come last: they are counted by the make that a boot beside them tells.
    """
    deviations = DeviationLog()
    booted, configured = Booted(asked.reading), ConfiguredBoots(asked.following)

    async def forget(connection: asyncpg.Connection) -> None:
        await presence.forget(connection)
        await deviations.forget(connection)

    async def hear_presence(batch: Batch, records: Sequence[Received]) -> None:
        await presence.handle(batch, records)
        await note_used_passwords(batch, records)

    async def hear_frames(batch: Batch, frames: Sequence[Received]) -> None:
        await hear(batch, frames)
        await booted.hear(batch, frames)
        await configured.hear(batch, frames)

    blocks: Sequence[Block[Any, Any]] = (boots, statuses, asked.reports)
    return consumer(
        Topic(PRESENCE, hear_presence, tell_nobody, PRESENCE_S),
        Topic(CREDENTIALS, take_changes, tell_nobody),
        asked.commanding,
        Frames(SERVICE, ROUTES, blocks, clock, heard=hear_frames, unread_wait_s=SIGN_OF_LIFE_S),
        Topic(DEVIATIONS, deviations.handle, tell_nobody, DEVIATIONS_S),
        on_new_cluster=forget,
    )


def routes(database: Database, registrar: Registrar, asked: Asked) -> APIRouter:
    """Return what the service answers over HTTP."""
    served = APIRouter()
    served.include_router(variables_api.router(Variables(database, asked.requests)))
    served.include_router(configurations_api.router(Configurations(database)))
    served.include_router(router(database, registrar))
    served.include_router(deviation_routes(database))
    return served
