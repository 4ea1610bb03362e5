"""The parts of one station that its activities share."""

import asyncio
import random
import uuid
from dataclasses import dataclass, field

from chargebus_station.clock import Changes, Clock
from chargebus_station.config import StationConfig
from chargebus_station.device_model import DeviceModel, Setting, Settings
from chargebus_station.dialect import Dialect
from chargebus_station.dialects import DIALECTS
from chargebus_station.faults import Faults
from chargebus_station.history import History
from chargebus_station.message_queue import MessageQueue
from chargebus_station.networks import Networks
from chargebus_station.registration import Registration, Status
from chargebus_station.state import Evse, Firmware, StationState
from chargebus_station.transaction_queue import TransactionQueue


@dataclass
class Core:
    """One station's memory and tools; `connected` is whether there is a socket at this moment."""

    config: StationConfig
    clock: Clock
    dialect: Dialect
    state: StationState
    history: History
    rng: random.Random
    queue: TransactionQueue = field(default_factory=TransactionQueue)
    registration: Registration = field(default_factory=Registration)
    faults: Faults = field(default_factory=Faults)
    messages: MessageQueue = field(default_factory=MessageQueue)
    changes: Changes = field(default_factory=Changes)
    limit_news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when charging profiles have changed."""
    connected: bool = False

    @property
    def online(self) -> bool:
        """Whether the CSMS would answer: connected, and accepted."""
        return self.connected and self.registration.status is Status.ACCEPTED

    @property
    def settings(self) -> Settings:
        """What the station goes by."""
        return self.state.settings

    def new_id(self) -> str:
        """Return an id that no other message or transaction has."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def changed(self) -> None:
        """Let everybody look who waits for something."""
        self.messages.work.set()
        self.changes.notify()


def build(config: StationConfig, clock: Clock) -> Core:
    """Return a station that has never been switched on."""
    dialect = DIALECTS[config.version](config.energy_unit)
    device = DeviceModel(dialect.variables(config))
    for name, value in config.settings.items():
        device.put(dialect.address_of(name), value)
    for name in config.read_only:
        device.lock(dialect.address_of(name))
    state = StationState(
        station_id=config.station_id,
        evses={n: Evse(n, outlet, config.register_wh) for n, outlet in enumerate(config.outlets, start=1)},
        device=device,
        settings=Settings(device, dialect.addresses),
        firmware=Firmware(config.model.firmware),
        networks=Networks.of(config),
        local_list=dict.fromkeys(config.local_tokens, "Accepted"),
        charging_habits=set(config.charging_habits),
    )
    if config.password is not None:
        state.settings.put(Setting.PASSWORD, config.password)
    history = History(config.station_id, config.version, config.history_keep)
    return Core(config, clock, dialect, state, history, random.Random(f"{config.seed}/{config.station_id}"))  # noqa: S311
