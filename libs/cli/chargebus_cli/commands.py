"""What each command does with its arguments; what is slow to import is imported where it is needed."""

import argparse
import importlib
import os
from collections.abc import Coroutine
from types import ModuleType
from typing import Any

from chargebus_cli.errors import CommandError

# ruff: noqa: PLC0415 - `chargebus --help` must not load Kafka clients, databases and all services


def run(chosen: argparse.Namespace) -> int:
    """Run the whole system, or the services that are named."""
    if chosen.services:
        from chargebus_cli import one

        return _asyncio(one.run(chosen.services))
    _need("chargebus_embedded", "running the whole system")
    from chargebus_cli import whole
    from chargebus_cli.wanted import Wanted

    wanted = Wanted(chosen.fleet, chosen.depot, chosen.ocpp_port, chosen.http_port, chosen.data)
    return _asyncio(whole.run(wanted, os.environ))


def simulate(chosen: argparse.Namespace) -> int:
    """Let simulated stations charge at a running system."""
    _need("chargebus_station", "simulating stations")
    from chargebus_cli import simulate as simulation

    key = chosen.key or os.environ.get("CHARGEBUS_API_KEY", "")
    if not key:
        message = "simulate needs an API key: --key, or CHARGEBUS_API_KEY (`chargebus run` prints one)"
        raise CommandError(message)
    target = simulation.Target(chosen.fleet, chosen.depot, chosen.ocpp, chosen.http, key, chosen.keep)
    return _asyncio(simulation.run(target))


def bench(chosen: argparse.Namespace) -> int:
    """Measure; the arguments are the benchmark's own."""
    _need("chargebus_bench", "measuring")
    from chargebus_bench.main import main

    return main(chosen.handed_on)


def topics(chosen: argparse.Namespace) -> int:
    """Create the missing topics, or print those declared."""
    from chargebus_cli import topics as topic_commands

    if chosen.list:
        topic_commands.show()
        return 0
    from chargebus_cli.environment import runtime_settings

    return _asyncio(topic_commands.run(runtime_settings()))


def migrate(chosen: argparse.Namespace) -> int:
    """Bring databases to their newest revision."""
    from chargebus_cli import migrate as migration
    from chargebus_cli.environment import runtime_settings
    from chargebus_cli.services import builds

    return _asyncio(migration.run(runtime_settings(), builds(chosen.services)))


def parked_list(chosen: argparse.Namespace) -> int:
    """List parked records."""
    from chargebus_cli import parked
    from chargebus_cli.environment import runtime_settings

    return _asyncio(parked.list_all(runtime_settings(), chosen.services))


def parked_show(chosen: argparse.Namespace) -> int:
    """Show one parked record."""
    from chargebus_cli import parked
    from chargebus_cli.environment import runtime_settings

    return _asyncio(parked.show(runtime_settings(), chosen.service, chosen.number))


def parked_replay(chosen: argparse.Namespace) -> int:
    """Replay parked records."""
    from chargebus_runtime.clock import utc_now

    from chargebus_cli import parked
    from chargebus_cli.environment import runtime_settings

    return _asyncio(parked.replay(runtime_settings(), chosen.service, chosen.numbers, utc_now))


def parked_dismiss(chosen: argparse.Namespace) -> int:
    """Dismiss parked records."""
    from chargebus_runtime.clock import utc_now

    from chargebus_cli import parked
    from chargebus_cli.environment import runtime_settings

    return _asyncio(parked.dismiss(runtime_settings(), chosen.service, chosen.numbers, utc_now))


def holes_list(chosen: argparse.Namespace) -> int:
    """List holes in the log."""
    from chargebus_cli import holes
    from chargebus_cli.environment import runtime_settings
    from chargebus_cli.services import builds

    return _asyncio(holes.list_all(runtime_settings(), builds(chosen.services)))


def holes_acknowledge(chosen: argparse.Namespace) -> int:
    """Acknowledge holes in the log."""
    from chargebus_runtime.clock import utc_now

    from chargebus_cli import holes
    from chargebus_cli.environment import runtime_settings
    from chargebus_cli.services import builds

    return _asyncio(holes.acknowledge(runtime_settings(), builds(chosen.services), utc_now))


def _asyncio(work: Coroutine[Any, Any, None]) -> int:
    import uvloop
    from aiokafka.errors import KafkaError

    try:
        uvloop.run(work)
    except KafkaError as error:
        message = f"Kafka cannot be used: {error}"
        raise CommandError(message) from error
    except OSError as error:
        raise CommandError(str(error)) from error
    return 0


def _need(module: str, purpose: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        message = f"{purpose} needs the package {error.name}, which is not installed here"
        raise CommandError(message) from error
