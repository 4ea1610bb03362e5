"""The service security, wired: the only place where its settings are read."""

import math
import ssl
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from chargebus_calls import Frames, Topic, consumer, tell_nobody
from chargebus_calls.waiting import Kind, WaitingCalls
from chargebus_commanding import Commanding
from chargebus_events.topics import REGISTRY, STATION_EVENTS
from chargebus_outbound.client import Client
from chargebus_outbound.network import CheckedNetwork, system_resolver
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.process import Process, Service
from fastapi import APIRouter

from chargebus_security.authorities.api import certificates as certificates_api
from chargebus_security.authorities.api import public as public_api
from chargebus_security.authorities.domain.profiles import BUILT_IN, COMBINED, EST, STATION, V2G, V2G20
from chargebus_security.authorities.operations.built_in import BuiltIn
from chargebus_security.authorities.operations.est import Est, EstOptions
from chargebus_security.authorities.operations.files import AuthorityFiles
from chargebus_security.authorities.operations.hsm import Hsm, HsmOptions
from chargebus_security.authorities.operations.issued import Issued
from chargebus_security.authorities.operations.signing import Authority
from chargebus_security.contracts.block import ACTION as EV_CERTIFICATE
from chargebus_security.contracts.block import CHECKED as AUTHORIZE
from chargebus_security.contracts.block import CertificateRequests, ContractChecks
from chargebus_security.contracts.domain.checks import Policy as ContractPolicy
from chargebus_security.contracts.operations.built_in import BuiltInPool
from chargebus_security.contracts.operations.checking import Checking
from chargebus_security.contracts.operations.fetching import Fetching
from chargebus_security.contracts.operations.pool import HttpPool, PoolOptions
from chargebus_security.credentials import api as credentials_api
from chargebus_security.credentials import handlers as credentials_handlers
from chargebus_security.credentials import tasks as credentials_tasks
from chargebus_security.credentials.operations.campaigns import Campaigns
from chargebus_security.credentials.operations.working import TOLD, Working
from chargebus_security.inventory import api as inventory_api
from chargebus_security.inventory import tasks as inventory_tasks
from chargebus_security.inventory.operations import Inventory
from chargebus_security.metrics import Metrics
from chargebus_security.names import SERVICE
from chargebus_security.routes import ROUTES
from chargebus_security.settings import (
    ContractSettings,
    EstSettings,
    HsmSettings,
    SecuritySettings,
    SigningSettings,
    StatusSettings,
    TrustSettings,
)
from chargebus_security.signing import api as signing_api
from chargebus_security.signing import handlers as signing_handlers
from chargebus_security.signing import routes as signing_routes
from chargebus_security.signing import tasks as signing_tasks
from chargebus_security.signing.block import SignCertificates
from chargebus_security.signing.domain.policy import Policy
from chargebus_security.signing.domain.request import Patience
from chargebus_security.signing.operations import Requests, Signing
from chargebus_security.stations import api as stations_api
from chargebus_security.stations import handlers as stations_handlers
from chargebus_security.stations import tasks as stations_tasks
from chargebus_security.stations.operations import Stations
from chargebus_security.status import tasks as status_tasks
from chargebus_security.status.block import StatusCalls
from chargebus_security.status.operations.answering import Answering
from chargebus_security.status.operations.keeping import Keeping
from chargebus_security.status.operations.lookups import Lookups
from chargebus_security.status.routes import ACTIONS as STATUS_ACTIONS
from chargebus_security.trust import api as trust_api
from chargebus_security.trust import tasks as trust_tasks
from chargebus_security.trust.handlers import Heard
from chargebus_security.trust.operations.repairing import Answers, Pace, Repairing
from chargebus_security.trust.operations.servers import Servers
from chargebus_security.trust.operations.wanting import Trust, wanted_by_policies

_RENEW_EVERY_S: Final = 10.0
_ANSWER_S: Final = 60.0
_CLAIM_GRACE_S: Final = 30.0
_CHECK_GRACE_S: Final = 10.0
"""How much later than it should be done another copy takes a call: a driver waits for a check."""

_STATUS_LEASE_S: Final = 60.0
_OF_A_STATION: Final = 4
"""How many calls about contracts of a station are under way at the same time."""

_MOST_BYTES: Final = 16 * 1024 * 1024
"""How long a list of revoked certificates may be."""

