"""The queue of transaction messages: order, attempts, giving up."""

from datetime import UTC, datetime, timedelta

from chargebus_station.history import Fate, MessageEntry, TransactionEntry
from chargebus_station.transaction import ChargingState, Transaction
from chargebus_station.transaction_queue import QueuedMessage, RetryRule, TransactionQueue
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RULE = RetryRule(attempts=3, interval_s=60)


def transaction(transaction_id="T"):
    entry = TransactionEntry("key", "CS", "2.0.1", 1, 1, NOW, 0, transaction_id=transaction_id)
    return Transaction(entry, transaction_id, None, ChargingState.CHARGING)


def message(of, seq_no):
    return QueuedMessage(
        of, "TransactionEvent", {"seqNo": seq_no}, MessageEntry("TransactionEvent", "Updated", seq_no, NOW, False)
    )


def test_E13_FR_03_the_wait_grows_with_the_transmissions():
    queue, head = TransactionQueue(), message(transaction(), 0)
    queue.put(head)
    assert queue.due_in_s(NOW) == 0
    queue.failed(head, NOW, RULE)
    assert queue.due_in_s(NOW) == 60
    queue.failed(head, NOW, RULE)
    assert queue.due_in_s(NOW + timedelta(seconds=20)) == 100


def test_E13_FR_04_the_last_attempt_gives_the_message_up():
    queue, first, second = TransactionQueue(), message(transaction(), 0), message(transaction(), 1)
    queue.put(first)
    queue.put(second)
    for _ in range(RULE.attempts):
        assert queue.head() is first
        queue.failed(first, NOW, RULE)
    assert first.entry.fate is Fate.DISCARDED
    assert queue.head() is second
    assert queue.due_in_s(NOW) == 0


def test_without_a_start_the_rest_of_a_transaction_is_given_up_and_so_is_what_comes_later():
    queue, nameless, other = TransactionQueue(), transaction(None), transaction()
    start, reading, foreign = message(nameless, 0), message(nameless, 1), message(other, 0)
    for each in (start, reading, foreign):
        queue.put(each)
    queue.failed(start, NOW, RetryRule(1, 60))
    late = message(nameless, 2)
    queue.put(late)
    assert [each.entry.fate for each in (start, reading, late)] == [Fate.DISCARDED] * 3
    assert queue.head() is foreign
    assert len(queue) == 1


def test_E14_the_queue_knows_whose_messages_wait_held_ones_too():
    queue = TransactionQueue()
    queue.put(message(transaction("A"), 0))
    queue.hold(message(transaction("B"), 0))
    assert queue.concerns("A")
    assert queue.concerns("B")
    assert not queue.concerns("C")
    assert len(queue) == 2


def test_what_is_held_comes_after_what_is_there_when_it_is_released():
    queue, of = TransactionQueue(), transaction()
    held, ended = message(of, 1), message(of, 2)
    queue.hold(held)
    queue.put(ended)
    queue.release()
    queue.answered(ended)
    assert queue.head() is held


STEPS = st.lists(st.sampled_from(["put", "answered", "failed", "lost", "wait"]), max_size=60)


@given(steps=STEPS)
def test_messages_leave_in_the_order_in_which_they_came_and_none_is_forgotten(steps):
    queue, of, now = TransactionQueue(), transaction(), NOW
    put, left = [], []
    for step in steps:
        head = queue.head()
        if step == "put":
            put.append(message(of, len(put)))
            queue.put(put[-1])
        elif step == "wait":
            now += timedelta(seconds=100)
        elif head is not None and queue.due_in_s(now) == 0:
            if step == "answered":
                queue.answered(head)
            elif step == "failed":
                queue.failed(head, now, RULE)
            if head.entry.fate is not Fate.QUEUED:
                left.append(head)
    waiting = []
    while (head := queue.head()) is not None:
        waiting.append(head)
        queue.answered(head)
    assert [each.entry.seq_no for each in (*left, *waiting)] == [each.entry.seq_no for each in put]
    assert all(each.failures < RULE.attempts for each in waiting)
