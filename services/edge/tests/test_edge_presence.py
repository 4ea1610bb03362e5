"""What the log says about connections: every rule of epochs, and every interleaving of announcements."""

from datetime import UTC, datetime

import hypothesis.strategies as st
import msgspec
import pytest
from chargebus_edge.log.presence import Consequence, PresenceReader, Remnants, consequence
from chargebus_events.presence import Presence
from chargebus_events.record import Received
from hypothesis import given

NOW = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offset", "epoch", "connected", "then"),
    [
        (10, 10, True, Consequence.NOTHING),  # our own announcement
        (9, 9, True, Consequence.NOTHING),  # a connection before ours: the log has ours after it
        (9, 5, False, Consequence.NOTHING),
        (12, 12, True, Consequence.FENCE),  # a newer one
        (14, 12, True, Consequence.FENCE),  # a newer one that asserts itself
        (14, 12, False, Consequence.FENCE),  # the end of a newer one: ours can never be the newest again
        (12, 10, True, Consequence.NOTHING),  # our own assertion
        (12, 10, False, Consequence.REASSERT),  # somebody ended us, wrongly
        (12, 5, False, Consequence.REASSERT),  # a late clean-up hides us after compaction
        (12, 5, True, Consequence.REASSERT),  # an old connection asserts itself
    ],
)
def test_a_record_against_a_held_connection(offset, epoch, connected, then):
    assert consequence(offset=offset, epoch=epoch, connected=connected, held=10) is then


class Log:
    """Compacted: who starts to read late sees each key's newest record only."""

    def __init__(self):
        self.records = []

    def append(self, connected, epoch):
        self.records.append((len(self.records), len(self.records) if epoch is None else epoch, connected))
        return self.records[-1]


def current(records):
    """The rule of every reader: the newest connection, and whether it is open."""
    epoch, is_open = -1, False
    for _offset, record_epoch, connected in records:
        if connected and record_epoch >= epoch:
            epoch, is_open = record_epoch, True
        elif not connected and record_epoch == epoch:
            is_open = False
    return epoch, is_open


@given(st.lists(st.sampled_from(["connect", "read", "late end"]), max_size=30))
def test_whoever_holds_the_newest_connection_is_what_readers_see_even_after_compaction(steps):
    log, held, read, ended = Log(), {}, {}, []
    for step in [*steps, *["read"] * 40]:
        if step == "connect":
            _, epoch, _ = log.append(connected=True, epoch=None)
            held[epoch], read[epoch] = True, 0
        elif step == "late end" and ended:
            log.append(connected=False, epoch=ended.pop())
        elif step == "read":
            for epoch in list(held):
                while held.get(epoch) and read[epoch] < len(log.records):
                    offset, record_epoch, connected = log.records[read[epoch]]
                    read[epoch] += 1
                    then = consequence(offset=offset, epoch=record_epoch, connected=connected, held=epoch)
                    if then is Consequence.FENCE:
                        del held[epoch]
                        ended.append(epoch)
                    elif then is Consequence.REASSERT:
                        log.append(connected=True, epoch=epoch)
    assert len(held) <= 1
    for epoch in held:
        assert current(log.records) == (epoch, True)
        assert current(log.records[-1:]) == (epoch, True)


class Holding:
    def __init__(self, **held):
        self.held = held
        self.observed = []

    def observe(self, station_id, *, offset, epoch, connected):
        self.observed.append((station_id, offset, epoch, connected))
        return self.held.get(station_id)


@pytest.fixture
def remnants():
    return Remnants(retry_s=10)


def read(remnants, *presences, held=None):
    reader = PresenceReader(3, Holding(**(held or {})), remnants, lambda: 100.0)
    for offset, presence in enumerate(presences):
        record = presence.record()
        reader.apply(Received(record.topic, 0, offset, record.key, record.value, dict(record.headers)))
    return reader


def presence(station_id="CP1", *, connected=True, slot=3, epoch=None):
    return Presence(station_id, connected, slot, 0, NOW, epoch)


def test_open_connections_of_this_slot_that_nobody_holds_are_remnants(remnants):
    read(remnants, presence("A"), presence("B", slot=4), presence("C"), presence("C", connected=False, epoch=2))
    assert remnants.take_due(110.0) == [("A", 0)]


def test_a_remnant_that_was_replaced_elsewhere_is_none(remnants):
    read(remnants, presence("A"), presence("A", slot=4))
    assert remnants.take_due(110.0) == []


def test_the_late_end_of_an_older_connection_leaves_a_remnant(remnants):
    read(remnants, presence("A"), presence("A"), presence("A", connected=False, epoch=0))
    assert remnants.take_due(110.0) == [("A", 1)]


def test_what_is_held_is_no_remnant(remnants):
    read(remnants, presence("A"), held={"A": 0})
    assert len(remnants) == 0


def test_a_remnant_is_ended_again_until_the_log_shows_its_end(remnants):
    remnants.add("A", 5, now=0)
    assert remnants.take_due(9) == []
    assert remnants.take_due(10) == [("A", 5)]
    assert remnants.take_due(15) == []
    assert remnants.take_due(20) == [("A", 5)]
    remnants.settle("A", 4)
    assert len(remnants) == 1
    remnants.settle("A", 5)
    assert len(remnants) == 0


def test_tombstones_are_skipped_and_what_cannot_be_read_may_be_a_newer_connection(remnants):
    observer = Holding(A=3)
    reader = PresenceReader(3, observer, remnants, lambda: 100.0)
    reader.apply(Received("ocpp.presence", 0, 4, "A", None, {}))
    assert observer.observed == []
    unreadable = Received("ocpp.presence", 0, 5, "A", b"{", {})
    with pytest.raises(msgspec.MsgspecError):
        reader.apply(unreadable)
    reader.fence(unreadable)
    assert observer.observed == [("A", 5, 5, True)]
    assert consequence(offset=5, epoch=5, connected=True, held=3) is Consequence.FENCE
    assert len(remnants) == 0
