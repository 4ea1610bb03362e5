"""How the guilty are found in a batch that failed: in few steps, in order, and with the good ones in large pieces."""

import math

import pytest
from aiokafka import TopicPartition
from chargebus_events.record import Received
from chargebus_runtime.pieces import Pieces
from hypothesis import given
from hypothesis import strategies as st


def batch(count: int, partition: int = 0) -> list[Received]:
    return [Received("t", partition, offset, "s", b"", {}) for offset in range(count)]


def find(records: list[Received], bad: set[int]) -> tuple[list[list[int]], list[int], int]:
    """Return the pieces that were applied, the guilty ones, and how many tries it took."""
    pieces, applied, guilty, tries = Pieces(records), [], [], 0
    while piece := pieces.next():
        tries += 1
        offsets = [record.offset for record in piece]
        if not bad.intersection(offsets):
            applied.append(offsets)
            pieces.applied(piece)
        elif pieces.failed(piece):
            guilty += offsets
            pieces.pass_over()
    return applied, guilty, tries


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_all_but_the_guilty_are_applied_in_order_and_each_once(case):
    count, bad = case
    applied, guilty, _ = find(batch(count), bad)
    assert [offset for piece in applied for offset in piece] == [n for n in range(count) if n not in bad]
    assert guilty == sorted(bad)


@pytest.mark.parametrize("position", [0, 1, 511, 512, 700, 1023])
def test_one_guilty_record_is_found_by_halving(position):
    applied, guilty, tries = find(batch(1024), {position})
    assert guilty == [position]
    assert tries <= 2 * math.log2(1024) + 2
    assert len(applied) <= math.log2(1024) + 1


def test_what_comes_after_the_guilty_one_is_applied_in_one_piece_if_as_much_went_well_before():
    applied, _, _ = find(batch(1000), {600})
    assert applied[-1] == list(range(601, 1000))


def test_many_guilty_records_cost_little_more_than_one_by_one():
    _, guilty, tries = find(batch(1000), set(range(0, 1000, 2)))
    assert len(guilty) == 500
    assert tries < 2500


def test_a_record_is_guilty_only_if_it_fails_alone_and_again():
    pieces = Pieces(batch(2))
    assert not pieces.failed(pieces.next())
    assert len(piece := pieces.next()) == 1
    assert pieces.failed(piece)

    pieces = Pieces(batch(1))
    pieces.applied(pieces.next())
    assert pieces.next() == []


def test_a_partition_that_is_left_holds_up_no_other():
    pieces = Pieces([*batch(3, partition=1), *batch(3, partition=2)])
    while not pieces.failed(pieces.next()):
        pass
    pieces.leave(TopicPartition("t", 1))
    assert {record.partition for record in pieces.next()} == {2}