_MOST_CONTRACTS: Final = 1024 * 1024
"""How long the answer of a pool of contracts may be."""


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(SecuritySettings)
    database = process.database(SERVICE, "chargebus_security")
    metrics = Metrics()
    pace = _pace(settings.trust)
    answers = Answers(metrics, pace)
    authorities = _authorities(settings, database, process.clock, metrics)
    patience = Patience(
        timedelta(hours=settings.signing.request_wait_h), timedelta(days=settings.signing.renew_before_days)
    )
    policy = _policy(settings.signing)
    servers = Servers(process.edges, process.clock)
    inventory = Inventory(database, metrics, settings.expiring_days, [wanted_by_policies, servers.needed_for])
    outcomes = {**answers.intents, **signing_routes.Outcomes(patience, inventory, metrics).intents}
    commanding = Commanding(SERVICE, database, outcomes, process.edges.kafka_clock, process.sealing)
    working = Working(database, commanding, process.sealing, metrics)
    heard = credentials_handlers.Heard(working)
    outcomes[TOLD] = working.answered  # which asks for the next thing
    credentials = Campaigns(database, process.sealing, timedelta(days=settings.keep_days))
    signing = _signing(settings, policy, authorities, patience)
    stations = Stations(database, metrics, timedelta(days=settings.keep_days))
    requests = Requests(database, commanding, signing, inventory, metrics)
    trust = Trust(database, commanding, servers)
    repairing = Repairing(database, commanding, metrics, pace, servers)
    keeping = Keeping(database)
    lookups = _lookups(process, keeping, inventory, metrics, settings.status)
    kinds = _kinds(process, database, lookups, metrics, settings.contracts)
    waiting = WaitingCalls(SERVICE, database, kinds, metrics.gave_up)
    requests_per_hour, has_pool = settings.contracts.contracts_per_hour, bool(settings.contracts.contracts_pool)
    blocks = (
        StatusCalls(waiting, metrics),
        SignCertificates(policy, metrics),
        CertificateRequests(waiting, requests_per_hour, metrics, has_pool=has_pool),
        ContractChecks(waiting, _contract_policy(settings.contracts), metrics),
    )
    routes = APIRouter()
    routes.include_router(inventory_api.router(inventory))
    routes.include_router(trust_api.router(trust))
    routes.include_router(stations_api.router(stations))
    routes.include_router(certificates_api.router(Issued(database, authorities, metrics)))
    routes.include_router(signing_api.router(requests))
    routes.include_router(credentials_api.router(credentials))
    built_in = authorities.get(BUILT_IN)
    return Service(
        SERVICE,
        database=database,
        consumer=consumer(
            Frames(SERVICE, ROUTES, blocks, process.clock),
            Topic(STATION_EVENTS, stations_handlers.hear_stations, tell_nobody, rest_s=stations_handlers.REST_S),
            Topic(STATION_EVENTS, Heard(pace).hear, tell_nobody, rest_s=stations_handlers.REST_S),
            Topic(STATION_EVENTS, signing_handlers.hear, tell_nobody, rest_s=stations_handlers.REST_S),
            Topic(REGISTRY, heard.hear_registry, tell_nobody),
            Topic(STATION_EVENTS, heard.hear_connections, tell_nobody, rest_s=stations_handlers.REST_S),
            commanding,
        ),
        views=(process.edges.view,),
        routers={"/v1": routes} | ({"/pki": public_api.router(built_in)} if isinstance(built_in, BuiltIn) else {}),
        tasks=(
            *commanding.tasks,
            *stations_tasks.tasks(stations, settings.forget_every_s),
            *inventory_tasks.tasks(inventory),
            *waiting.tasks,
            *status_tasks.tasks(keeping, lookups),
            *trust_tasks.tasks(repairing),
            *credentials_tasks.tasks(working, credentials),
            *signing_tasks.tasks(requests, settings.signing.sign_every_s, _RENEW_EVERY_S),
        ),
    )


def _pace(settings: TrustSettings) -> Pace:
    every_h = settings.trust_report_every_h
    return Pace(
        settings.trust_at_once,
        timedelta(seconds=settings.trust_settle_s),
        timedelta(hours=every_h) if every_h else None,
        settings.trust_everybody,
    )


def _lookups(
    process: Process, keeping: Keeping, inventory: Inventory, metrics: Metrics, settings: StatusSettings
) -> Lookups:
    """Return how responders are asked, as it is set."""
    network = CheckedNetwork(system_resolver(), settings.status_allowed_networks, "SECURITY_STATUS_ALLOWED_NETWORKS")
    client = Client(network, ssl.create_default_context(), within_s=settings.status_within_s, most_bytes=_MOST_BYTES)
    return Lookups(
        client,
        inventory.issuers,
        keeping,
        metrics,
        process.clock,
        keep=timedelta(seconds=settings.status_keep_s),
        at_once=settings.status_at_once,
    )


