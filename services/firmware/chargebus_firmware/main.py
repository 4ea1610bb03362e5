"""The service firmware, wired: the only place where its settings are read."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from chargebus_calls import Frames, Topic, consumer, tell_nobody
from chargebus_commanding import Commanding, Intents
from chargebus_events.topics import SESSION_EVENTS, STATION_EVENTS, frames_topic
from chargebus_objects import ObjectsSettings, objects_from
from chargebus_runtime.process import Process, Service
from chargebus_runtime.service import Hook
from fastapi import APIRouter

from chargebus_firmware.campaigns import api as campaigns_api
from chargebus_firmware.campaigns import handlers as campaigns_handlers
from chargebus_firmware.campaigns import tasks as campaigns_tasks
from chargebus_firmware.campaigns.operations import Campaigns, in_campaign
from chargebus_firmware.campaigns.store.due import mark_ended
from chargebus_firmware.images import tasks as images_tasks
from chargebus_firmware.images.api import images as images_api
from chargebus_firmware.images.api import uploads as uploads_api
from chargebus_firmware.images.domain.image import IMAGE
from chargebus_firmware.images.operations.contents import Contents
from chargebus_firmware.images.operations.images import Images
from chargebus_firmware.images.operations.uploads import Uploads
from chargebus_firmware.links import tasks as links_tasks
from chargebus_firmware.links.api.app import FilesApp
from chargebus_firmware.links.api.ftp import FtpOptions, FtpServer
from chargebus_firmware.links.api.linked_files import OpenLink, opening
from chargebus_firmware.links.api.listener import Address, Listener
from chargebus_firmware.links.api.sftp import SftpOptions, SftpServer
from chargebus_firmware.links.domain.link import Transport
from chargebus_firmware.links.operations.links import Links
from chargebus_firmware.links.operations.purposes import Purposes
from chargebus_firmware.links.operations.transfers import Limits, Transfers
from chargebus_firmware.logs import api as logs_api
from chargebus_firmware.logs import routes as logs_routes
from chargebus_firmware.logs import tasks as logs_tasks
from chargebus_firmware.logs.block import Statuses as LogStatuses
from chargebus_firmware.logs.domain.log import Patience as LogPatience
from chargebus_firmware.logs.operations import uploading
from chargebus_firmware.logs.operations.keeping import Keeping as LogKeeping
from chargebus_firmware.logs.operations.looking import Files
from chargebus_firmware.logs.operations.receiving import Bounds, Receiver
from chargebus_firmware.logs.operations.requests import Answers as LogAnswers
from chargebus_firmware.logs.operations.requests import Logs
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.names import SERVICE
from chargebus_firmware.publications import api as publications_api
from chargebus_firmware.publications import routes as publications_routes
from chargebus_firmware.publications import tasks as publications_tasks
from chargebus_firmware.publications.block import PublicationStatuses
from chargebus_firmware.publications.domain import PUBLICATION
from chargebus_firmware.publications.operations import ImageFiles, Publications, Times, in_publication
from chargebus_firmware.routes import ROUTES
from chargebus_firmware.settings import FilesSettings, FirmwareSettings, UpdateSettings
from chargebus_firmware.stations import api as stations_api
from chargebus_firmware.stations import handlers as stations_handlers
from chargebus_firmware.stations import tasks as stations_tasks
from chargebus_firmware.stations.handlers import HeldStations, hear_sessions, hear_stations
from chargebus_firmware.stations.operations import Protocols, Stations
from chargebus_firmware.stations.routes import PROTOCOLS
from chargebus_firmware.updates import api as updates_api
from chargebus_firmware.updates import store as update_store
from chargebus_firmware.updates import tasks as updates_tasks
from chargebus_firmware.updates.block import Keeping, Statuses
from chargebus_firmware.updates.domain.timing import Patience
from chargebus_firmware.updates.handlers import Boots
from chargebus_firmware.updates.operations import Asking, OurImages, Updates, in_use
from chargebus_firmware.updates.routes import Outcomes

_LOOK_AT_LOGS_EVERY_S: Final = 5.0
_SAID_S: Final = 300.0
_PAUSE_S: Final = 60.0


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(FirmwareSettings)
    database = process.database(SERVICE, "chargebus_firmware")
    metrics = Metrics()
    keeping = update_keeping(metrics, settings.updates)
    patience = _patience(settings)
    log_answers = LogAnswers(patience, metrics)
    asked_for: Intents = {**intents(keeping, settings), logs_routes.GET: log_answers.take}
    commanding = Commanding(SERVICE, database, asked_for, process.edges.kafka_clock, process.sealing)
    stations = Stations(database, metrics, timedelta(days=settings.keep_days), update_store.open_of)
    files = settings.files
    listeners = _listeners(files)
    links = Links(
        database,
        process.clock,
        lambda: listeners[0].url,
        _login_addresses(settings),
        (lambda: listeners[1].url) if files.is_double else None,
    )
    objects = objects_from(process.load(ObjectsSettings))
    receiver = Receiver(database, objects, _bounds(settings), patience, metrics)
    contents = Contents(database, objects, metrics, process.clock, settings.images.max_bytes)
    images = Images(database, [in_use, in_campaign, in_publication])
    ours = OurImages(images, links, process.sealing)
    uploads = Uploads(database, objects, contents, timedelta(hours=settings.images.upload_keep_hours))
    purposes: Purposes = {IMAGE: contents, PUBLICATION: contents, uploading.PURPOSE: uploading.Uploads(receiver)}
    limits = Limits(files.transfers, files.link_bytes_per_s, files.all_bytes_per_s)
    transfers = Transfers(limits)
    links_app = FilesApp(links, purposes, transfers, metrics)
    logins = _logins(settings, lambda transport: opening(links, purposes, transfers, metrics, transport))
    updates = Updates(database, commanding, keeping, ours, asking(settings.updates))
    publications = Publications(
        database, commanding, ImageFiles(images, links, process.sealing), publication_times(settings.updates)
    )
    campaigns = Campaigns(database, ours, updates, metrics, timedelta(days=settings.campaigns_keep_days))
    logs = Logs(database, commanding, uploading.UploadLinks(links), patience)
    log_keeping = LogKeeping(database, objects, patience, process.clock, metrics)
    heard = (frames_topic(SERVICE), STATION_EVENTS, SESSION_EVENTS)
    routes = APIRouter()
    routes.include_router(stations_api.router(stations))
    routes.include_router(updates_api.router(updates))
    routes.include_router(publications_api.router(publications))
    routes.include_router(campaigns_api.router(campaigns, process.clock))
    routes.include_router(logs_api.router(logs, Files(objects)))
    routes.include_router(images_api.router(images, contents))
    routes.include_router(uploads_api.router(uploads))
    return Service(
        SERVICE,
        database=database,
        consumer=consumer(
            commanding,
            HeldStations(heard),
            Frames(
                SERVICE,
                ROUTES,
                [
                    Statuses(keeping),
                    PublicationStatuses(settings.updates.silent_s),
                    LogStatuses(patience, metrics),
                ],
                process.clock,
            ),
            Topic(STATION_EVENTS, hear_stations, tell_nobody, rest_s=stations_handlers.REST_S),
            Topic(STATION_EVENTS, Boots(keeping).hear, tell_nobody, rest_s=stations_handlers.REST_S),
            Topic(SESSION_EVENTS, hear_sessions, tell_nobody, rest_s=stations_handlers.REST_S),
            *(
                Topic(topic, campaigns_handlers.hear, tell_nobody, rest_s=stations_handlers.REST_S)
                for topic in (STATION_EVENTS, SESSION_EVENTS)
            ),
            together=heard,
        ),
        views=(process.edges.view,),
        routers={"/v1": routes},
        tasks=(
            *commanding.tasks,
            *stations_tasks.tasks(stations, settings.forget_every_s),
            *links_tasks.tasks(links, settings.forget_every_s),
            *updates_tasks.tasks(updates, settings.updates.sweep_s),
            *publications_tasks.tasks(publications, settings.updates.sweep_s),
            *campaigns_tasks.tasks(campaigns, settings.forget_every_s),
            *logs_tasks.tasks(log_keeping, _LOOK_AT_LOGS_EVERY_S, settings.forget_every_s),
            *images_tasks.tasks(contents, uploads, settings.images.tidy_every_s),
        ),
        start=partial(
            _start, *(partial(each.start, links_app) for each in listeners), *(each.start for each in logins)
        ),
        drain=partial(_stop, *(each.stop for each in (*listeners, *logins))),
        checks=tuple(each.check for each in listeners),
    )


def intents(keeping: Keeping, settings: FirmwareSettings) -> Intents:
    """Return what is done about the outcomes of what stations are asked."""
    published = publications_routes.Outcomes(settings.updates.silent_s)
    return {
        **Outcomes(keeping, unsigned=settings.updates.unsigned).intents,
        **published.intents,
        PROTOCOLS: Protocols(update_store.wake).take,
    }


def update_keeping(metrics: Metrics, settings: UpdateSettings) -> Keeping:
    """Return what keeps updates."""
    return Keeping(metrics, Patience(settings.silent_s, settings.boot_s, settings.work_h * 3600), mark_ended)


def asking(settings: UpdateSettings) -> Asking:
    """Return how stations are asked for updates."""
    return Asking(settings.answer_s, timedelta(hours=settings.wait_h), timedelta(days=settings.keep_days))


def publication_times(settings: UpdateSettings) -> Times:
    """Return how long controllers are waited for."""
    return Times(settings.answer_s, settings.silent_s, timedelta(days=settings.keep_days))


def _patience(settings: FirmwareSettings) -> LogPatience:
    logs = settings.logs
    return LogPatience(
        file_s=logs.wait_s,
        late_s=logs.wait_s,
        said_s=min(_SAID_S, logs.wait_s),
        stalled_s=logs.stalled_s,
        keep_s=86400 * logs.keep_days,
        forget_s=86400 * settings.keep_days,
    )


def _bounds(settings: FirmwareSettings) -> Bounds:
    return Bounds(settings.logs.max_bytes, settings.logs.wait_s, min(_PAUSE_S, settings.logs.stalled_s / 2))


def _listeners(files: FilesSettings) -> Sequence[Listener]:
    """Return what serves links: HTTP or HTTPS, or first HTTP and then HTTPS beside it."""
    certificate, key = files.tls_certificate, files.tls_key
    if files.tls_port is None:
        return (Listener(Address(files.host, files.port, files.public_url, certificate, key)),)
    secure = Address(files.host, files.tls_port, files.tls_public_url, certificate, key, "FIRMWARE_FILES_TLS_PORT")
    return Listener(Address(files.host, files.port, files.public_url)), Listener(secure)


def _login_addresses(settings: FirmwareSettings) -> Mapping[Transport, str]:
    logins = settings.logins
    host = logins.public_host or settings.files.host
    ports: Mapping[Transport, int | None] = {"ftp": logins.ftp_port, "sftp": logins.sftp_port}
    return {transport: f"{host}:{port}" for transport, port in ports.items() if port is not None}


def _logins(settings: FirmwareSettings, opened: Callable[[Transport], OpenLink]) -> Sequence[FtpServer | SftpServer]:
    """Return what serves links beside HTTP."""
    logins, host = settings.logins, settings.files.host
    found: list[FtpServer | SftpServer] = []
    if logins.ftp_port is not None:
        options = FtpOptions(host, logins.ftp_port, logins.passive_ports, logins.public_host)
        found.append(FtpServer(opened("ftp"), options))
    if logins.sftp_port is not None and logins.sftp_host_key is not None:
        found.append(SftpServer(opened("sftp"), SftpOptions(host, logins.sftp_port, str(logins.sftp_host_key))))
    return found


async def _start(*starts: Hook) -> None:
    for start in starts:
        await start()


async def _stop(*stops: Hook) -> None:
    for stop in stops:
        await stop()
