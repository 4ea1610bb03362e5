"""A whole system in real processes: embedded Kafka and PostgreSQL of its own, and every service by itself.

Any of them can be killed, paused and brought back; everything ends with the test.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from chargebus_embedded import EmbeddedKafka, EmbeddedPostgres, free_port
from chargebus_embedded.child import Child, Command

SERVICES = ("access", "command", "device", "session", "metering", "edge")

_READY_WITHIN_S = 60.0
_POLL_S = 0.1
_TAIL_LINES = 25


class SystemError_(Exception):
    """A part of the system did not come up; the message shows the end of its log."""


@dataclass(frozen=True)
class Copy:
    """One process of a service: `session` is the first copy, `session-1` a second one; ports are its own."""

    service: str
    number: int
    http_port: int
    ocpp_port: int

    @property
    def name(self) -> str:
        """The name by which tests kill and start it."""
        return self.service if self.number == 0 else f"{self.service}-{self.number}"


@dataclass
class Running:
    """A copy, its environment beyond the system's, and its process."""

    copy: Copy
    more: Mapping[str, str] = field(default_factory=dict)
    child: Child | None = None
    starts: int = 0


class System:
    """Kafka, PostgreSQL and the services, each in a process of its own, with their data and logs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka = EmbeddedKafka(folder / "kafka")
        self.postgres = EmbeddedPostgres(folder / "postgres")
        self._copies: dict[str, Running] = {}