def _contract_policy(settings: ContractSettings) -> ContractPolicy:
    return ContractPolicy(settings.contracts_local, settings.contracts_away, settings.contracts_uncertified)


def _kinds(
    process: Process, database: Database, lookups: Lookups, metrics: Metrics, settings: ContractSettings
) -> Mapping[str, Kind]:
    """Return what answers calls that wait, as it is set."""
    within_s, policy = settings.contracts_within_s, _contract_policy(settings)
    check_within_s = settings.contracts_check_within_s
    if settings.contracts_pool == "http":
        network = CheckedNetwork(system_resolver(), settings.contracts_networks, "SECURITY_CONTRACTS_NETWORKS")
        client = Client(network, ssl.create_default_context(), within_s=within_s, most_bytes=_MOST_CONTRACTS)
        options = PoolOptions(
            settings.contracts_url,
            settings.contracts_token.get_secret_value(),
            settings.contracts_token_url,
            settings.contracts_client_id,
            settings.contracts_client_secret.get_secret_value(),
        )
        pool: HttpPool | BuiltInPool = HttpPool(client, options)
    else:
        pool = BuiltInPool(settings.contracts_test_vehicles)
    fetching = Fetching(pool, metrics, within_s=within_s, at_once=settings.contracts_at_once)
    checking = Checking(database, lookups, metrics, process.clock, policy, within_s=check_within_s)
    status = Kind(Answering(lookups, metrics), timedelta(seconds=_STATUS_LEASE_S))
    return {
        **dict.fromkeys(STATUS_ACTIONS, status),
        EV_CERTIFICATE: Kind(fetching, timedelta(seconds=within_s + _CLAIM_GRACE_S), _OF_A_STATION),
        AUTHORIZE: Kind(checking, timedelta(seconds=check_within_s + _CHECK_GRACE_S), _OF_A_STATION),
    }


def _authorities(
    settings: SecuritySettings, database: Database, clock: Clock, metrics: Metrics
) -> Mapping[str, Authority]:
    """Return the authorities that sign anything, by name; the built-in one is made where it is not there.

    Raises:
        AuthorityFilesError: what is in its folder cannot be used.
    """
    signing = settings.signing
    found: dict[str, Authority] = {}
    used = {signing.station_authority, signing.v2g_authority}
    if BUILT_IN in used:
        url = signing.pki_url.rstrip("/")
        files = AuthorityFiles(signing.ca_folder, signing.ca_organization, url, clock, _hsm(settings.hsm, metrics))
        files.open()
        found[BUILT_IN] = BuiltIn(files, database, clock)
    if EST in used:
        found[EST] = Est(_est_options(settings.est), clock)
    return found


def _hsm(hsm: HsmSettings, metrics: Metrics) -> Hsm | None:
    if hsm.module is None:
        return None
    return Hsm(HsmOptions(hsm.module, hsm.token, hsm.key, hsm.pin.get_secret_value(), hsm.pin_file), metrics)


def _est_options(est: EstSettings) -> EstOptions:
    return EstOptions(
        est.url,
        est.v2g_url,
        est.username,
        est.password.get_secret_value(),
        est.ca,
        est.certificate,
        est.key,
        est.timeout_s,
    )


def _policy(settings: SigningSettings) -> Policy:
    by_type = {
        STATION: settings.station_authority,
        COMBINED: settings.v2g_authority or settings.station_authority,
        V2G: settings.v2g_authority,
        V2G20: settings.v2g_authority,
    }
    return Policy(
        {kind: name for kind, name in by_type.items() if name},
        settings.csr_names,
        settings.csr_organization,
        timedelta(days=settings.certificate_days),
        timedelta(days=settings.v2g_certificate_days),
        settings.requests_per_hour,
        settings.certificates_per_station,
    )


def _signing(
    settings: SecuritySettings, policy: Policy, authorities: Mapping[str, Authority], patience: Patience
) -> Signing:
    return Signing(
        policy,
        authorities,
        patience,
        timedelta(seconds=settings.est.timeout_s * 2 + _CLAIM_GRACE_S),
        _ANSWER_S,
        settings.signing.chain_limit,
        math.ceil(settings.signing.renewals_per_minute * _RENEW_EVERY_S / 60),
        timedelta(days=settings.keep_days),
    )
