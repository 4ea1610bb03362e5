"""Promise 4 against an adversary: requests, sockets, edges and logs interleave at random, records double and overtake.

The machine plays the edges as their contract says: a command is written only on the connection that it names, once,
and only while its answer may still come in time.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from chargebus_command.domain.decision import NOT_WRITTEN, Life, Surroundings, offline_reason
from chargebus_command.domain.events import (
    Asked,
    Connected,
    Delivered,
    DeliveryResult,
    Disconnected,
    Event,
)
from chargebus_command.domain.queue import decide
from chargebus_command.domain.state import Command, Rules, Sent, Station, StationConnection, expiry
from chargebus_events.commands import CommandForm
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
SLOTS = st.sampled_from([0, 1])
RULES = Rules(max_waiting=4)
RESET = CommandForm("Reset", msgspec.Raw(b"{}"))
EDGE_SILENCE = timedelta(seconds=10)


@dataclass
class EdgeLife:
    """One edge process: the connection it holds, if any, and the commands it wrote that await an answer."""

    epoch: int
    alive: bool = True
    held: int | None = None
    seen: set[tuple[str, datetime]] = field(default_factory=set)
    kept: set[tuple[str, int]] = field(default_factory=set)
    awaited: dict[str, Command] = field(default_factory=dict)


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.station = Station("CS1", registered=True)
        self.edges: dict[int, tuple[int, datetime]] = {}
        self.lives = {slot: EdgeLife(epoch=slot) for slot in (0, 1)}
        self.edge_log: list[tuple[int, int]] = [(0, 0), (1, 1)]
        self.edge_read = 0
        self.presence_log: list[Event] = []
        self.presence_read = 0
        self.downlink: list[Command] = []
        self.deliveries: list[Delivered] = []
        self.asked: list[Command] = []
        self.ended: Counter[str] = Counter()
        self.written: Counter[str] = Counter()

    # what happens in the world

    @rule(ttl_s=st.sampled_from([0.0, 0.0, 3.0, 60.0]), timeout_s=st.sampled_from([1.0, 10.0]), patient=st.booleans())
    def ask(self, ttl_s: float, timeout_s: float, patient: bool) -> None:
        expires_at = expiry(self.now, timeout_s, ttl_s)
        name = f"c{len(self.asked)}"
        absent_until = self.now + timedelta(seconds=RULES.absent_grace_s) if patient else None
        command = Command(
            name, "CS1", (RESET,), "test", self.now, expires_at, timeout_s, ttl_s, absent_until=absent_until
        )
        self.asked.append(command)
        self.decide(Asked(command))

    @rule(slot=SLOTS)
    def connect(self, slot: int) -> None:
        life = self.lives[slot]
        if not life.alive:
            return
        self.drop(slot)
        epoch = len(self.presence_log)
        self.presence_log.append(Connected(StationConnection(epoch, slot, life.epoch, "1.6")))
        life.held = epoch

    @rule(slot=SLOTS)
    def drop(self, slot: int) -> None:
        life = self.lives[slot]
        if not life.alive or life.held is None:
            return
        for name in list(life.awaited):
            self.report(life, name, "connection_lost")
        self.presence_log.append(Disconnected(life.held))
        life.held = None

    @rule(slot=SLOTS)
    def kill_edge(self, slot: int) -> None:
        self.lives[slot].alive = False

    @rule(slot=SLOTS)
    def start_edge(self, slot: int) -> None:
        if self.lives[slot].alive:
            return
        self.lives[slot] = EdgeLife(epoch=len(self.edge_log))
        self.edge_log.append((slot, self.lives[slot].epoch))

    @rule(slot=SLOTS)
    def heartbeat(self, slot: int) -> None:
        if self.lives[slot].alive:
            self.edge_log.append((slot, self.lives[slot].epoch))

    @precondition(lambda self: self.downlink)
    @rule(index=st.integers(0, 10), again=st.booleans(), refused=st.sampled_from([False, False, False, True]))
    def deliver_downlink(self, index: int, again: bool, refused: bool) -> None:
        index %= len(self.downlink)
        command = self.downlink[index] if again else self.downlink.pop(index)
        sent = command.sent
        assert sent is not None
        life = self.lives[sent.slot]
        key = (command.command_id, sent.epoch)
        if not life.alive or key in life.kept or (command.command_id, sent.sent_at) in life.seen:
            return
        life.seen.add((command.command_id, sent.sent_at))
        if life.held != sent.epoch or refused:
            self.deliveries.append(Delivered(*key, "undeliverable", sent_at=sent.sent_at))
        elif self.now >= sent.sent_at + timedelta(seconds=command.timeout_s):
            self.deliveries.append(Delivered(*key, "timed_out", sent_at=sent.sent_at))
        else:
            assert not life.awaited, "two commands in flight on one socket"
            self.written[command.command_id] += 1
            life.awaited[command.command_id] = command
            life.kept.add(key)

    @rule(slot=SLOTS, result=st.sampled_from(["answered", "refused", "timed_out"]))
    def answer(self, slot: int, result: DeliveryResult) -> None:
        life = self.lives[slot]
        if life.alive and life.awaited:
            self.report(life, next(iter(life.awaited)), result)

    # what the service sees of it

    @rule(count=st.integers(1, 3))
    def read_presence(self, count: int) -> None:
        fresh = self.presence_log[self.presence_read : self.presence_read + count]
        self.presence_read += len(fresh)
        self.decide(*fresh)

    @rule(count=st.integers(1, 3))
    def read_edges(self, count: int) -> None:
        for slot, epoch in self.edge_log[self.edge_read : self.edge_read + count]:
            self.edge_read += 1
            self.edges[slot] = epoch, self.now
        self.decide()

    @precondition(lambda self: self.deliveries)
    @rule(index=st.integers(0, 10), again=st.booleans())
    def read_delivery(self, index: int, again: bool) -> None:
        index %= len(self.deliveries)
        self.decide(self.deliveries[index] if again else self.deliveries.pop(index))

    @rule(seconds=st.sampled_from([0.5, 0.5, 1.5, 5.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.time_out_at_the_edges()
        self.decide()

    @rule()
    def catch_up(self) -> None:
        """Everything that is under way arrives."""
        for slot in (0, 1):
            self.heartbeat(slot)
        self.read_edges(len(self.edge_log))
        self.read_presence(len(self.presence_log) or 1)
        while self.downlink:
            self.deliver_downlink(index=0, again=False, refused=False)
        while self.deliveries:
            self.read_delivery(index=0, again=False)
        self.the_newest_connection_is_used()

    @rule(slot=SLOTS)
    def assert_again(self, slot: int) -> None:
        life = self.lives[slot]
        if life.alive and life.held is not None:
            self.presence_log.append(Connected(StationConnection(life.held, slot, life.epoch, "1.6")))

    # what must hold

    @invariant()
    def no_command_ends_twice(self) -> None:
        assert all(count == 1 for count in self.ended.values())

    @invariant()
    def no_command_is_written_twice(self) -> None:
        assert all(count == 1 for count in self.written.values())

    @invariant()
    def every_command_is_open_or_ended(self) -> None:
        open_now = [c.command_id for c in (self.station.in_flight, *self.station.waiting) if c is not None]
        assert sorted([*open_now, *self.ended]) == sorted(c.command_id for c in self.asked)

    @invariant()
    def the_queue_keeps_its_order(self) -> None:
        waiting = [self.number(c) for c in self.station.waiting]
        assert waiting == sorted(waiting)

    def teardown(self) -> None:
        for _ in range(100):
            self.now += timedelta(seconds=15)
            self.decide()
        assert sorted(self.ended) == sorted(c.command_id for c in self.asked)

    def decide(self, *events: Event) -> None:
        in_flight = self.station.in_flight
        decision = decide(self.station, events, self.around())
        self.station = decision.station
        for ended in decision.ended:
            self.ended[ended.command.command_id] += 1
        if decision.sent is None:
            return
        sent = decision.sent.sent
        assert isinstance(sent, Sent)
        returned = decision.sent.command_id == (in_flight.command_id if in_flight else None)
        over = in_flight is None or in_flight.command_id in self.ended
        assert over or returned, "a second command in flight"
        assert sent.sent_at == self.now < decision.sent.expires_at
        assert all(self.number(decision.sent) < self.number(c) for c in self.station.waiting)
        self.downlink.append(decision.sent)

    def the_newest_connection_is_used(self) -> None:
        announced = [event.connection for event in self.presence_log if isinstance(event, Connected)]
        if not announced:
            return
        newest = max(announced, key=lambda connection: connection.epoch)
        life = self.lives[newest.slot]
        if life.alive and life.held == newest.epoch:
            assert self.station.connection == newest
            assert offline_reason(self.station, self.around()) in {"", NOT_WRITTEN}

    def around(self) -> Surroundings:
        return Surroundings(self.life, RULES, lambda _form, _version: "", self.now, self.now)

    def life(self, slot: int, epoch: int) -> Life:
        """Tell of an edge what the heartbeats tell that were read."""
        newest, heard_at = self.edges.get(slot, (-1, self.now))
        if epoch != newest:
            return "over" if epoch < newest else "alive"
        return "silent" if self.now - heard_at > EDGE_SILENCE else "alive"

    def report(self, life: EdgeLife, name: str, result: DeliveryResult) -> None:
        sent = life.awaited.pop(name).sent
        assert sent is not None
        self.deliveries.append(Delivered(name, sent.epoch, result, sent_at=sent.sent_at))

    def time_out_at_the_edges(self) -> None:
        for life in self.lives.values():
            for name, command in list(life.awaited.items()):
                assert command.sent is not None
                if life.alive and self.now >= command.sent.sent_at + timedelta(seconds=command.timeout_s):
                    self.report(life, name, "timed_out")

    def number(self, command: Command) -> int:
        return self.asked.index(next(c for c in self.asked if c.command_id == command.command_id))


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=2 * settings.default.max_examples, stateful_step_count=60)
