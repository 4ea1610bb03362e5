"""What waits for others, and when it is due."""

from aiokafka import TopicPartition
from chargebus_events.record import Received
from chargebus_runtime.gathering import Gathering, no_patience

TP = TopicPartition("t", 0)


def record(offset: int, value: bytes = b"") -> Received:
    return Received("t", 0, offset, "s", value, {})


PATIENCE_S = {b"now": 0.0, b"soon": 0.125}


def gathering(most: int = 10) -> Gathering:
    return Gathering(lambda r: PATIENCE_S.get(r.value, 0.25), most)


def test_nothing_waits_at_first():
    assert gathering().wait_s(0.0) is None


def test_what_nobody_waits_for_waits_until_the_oldest_had_its_time():
    waiting = gathering()
    waiting.add({TP: [record(0)]}, 1.0)
    waiting.add({TP: [record(1)]}, 1.2)
    assert waiting.wait_s(1.2) == 1.25 - 1.2
    assert waiting.wait_s(1.25) == 0.0


def test_an_urgent_record_takes_along_what_waits_in_order():
    waiting = gathering()
    waiting.add({TP: [record(0)]}, 1.0)
    waiting.add({TP: [record(1, b"now")]}, 1.1)
    assert waiting.wait_s(1.1) == 0.0
    assert [r.offset for r in waiting.take()[TP]] == [0, 1]
    assert waiting.wait_s(1.1) is None


def test_the_least_patient_record_decides_when_all_are_due():
    waiting = gathering()
    waiting.add({TP: [record(0)]}, 1.0)
    waiting.add({TP: [record(1, b"soon"), record(2)]}, 1.0)
    assert waiting.wait_s(1.0) == 0.125
    waiting.add({TP: [record(3, b"soon")]}, 1.1)
    assert waiting.wait_s(1.125) == 0.0


def test_a_full_batch_is_due():
    waiting = gathering(most=2)
    waiting.add({TP: [record(0), record(1)]}, 1.0)
    assert waiting.wait_s(1.0) == 0.0


def test_without_a_rule_everything_is_due_at_once():
    waiting = Gathering(no_patience, 10)
    waiting.add({TP: [record(0)]}, 1.0)
    assert waiting.wait_s(1.0) == 0.0


def test_what_is_forgotten_is_not_applied():
    waiting = gathering()
    waiting.add({TP: [record(0, b"now")]}, 1.0)
    waiting.forget()
    assert waiting.wait_s(9.0) is None
    waiting.add({TP: [record(0)]}, 9.0)
    assert waiting.wait_s(9.0) == 0.25
