"""The service notification, wired: the only place where its settings are read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from chargebus_calls import Frames, Topic, consumer, tell_nobody
from chargebus_commanding import Commanding, Intents
from chargebus_events.topics import ALERT_EVENTS, SESSION_EVENTS, STATION_EVENTS
from chargebus_outbound.network import CheckedNetwork, system_resolver
from chargebus_runtime.database import Database
from chargebus_runtime.edge_liveness import EdgeLiveness
from chargebus_runtime.process import Process, Service
from chargebus_runtime.read_up_to import ReadUpTo
from chargebus_runtime.retry import Backoff
from chargebus_runtime.tasks import every
from fastapi import APIRouter

from chargebus_notification.alerts import api as alerts_api
from chargebus_notification.alerts import tasks as alerts_tasks
from chargebus_notification.alerts.handlers import hear_alerts
from chargebus_notification.alerts.operations.judging import Judging, lost_edges_of
from chargebus_notification.alerts.operations.looking import Alerts, Rules, Silences
from chargebus_notification.customer_information import api as customer_information_api
from chargebus_notification.customer_information import operations as customer_information
from chargebus_notification.customer_information.block import Parts
from chargebus_notification.delivery import api as delivery_api
from chargebus_notification.delivery import handlers as delivery_handlers
from chargebus_notification.delivery import tasks as delivery_tasks
from chargebus_notification.delivery.domain.checks import ALLOWED_NETWORKS, Able
from chargebus_notification.delivery.domain.trying import Patience
from chargebus_notification.delivery.operations.channels import Channels
from chargebus_notification.delivery.operations.log import DeliveryLog
from chargebus_notification.delivery.operations.mail import Mails, MailServer
from chargebus_notification.delivery.operations.sending import Effort, Sending
from chargebus_notification.delivery.operations.subscriptions import Subscriptions
from chargebus_notification.delivery.operations.vault import Vault
from chargebus_notification.delivery.operations.webhooks import Webhooks
from chargebus_notification.displays import api as displays_api
from chargebus_notification.displays import operations as displays_operations
from chargebus_notification.displays import routes as displays_routes
from chargebus_notification.displays.block import Reports
from chargebus_notification.displays.handlers import Heard, hear_sessions
from chargebus_notification.displays.operations import Displays, Pace
from chargebus_notification.events import api as events_api
from chargebus_notification.events.block import SecurityEvents, StationEvents
from chargebus_notification.events.operations import Retention
from chargebus_notification.metrics import Metrics
from chargebus_notification.names import SERVICE
from chargebus_notification.routes import ROUTES
from chargebus_notification.settings import NotificationSettings
from chargebus_notification.stations import handlers as stations_handlers
from chargebus_notification.stations.api import router
from chargebus_notification.stations.handlers import StationNews
from chargebus_notification.stations.operations import Operations
from chargebus_notification.stations.tasks import tasks

EDGE_SILENT_AFTER_S: Final = 10.0
TELL_EVERY_S: Final = 1.0
FORGET_EVERY_S: Final = 60.0
HEARD_S: Final = 0.3
"""How long what is told of stations may wait for more of it."""


def intents(metrics: Metrics) -> Intents:
    """Return what is done about the outcomes of what stations are asked."""
    return {**displays_operations.intents(metrics), **customer_information.INTENTS}


@dataclass(frozen=True)
class Delivery:
    """What delivers alerts."""

    subscriptions: Subscriptions
    log: DeliveryLog
    sending: Sending


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(NotificationSettings)
    database = process.database(SERVICE, "chargebus_notification")
    metrics = Metrics()
    commanding = Commanding(SERVICE, database, intents(metrics), process.edges.kafka_clock, process.sealing)
    operations = Operations(database, metrics, timedelta(days=settings.keep_days))
    retention = Retention(database, timedelta(days=settings.events.keep_events_days))
    reading = ReadUpTo(stations_handlers.TOPICS, database, process.kafka, process.producer, process.clock)
    lost_edges = lost_edges_of(_newest(process.edges), process.clock, EDGE_SILENT_AFTER_S)
    judging = Judging(database, reading, lost_edges, metrics)
    alerts = Alerts(database, metrics, timedelta(days=settings.alerts_keep_days))
    routes = APIRouter()
    routes.include_router(router(operations))
    routes.include_router(events_api.router(database))
    routes.include_router(alerts_api.router(Rules(database), alerts, Silences(database), process.clock))
    pace = Pace(
        settings.displays.displays_at_once,
        timedelta(seconds=settings.displays.displays_settle_s),
        timedelta(days=settings.displays.keep_displays_days),
    )
    displays = Displays(database, commanding, metrics, pace)
    information = customer_information.CustomerInformation(
        database,
        commanding,
        timedelta(hours=settings.customer_information.keep_customer_information_h),
        timedelta(seconds=settings.customer_information.customer_information_within_s),
    )
    blocks = (
        StationEvents(metrics),
        SecurityEvents(metrics),
        Reports(displays_routes.told, metrics),
        Parts(metrics, process.sealing),
    )
    routes.include_router(displays_api.router(displays))
    routes.include_router(customer_information_api.router(information))
    delivery = _delivery_of(process, settings, database, metrics)
    routes.include_router(delivery_api.router(delivery.subscriptions, delivery.log))
    return Service(
        SERVICE,
        database=database,
        consumer=consumer(
            commanding,
            Frames(SERVICE, ROUTES, blocks, process.clock),
            StationNews(),
            Topic(ALERT_EVENTS, hear_alerts, tell_nobody, 0.2),
            Topic(SESSION_EVENTS, hear_sessions, tell_nobody, HEARD_S),
            Topic(STATION_EVENTS, Heard(pace.settle).hear, tell_nobody, HEARD_S),
            Topic(ALERT_EVENTS, delivery_handlers.hear_alerts, tell_nobody, 0.2),
            together=stations_handlers.TOPICS,
        ),
        views=(process.edges.view,),
        routers={"/v1": routes},
        tasks=(
            *commanding.tasks,
            *tasks(operations, settings.forget_every_s),
            every(settings.events.sweep_events_every_s, "dropping old events", retention.sweep),
            reading.run,
            *alerts_tasks.tasks(judging, alerts, settings.judge_every_s, settings.forget_every_s),
            every(TELL_EVERY_S, "telling stations display messages", displays.tell),
            every(FORGET_EVERY_S, "dropping old display messages", displays.forget),
            every(
                settings.customer_information.sweep_customer_information_every_s,
                "deleting customer information",
                information.sweep,
            ),
            *delivery_tasks.tasks(delivery.sending, delivery.log, settings.forget_every_s),
        ),
        drain=delivery.sending.drain,
    )


def _delivery_of(process: Process, settings: NotificationSettings, database: Database, metrics: Metrics) -> Delivery:
    """Return what delivers alerts, as it is set."""
    effort, where, mail = settings.delivery, settings.webhooks, settings.mail
    network = CheckedNetwork(system_resolver(), where.webhook_allowed_networks, ALLOWED_NETWORKS)
    server = MailServer(
        mail.smtp_host,
        mail.smtp_port,
        mail.smtp_tls,
        mail.smtp_username,
        mail.smtp_password.get_secret_value(),
        mail.smtp_from,
        mail.smtp_ca_file,
    )
    vault = Vault(process.sealing)
    channels = Channels(
        Webhooks(network, where.webhook_ca_file, plain=where.webhook_allow_http, within_s=effort.send_within_s),
        Mails(server, within_s=2 * effort.send_within_s),
        vault,
    )
    able = Able(where.webhook_allow_http, where.webhook_allowed_networks, vault.has_keys, server.is_set)
    patience = Patience(timedelta(seconds=effort.retry_for_s), timedelta(seconds=effort.retry_longest_s))
    efforts = Effort(
        effort.senders,
        timedelta(seconds=3 * effort.send_within_s),
        Backoff(effort.retry_first_s, effort.retry_longest_s),
        patience,
    )
    return Delivery(
        Subscriptions(database, channels, network, able, process.clock),
        DeliveryLog(database, metrics, vault, timedelta(days=effort.deliveries_keep_days)),
        Sending(database, channels, metrics, efforts, process.clock),
    )


def _newest(edges: EdgeLiveness) -> Callable[[], Iterable[tuple[str, float, bool]]]:
    """Return what tells of the edges that this process has heard itself: of others it does not know when they went."""
    return lambda: [(f"edge/{edge.slot}", edges.silence_s(edge), edge.stopped) for edge in edges.newest() if edge.live]
