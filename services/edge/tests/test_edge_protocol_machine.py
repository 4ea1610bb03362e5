"""The protocol of one connection under any order of events: what must hold whatever happens."""

import json
from datetime import UTC, datetime

import hypothesis.strategies as st
from chargebus_edge.log.commands import Report, StationCommand
from chargebus_edge.log.frames import Publish
from chargebus_edge.rpc.effects import Note, SendText
from chargebus_edge.rpc.limits import ProtocolLimits
from chargebus_edge.rpc.protocol import OcppProtocol
from chargebus_events.frames import RpcError
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

LIMITS = ProtocolLimits(
    order_hold_s=5,
    forget_call_s=40,
    max_open_calls=3,
    max_waiting_calls=2,
    max_waiting_commands=2,
    command_wait_s=8,
)

BOOT = ("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
ACTIONS = {
    "1.6": [("Heartbeat", {}), ("Authorize", {"idTag": "x"}), BOOT],
    "2.1": [("Heartbeat", {}), ("Authorize", {"idToken": {"idToken": "x", "type": "Local"}})],
}


class ProtocolMachine(RuleBasedStateMachine):
    @initialize(version=st.sampled_from(["1.6", "2.1"]), registration=st.sampled_from(["accepted", "pending"]))
    def connect(self, version, registration):
        self.version = version
        self.now = 0.0
        self.protocol = OcppProtocol(version, registration, LIMITS, self.now)
        self.closing = False
        self.ended = False
        self.calls = 0
        self.open = {}  # message id → when it was taken
        self.queued = []  # message ids that wait for room
        self.published = 0  # the newest message id on Kafka
        self.numbers = {}  # frame number → message id, of what was published
        self.given_up = set()  # message ids that may never be answered
        self.answerable = set()  # message ids that were given an answer, or refused
        self.written_answers = []
        self.taken = {}  # command id → stamps that were offered
        self.expected = {}  # command id → reports still to come
        self.limits = {}  # command id → when it may be written no more
        self.flying = None
        self.written_commands = []

    def do(self, effects):
        for effect in effects:
            if isinstance(effect, SendText):
                frame = json.loads(effect.text)
                assert effect.is_command == (frame[0] == 2)
                if self.closing and effect.is_command:
                    self.do(self.protocol.unwritten())
                else:
                    self.wrote(frame)
            elif isinstance(effect, Publish):
                self.took(effect)
            elif isinstance(effect, Report):
                self.reported(effect)
        return effects

    def took(self, publish):
        assert publish.message_id in self.open
        assert int(publish.message_id) > self.published, "overtaken on Kafka"
        self.published = int(publish.message_id)
        self.answerable.discard(publish.message_id)
        self.numbers[publish.number] = publish.message_id

    def make_room(self):
        """What waits is taken as soon as there is room for it, in order."""
        while self.queued and len(self.open) < LIMITS.max_open_calls:
            self.open[self.queued.pop(0)] = self.now

    def wrote(self, frame):
        assert not self.ended
        kind, message_id, *_ = frame
        if kind == 2:
            assert self.flying is None, "two commands in flight"
            assert message_id not in self.written_commands, "a command was written twice"
            assert self.expected[message_id] == 1, "written after its report"
            assert self.now < self.limits[message_id], "written too late"
            self.written_commands.append(message_id)
            self.flying = message_id
        elif kind in (3, 4) and message_id != "-1":
            assert message_id in self.answerable, "an answer that nobody gave"
            assert message_id not in self.queued, "answered before it was taken"
            assert message_id not in self.written_answers, "two answers to one call"
            assert message_id not in self.given_up
            self.written_answers.append(message_id)
            came_at = self.open.pop(message_id, None)
            if came_at is not None:
                for earlier, earlier_at in self.open.items():
                    if int(earlier) < int(message_id):
                        assert self.now - earlier_at >= LIMITS.order_hold_s, "overtaken"
            self.make_room()

    def reported(self, report):
        assert self.expected[report.command.command_id] == 1, "reported twice"
        self.expected[report.command.command_id] = 0
        assert (report.command.command_id in self.written_commands) == (report.result != "undeliverable")
        if report.command.command_id == self.flying:
            self.flying = None

    @rule(pick=st.integers(0, 2), bad=st.booleans())
    def station_calls(self, pick, bad):
        self.calls += 1
        message_id = str(self.calls)
        action, payload = ("Nonsense", {}) if bad else ACTIONS[self.version][pick % len(ACTIONS[self.version])]
        too_many = len(self.queued) >= LIMITS.max_waiting_calls
        self.answerable.add(message_id)  # unless it is published
        if not self.ended and not too_many:
            self.queued.append(message_id)
            self.make_room()
        waits = message_id in self.queued
        effects = self.protocol.received(json.dumps([2, message_id, action, payload]).encode(), self.now)
        self.do(effects)
        assert bool(effects) is not (self.ended or waits)
        if too_many and not self.ended:
            assert message_id in self.written_answers

    @rule(data=st.data(), refused=st.booleans())
    def answer_comes(self, data, refused):
        number = data.draw(st.integers(1, max(self.numbers, default=0) + 1))
        if number in self.numbers:
            self.answerable.add(self.numbers[number])
        answer = RpcError("InternalError") if refused else b'{"status":"Accepted"}'
        self.do(self.protocol.answer(number, answer, self.now))

    @precondition(lambda self: self.numbers)
    @rule(data=st.data())
    def kafka_refuses(self, data):
        number = data.draw(st.sampled_from(sorted(self.numbers)))
        message_id = self.numbers[number]
        if message_id in self.written_answers or message_id in self.answerable:
            return  # Kafka acknowledges before anyone can answer
        self.protocol.abandon(number)
        self.open.pop(message_id, None)
        self.given_up.add(message_id)
        self.make_room()

    @rule(index=st.integers(0, 5), stamp=st.integers(0, 2), timeout_s=st.floats(1, 30), left_s=st.floats(-1, 30))
    def command_comes(self, index, stamp, timeout_s, left_s):
        command_id = f"c{index}"
        stamps = self.taken.setdefault(command_id, set())
        kept = self.expected.get(command_id) == 1 or command_id in self.written_commands
        fresh = not kept and stamp not in stamps
        if fresh:
            self.expected[command_id] = 1
            stamps.clear()
            stamps.add(stamp)
            self.limits[command_id] = self.now + left_s
        sent_at = datetime.fromtimestamp(stamp, UTC)
        until = self.now + left_s
        command = StationCommand(command_id, "ClearCache", b"{}", timeout_s, sent_at, until, until)
        effects = self.do(self.protocol.command(command, self.now))
        repeated = [effect for effect in effects if isinstance(effect, Note) and effect.event == "repeated_command"]
        assert bool(repeated) is not fresh
        if fresh and (self.ended or self.protocol.registration == "rejected"):
            assert self.expected[command_id] == 0

    @rule(data=st.data(), kind=st.sampled_from(["result", "bad", "error", "broken", "unknown"]))
    def station_answers(self, data, kind):
        message_id = self.flying if self.flying and kind != "unknown" else "nobody"
        frame = {
            "result": json.dumps([3, message_id, {"status": "Accepted"}]),
            "bad": json.dumps([3, message_id, {"status": 1}]),
            "error": json.dumps([4, message_id, "InternalError", "", {}]),
            "broken": f'[3,"{message_id}",{{"status":]',
            "unknown": json.dumps([3, message_id, {}]),
        }[kind]
        ends = message_id if message_id != "nobody" and not self.ended else None
        self.do(self.protocol.received(frame.encode(), self.now))
        if ends is not None:
            assert self.expected[ends] == 0

    @rule(data=st.binary(max_size=20))
    def garbage_comes(self, data):
        effects = self.protocol.received(data, self.now)
        assert not any(isinstance(effect, Publish | Report) for effect in effects)
        self.do(effects)

    @rule(seconds=st.floats(0.1, 50))
    def time_passes(self, seconds):
        self.now += seconds
        for message_id, came_at in list(self.open.items()):
            # What is ready leaves before what is old is given up.
            if message_id not in self.answerable and self.now - came_at >= LIMITS.forget_call_s:
                self.given_up.add(message_id)
        self.open = {message_id: at for message_id, at in self.open.items() if message_id not in self.given_up}
        self.make_room()
        self.do(self.protocol.tick(self.now))
        if self.flying is not None:
            assert not self.ended

    @rule()
    def registration_changes(self):
        self.protocol.register("accepted")

    @precondition(lambda self: not self.ended)
    @rule(sure=st.integers(0, 9))
    def socket_begins_to_close(self, sure):
        self.closing = self.closing or not sure

    @precondition(lambda self: not self.ended)
    @rule(sure=st.integers(0, 9))
    def connection_ends(self, sure):
        if sure:
            return
        self.do(self.protocol.end())
        self.ended = True

    @invariant()
    def nothing_is_overdue(self):
        if not hasattr(self, "protocol") or self.ended:
            return
        deadline = self.protocol.next_deadline()
        self.do(self.protocol.tick(self.now))
        deadline = self.protocol.next_deadline()
        assert deadline is None or deadline > self.now
        assert self.protocol.busy == bool(self.open or 1 in self.expected.values())
        assert self.protocol.waiting == len(self.queued)
        assert (self.protocol.waiting_bytes > 0) == bool(self.queued)

    def teardown(self):
        if not hasattr(self, "protocol"):
            return
        self.do(self.protocol.end())
        assert not any(self.expected.values()), "a command without a report"


TestProtocolMachine = ProtocolMachine.TestCase
TestProtocolMachine.settings = settings(max_examples=settings.default.max_examples * 3 // 2, stateful_step_count=40)
