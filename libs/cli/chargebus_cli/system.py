"""All services in this process on given servers: topics, databases, demo data, and what the user is told."""

import asyncio
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path

from chargebus_runtime.process import PortTakenError, Process
from chargebus_runtime.sealing import SETTING, generate_key
from chargebus_runtime.settings import FEW_PARTITIONS
from pydantic import ValidationError

from chargebus_cli import demo, migrate, simulate, topics
from chargebus_cli.backends import Backends
from chargebus_cli.environment import runtime_settings, wrong_setting
from chargebus_cli.errors import CommandError
from chargebus_cli.folder import DataFolder
from chargebus_cli.logs import log_to_file
from chargebus_cli.receivers import Receivers, receivers
from chargebus_cli.say import say
from chargebus_cli.serve import serve
from chargebus_cli.services import builds
from chargebus_cli.stopping import unless
from chargebus_cli.tls import TlsListener, tls_listener
from chargebus_cli.wanted import HOST, Wanted

_WELCOME = """
  Stations connect to   {ocpp}/{{station_id}}{tls}
  HTTP API              {http}/v1
  its OpenAPI page      {http}/docs
  admin API key         {key}
  try                   curl -H 'X-API-Key: {key}' {http}/v1/stations
  mail and webhooks     {page}   (what came, for a look around; none is sent on)
  logs and data         {folder}

Ctrl-C stops everything; the next start goes on from here.
"""

_OVER_TLS = """
  or over TLS to        {url}/{{station_id}}
  its root              {root}
"""

_PATIENCE_S = 30.0

# For each service: enough for a demonstration, and a third of the memory that PostgreSQL takes with many sessions.
_POOL_SIZE = "3"

# Loaded with this module, while the servers still start.
BUILDS = builds([])


@dataclass(frozen=True)
class System:
    """What is to run, where it keeps its data, and on which servers."""

    wanted: Wanted
    folder: DataFolder
    servers: Backends

    async def run(self, environment: MutableMapping[str, str], stop: asyncio.Event) -> None:
        """Run all services until `stop` is set or one of their parts dies.

        Raises:
            Stopped: `stop` was set; the services are stopped.
            CommandError: the HTTP port is taken, a setting is wrong, or a part died.
        """
        environment.update(self._service_settings())
        environment.setdefault("DATABASE_POOL_SIZE", _POOL_SIZE)
        environment.setdefault("KAFKA_PARTITIONS", str(FEW_PARTITIONS))
        environment.setdefault("FIRMWARE_FILES_PORT", str(self.wanted.http_port + 1))
        environment.setdefault("OBJECTS_URL", str(self.folder.objects))
        tls = tls_listener(self.wanted, self.folder, environment)
        has_contracts = tls is not None and not any(name.startswith("SECURITY_CONTRACTS_") for name in environment)
        async with receivers(HOST, self.wanted.http_port + 2) as taking:
            await self._run(_Beside(taking, tls, has_contracts), environment, stop)

    async def _run(self, beside: "_Beside", environment: MutableMapping[str, str], stop: asyncio.Event) -> None:
        for name, value in beside.environment(environment).items():
            environment.setdefault(name, value)
        if SETTING not in environment:
            environment[SETTING] = _kept_key(self.folder.sealing_keys)
        settings = runtime_settings(
            kafka_bootstrap_servers=self.servers.kafka,
            database_url=self.servers.database,
            http_host=HOST,
            http_port=self.wanted.http_port,
        )
        log_to_file(settings.log_level, self.folder.log)
        process = Process(settings)
        hint = f"Still starting; {self.folder.log} tells what it waits for."
        told = asyncio.get_running_loop().call_later(_PATIENCE_S, say, hint)
        try:
            await unless(stop, self._prepare(process))
            await serve(process, BUILDS, stop, lambda: self._once_up(told, beside))
        except ValidationError as error:
            raise wrong_setting(error) from error
        except PortTakenError as error:
            raise CommandError(str(error)) from error
        finally:
            told.cancel()

    def _service_settings(self) -> dict[str, str]:
        """Return the services' own settings for one system on one machine, as the environment spells them."""
        return {
            "ACCESS_ADMIN_KEY_FILE": str(self.folder.admin_key),
            "EDGE_ALLOW_PLAIN_WS": "true",  # it listens on the loopback interface only
            "EDGE_HOST": HOST,
            "EDGE_PORT": str(self.wanted.ocpp_port),
        }

    async def _prepare(self, process: Process) -> None:
        """Create topics and databases where they are missing; the mock makes its topics itself."""
        await asyncio.gather(
            migrate.databases(process, BUILDS), *(() if self.servers.mock else (topics.create(process.settings),))
        )

    async def _once_up(self, hint: asyncio.TimerHandle, beside: "_Beside") -> None:
        """Load the demo data, say where everything is, and let the fleet charge; `hint` is no longer needed."""
        hint.cancel()
        wanted, folder = self.wanted, self.folder
        key = folder.admin_key.read_text(encoding="utf-8").strip()
        taking, tls = beside.taking, beside.tls
        say(
            _WELCOME.format(
                ocpp=wanted.ocpp_url,
                tls="" if tls is None else _OVER_TLS.format(url=tls.url, root=tls.pki.root).rstrip(),
                http=wanted.http_url,
                key=key,
                folder=folder.path,
                page=taking.page,
            )
        )
        told = demo.Told(taking.webhook, taking.address)
        target = simulate.Target(wanted.fleet, wanted.depot, wanted.ocpp_url, wanted.http_url, key, folder.demo, told)
        if tls is not None:
            root = tls.pki.mobility.read_text(encoding="utf-8") if beside.has_contracts else ""
            vehicles = tls.vehicles() if beside.has_contracts else {}
            target = replace(target, secure=tls.stations(), contract_root=root, vehicles=vehicles)
        await simulate.live(target)


@dataclass(frozen=True)
class _Beside:
    """What a demonstration has besides the services.

    `tls` is None where the user has settings of TLS, and there are no contracts where he has settings of those.
    """

    taking: Receivers
    tls: TlsListener | None
    has_contracts: bool

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the settings by which services find it."""
        of_tls = {} if self.tls is None else self.tls.environment()
        of_contracts = self.tls.contracts_environment() if self.tls is not None and self.has_contracts else {}
        return self.taking.environment(given) | of_tls | of_contracts


def _kept_key(path: Path) -> str:
    """Return the key of a file that only its owner reads, which is made at the first start."""
    if not path.exists():
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(generate_key() + "\n")
        new.replace(path)
    return path.read_text(encoding="utf-8").strip()
